/** What a run says of itself while it goes on. */
import { formatPercent } from "../report/numbers.ts";
import type { Recipe } from "../training/recipe.ts";
import type { Position } from "../training/state.ts";

/** Of a loss that does not fall. */
export function stuckWarning({ iteration }: Position, { initializer, learningRate }: Recipe): string {
  return (
    `iteration ${iteration}: for 200 iterations the loss has stayed at that of guessing; ` +
    `try another initializer (${initializer.weight.kind}) or --learning-rate (${learningRate})`
  );
}

/** Of a run that ends before its last epoch. */
export function earlyStopMessage({ epoch, earlyStopping }: Position, { epochs }: Recipe): string {
  const { bestAccuracy, evaluationsSinceBest } = earlyStopping;
  return (
    `stopped early, after epoch ${epoch} of ${epochs}: no better test accuracy than ${formatPercent(bestAccuracy)} ` +
    `in the last ${evaluationsSinceBest} evaluations; best.safetensors has the weights that had it`
  );
}
