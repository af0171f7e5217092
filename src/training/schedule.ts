import { z } from "zod";

/** How the learning rate changes over a run. Rates are factors of the recipe's `learningRate`. */
export const scheduleSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("constant") }),
  /** × factor after every `everyEpochs` epochs. */
  z.strictObject({
    kind: z.literal("step"),
    everyEpochs: z.int().positive(),
    factor: z.number().positive().lt(1).default(0.1),
  }),
  /**
   * × factor when the test error has not improved for `patience` evaluations, at most `reductions` times. Source: Krizhevsky et al.
   * 2012, §5: divided by 10 when the validation error stopped improving, three times in all.
   */
  z.strictObject({
    kind: z.literal("plateau"),
    factor: z.number().positive().lt(1).default(0.1),
    patience: z.int().positive().default(2),
    reductions: z.int().positive().default(3),
  }),
]);

export type Schedule = z.infer<typeof scheduleSchema>;

/** What a schedule remembers from one epoch to the next; travels in checkpoints. */
export interface ScheduleState {
  readonly factor: number;
  readonly bestAccuracy: number;
  readonly evaluationsSinceBest: number;
  readonly reductions: number;
}

export const initialScheduleState: ScheduleState = {
  factor: 1,
  bestAccuracy: 0,
  evaluationsSinceBest: 0,
  reductions: 0,
};

/** The state after an epoch: `epochs` are done, the last with this test accuracy. */
export function advance(schedule: Schedule, state: ScheduleState, epochs: number, testAccuracy: number): ScheduleState {
  const improved = testAccuracy > state.bestAccuracy;
  const next = {
    ...state,
    bestAccuracy: improved ? testAccuracy : state.bestAccuracy,
    evaluationsSinceBest: improved ? 0 : state.evaluationsSinceBest + 1,
  };
  if (schedule.kind === "step")
    return { ...next, factor: schedule.factor ** Math.floor(epochs / schedule.everyEpochs) };
  if (schedule.kind === "constant" || next.reductions >= schedule.reductions) return next;
  if (next.evaluationsSinceBest < schedule.patience) return next;
  return { ...next, factor: next.factor * schedule.factor, evaluationsSinceBest: 0, reductions: next.reductions + 1 };
}
