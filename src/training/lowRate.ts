/** Warning for schedules that leave a run without a learning rate. */
import { rateScale } from "./rateScale.ts";
import { advance, initialScheduleState, learningRateAt, type RateRecipe } from "./schedule.ts";

/** Fraction of the initial learning rate below which weights hardly change. */
const USELESS_RATE = 1e-6;

/** Warning for a schedule whose learning rate is too low to train with for over a third of the run; otherwise undefined. */
export function lowRateWarning(recipe: RateRecipe & { readonly epochs: number }): string | undefined {
  const { epochs: total, schedule, learningRate } = recipe;
  const epochs = Math.ceil(total);
  const steps = { perEpoch: 1, total: epochs };
  let state = initialScheduleState;
  let low = 0;
  for (let done = 0; done < epochs; done++) {
    const rate = learningRateAt(recipe, steps, { steps: done, schedule: state, rollbacks: { factor: 1 } });
    if (rate < USELESS_RATE * learningRate * rateScale(recipe)) low++;
    // Assumes that every evaluation improves: a plateau depends on the data.
    state = advance(schedule, state, { done: done + 1, total }, { testAccuracy: done + 1 });
  }
  if (low <= epochs / 3) return undefined;
  return (
    `schedule ${schedule.kind}: the learning rate is below ${USELESS_RATE} of its initial value in ${low} of ${epochs} epochs; ` +
    "use fewer epochs, a longer everyEpochs, or everyFraction, which stretches with the run"
  );
}
