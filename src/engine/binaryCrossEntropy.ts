/** Binary cross-entropy of independent classes, computed by the host in f64. */
import { ShapeError } from "../errors.ts";
import type { BinaryCrossEntropy } from "./engine.ts";

/**
 * With a = w · t and b = 1 − t: loss = Σ ((a + b) · ln (1 + eᶻ) − a · z) / (count · classes); dz = ((a + b) · σ(z) − a) / (count · classes).
 *
 * Writes dz to the first `count` rows of `gradient` and 0 to the others, and returns the loss. Shapes: z, t [≥ count, classes]. Throws ShapeError if
 * targets are missing.
 */
export function binaryCrossEntropy(
  { positiveWeights }: BinaryCrossEntropy,
  logits: Float32Array,
  targets: Float32Array,
  count: number,
  gradient: Float32Array,
): number {
  const classes = positiveWeights.length;
  const length = count * classes;
  if (targets.length < length) {
    throw new ShapeError(`targets: expected ${count} rows of ${classes} classes, got ${targets.length} values`);
  }
  let loss = 0;
  for (let start = 0; start < length; start += classes) {
    for (let c = 0; c < classes; c++) {
      const z = logits[start + c] as number;
      const t = targets[start + c] as number;
      const positive = (positiveWeights[c] as number) * t;
      const mass = positive + 1 - t;
      // e^−|z| does not overflow.
      const tail = Math.exp(-Math.abs(z));
      const sigma = (z >= 0 ? 1 : tail) / (1 + tail);
      gradient[start + c] = (mass * sigma - positive) / length;
      loss += mass * (Math.max(z, 0) + Math.log1p(tail)) - positive * z;
    }
  }
  gradient.fill(0, length);
  return loss / length;
}

/** Throws ShapeError unless there is a positive weight for each of the classes. */
export function requireWeights({ positiveWeights }: BinaryCrossEntropy, outputShape: readonly number[]): void {
  if (outputShape.length === 1 && outputShape[0] === positiveWeights.length) return;
  throw new ShapeError(
    `loss: expected one positive weight for each of the outputs [${outputShape.join(", ")}], got ${positiveWeights.length}`,
  );
}
