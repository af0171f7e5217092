/** Ends a run whose test accuracy has stopped rising. */
import { z } from "zod";

/**
 * A run ends when the test accuracy has not risen by more than `minDelta` above the best for `patience` evaluations, those at the end of an epoch.
 *
 * Source: Prechelt 1998, “Early stopping, but when?”, its third class of criteria; the names are those of Keras.
 */
export const earlyStoppingSchema = z.strictObject({
  patience: z.int().positive(),
  /** A fraction: 0.001 is a tenth of a percent. */
  minDelta: z.number().nonnegative().lt(1).default(0),
});

export type EarlyStopping = z.infer<typeof earlyStoppingSchema>;

/** State between epochs; stored in checkpoints. */
export const earlyStoppingStateSchema = z.object({ bestAccuracy: z.number(), evaluationsSinceBest: z.int() });

export type EarlyStoppingState = z.infer<typeof earlyStoppingStateSchema>;

export const initialEarlyStopping: EarlyStoppingState = { bestAccuracy: -1, evaluationsSinceBest: 0 };

/** The state after an epoch that ended with this test accuracy. */
export function watch(
  rule: EarlyStopping | undefined,
  state: EarlyStoppingState,
  testAccuracy: number,
): EarlyStoppingState {
  if (testAccuracy > state.bestAccuracy + (rule?.minDelta ?? 0)) {
    return { bestAccuracy: testAccuracy, evaluationsSinceBest: 0 };
  }
  return { ...state, evaluationsSinceBest: state.evaluationsSinceBest + 1 };
}

/** True if patience has run out. */
export function stopsEarly(rule: EarlyStopping | undefined, { evaluationsSinceBest }: EarlyStoppingState): boolean {
  return rule !== undefined && evaluationsSinceBest >= rule.patience;
}
