/** Softmax with cross-entropy, computed by the host in f64. */

/**
 * loss = −(1 / count) Σ t · ln p with p = softmax(z), where ln p = z − ln Σ eᶻ; dz = (p · Σ t − t) / count. A target of 0 contributes nothing.
 *
 * Writes dz to `gradient`, and returns the loss. Shapes: z, t, dz [count, classes].
 */
export function softmaxCrossEntropy(
  logits: Float32Array,
  targets: Float32Array,
  count: number,
  classes: number,
  gradient: Float32Array,
): number {
  let loss = 0;
  for (let start = 0; start < count * classes; start += classes) {
    const end = start + classes;
    let largest = Number.NEGATIVE_INFINITY;
    let mass = 0;
    for (let i = start; i < end; i++) {
      largest = Math.max(largest, logits[i] as number);
      mass += targets[i] as number;
    }
    let sum = 0;
    for (let i = start; i < end; i++) sum += Math.exp((logits[i] as number) - largest);
    const logSum = Math.log(sum) + largest;
    for (let i = start; i < end; i++) {
      const [z, t] = [logits[i] as number, targets[i] as number];
      gradient[i] = (mass * Math.exp(z - logSum) - t) / count;
      if (t !== 0) loss += t * (logSum - z);
    }
  }
  return loss / count;
}
