/** Temperature of a classifier: the divisor of its logits that minimizes the loss on validation images. */
import { DataError } from "../../errors.ts";
import type { ClassHead, Scores } from "./classHead.ts";

/** Scores of validation images with one class each. */
export interface LabelledScores {
  /** [images][classes], without a temperature. */
  readonly rows: readonly Scores[];
  readonly labels: readonly number[];
}

/** Bounds of 1/T; beyond them, the loss has no minimum that these images could tell. */
const [LEAST, MOST] = [1e-3, 1e3];

/**
 * The temperature T that minimizes the mean cross-entropy of scores / T, to the last digits.
 *
 * The loss is convex in β = 1/T; its derivative Σ_images Σ_classes (p − y) · score, with p of β · scores and y 1 for the label, is 0 at the minimum.
 *
 * Throws DataError if there is no minimum: every image is classified correctly, or the scores do not tell the classes apart.
 * Source: Guo et al. 2017, “On calibration of modern neural networks”, §4.2.
 */
export function fitTemperature(data: LabelledScores, head: ClassHead): number {
  const at = (beta: number) => slope(data, head, beta);
  if (at(MOST) <= 0) {
    throw new DataError(
      `temperature: expected mistakes among the ${data.rows.length} validation images, found none, so that no temperature is best; use more images`,
    );
  }
  if (at(LEAST) >= 0) {
    throw new DataError(
      `temperature: the scores of the ${data.rows.length} validation images do not tell their classes apart, so that no temperature is best; train longer`,
    );
  }
  return 1 / rootOf(at, LEAST, MOST);
}

/** Derivative of the summed loss by β. */
function slope({ rows, labels }: LabelledScores, head: ClassHead, beta: number): number {
  let sum = 0;
  for (const [i, row] of rows.entries()) {
    const shares = head.probabilities(Float64Array.from(row, (score) => beta * score));
    for (let c = 0; c < row.length; c++) sum += (shares[c] as number) * (row[c] as number);
    sum -= row[labels[i] as number] as number;
  }
  return sum;
}

/** Root of an increasing function, by regula falsi with halved weights (Illinois), on a logarithmic scale. Source: Dowell and Jarratt 1971. */
function rootOf(f: (x: number) => number, low: number, high: number): number {
  let [a, b, fa, fb] = [Math.log(low), Math.log(high), f(low), f(high)];
  for (let step = 0; step < 200 && Math.abs(b - a) > 1e-14; step++) {
    const x = (a * fb - b * fa) / (fb - fa);
    const fx = f(Math.exp(x));
    if (fx === 0) return Math.exp(x);
    if (fx < 0 === fb < 0) fa /= 2;
    else [a, fa] = [b, fb];
    [b, fb] = [x, fx];
  }
  return Math.exp(b);
}
