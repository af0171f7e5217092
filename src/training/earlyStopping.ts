/** Ends a run whose monitored figure, test accuracy or test loss, has stopped improving. */
import * as z from "zod/mini";
import { belowOne, positiveInt } from "../schema.ts";
import { bestFigures, type Evaluated, improves, type Monitor } from "./monitor.ts";

/**
 * A run ends when the monitored figure has not improved on the best by more than `minDelta` for `patience` evaluations, those at the end of an
 * epoch: the test accuracy rises, or with `monitor: "loss"` the test loss falls.
 *
 * Source: Prechelt 1998, “Early stopping, but when?”, its third class of criteria; the names are those of Keras.
 */
export const earlyStoppingSchema = z.strictObject({
  patience: positiveInt,
  /** Minimum improvement, in units of the monitored figure; for accuracy, 0.001 is a tenth of a percent. */
  minDelta: z._default(belowOne, 0),
});

export type EarlyStopping = z.infer<typeof earlyStoppingSchema>;

/** State between epochs; stored in checkpoints. */
export const earlyStoppingStateSchema = z.object({
  bestAccuracy: z.number(),
  bestLoss: z.optional(z.number()),
  evaluationsSinceBest: z.int(),
});

export type EarlyStoppingState = z.infer<typeof earlyStoppingStateSchema>;

export const initialEarlyStopping: EarlyStoppingState = { bestAccuracy: -1, evaluationsSinceBest: 0 };

/** The state after an epoch that ended with this evaluation. */
export function watch(
  rule: EarlyStopping | undefined,
  state: EarlyStoppingState,
  evaluated: Evaluated,
  monitor?: Monitor,
): EarlyStoppingState {
  if (improves(monitor, evaluated, state, rule?.minDelta)) {
    return { ...bestFigures(monitor, evaluated), evaluationsSinceBest: 0 };
  }
  return { ...state, evaluationsSinceBest: state.evaluationsSinceBest + 1 };
}

/** True if patience has run out. */
export function stopsEarly(rule: EarlyStopping | undefined, { evaluationsSinceBest }: EarlyStoppingState): boolean {
  return rule !== undefined && evaluationsSinceBest >= rule.patience;
}
