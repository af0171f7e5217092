/** The monitored figure of evaluations, which selects the best weights and drives early stopping and the plateau schedule. */

/** `accuracy`: the highest test accuracy, the lower test loss on a tie. `loss`: the lowest test loss, the higher accuracy on a tie. */
export const monitorNames = ["accuracy", "loss"] as const;

export type Monitor = (typeof monitorNames)[number];

/** Monitor of a new run that names none. */
export const defaultMonitor: Monitor = "accuracy";

/** Figures of one evaluation; the accuracy is a fraction. */
export interface Evaluated {
  readonly testAccuracy: number;
  /** Missing in files of earlier versions. */
  readonly testLoss?: number | undefined;
}

/** Best figures so far; stored in checkpoints. */
export interface BestFigures {
  readonly bestAccuracy: number;
  /** Present only if the loss is monitored. */
  readonly bestLoss?: number | undefined;
}

/**
 * True if an evaluation is better than another one. Runs of versions without a choice (`undefined`) keep their rule: the higher accuracy, and the
 * earlier evaluation on a tie.
 */
export function isBetter(monitor: Monitor | undefined, a: Evaluated, b: Evaluated): boolean {
  const accuracy = a.testAccuracy - b.testAccuracy;
  if (monitor === undefined) return accuracy > 0;
  const [lossA, lossB] = [finiteLoss(a), finiteLoss(b)];
  if (monitor === "loss" && lossA !== lossB) return lossA < lossB;
  return accuracy === 0 ? lossA < lossB : accuracy > 0;
}

/** The best of evaluations in order; undefined if there is none. */
export function bestOf<T extends Evaluated>(monitor: Monitor | undefined, evaluations: readonly T[]): T | undefined {
  return evaluations.reduce<T | undefined>(
    (best, one) => (best && !isBetter(monitor, one, best) ? best : one),
    undefined,
  );
}

/** True if the monitored figure of an evaluation is better than the best so far by more than `minDelta`; ties are not. */
export function improves(
  monitor: Monitor | undefined,
  { testAccuracy, testLoss = Infinity }: Evaluated,
  { bestAccuracy, bestLoss = Infinity }: BestFigures,
  minDelta = 0,
): boolean {
  return monitor === "loss" ? testLoss < bestLoss - minDelta : testAccuracy > bestAccuracy + minDelta;
}

/** The best figures after an evaluation that improves on them. */
export function bestFigures(monitor: Monitor | undefined, { testAccuracy, testLoss }: Evaluated): BestFigures {
  return { bestAccuracy: testAccuracy, ...(monitor === "loss" ? { bestLoss: testLoss } : {}) };
}

/** Treats a missing, NaN or infinite loss as worse than any other. */
function finiteLoss({ testLoss = Infinity }: Evaluated): number {
  return Number.isFinite(testLoss) ? testLoss : Infinity;
}
