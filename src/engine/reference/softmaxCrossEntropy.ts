/**
 * The loss of one image: p = softmax(z), loss = −ln p[label] = ln Σ eᶻ − z[label]; dz = p − onehot(label).
 *
 * Writes scale · dz to `gradient` and returns the loss, unscaled. Shapes: z, dz [classes].
 */
export function softmaxCrossEntropy(
  logits: Float64Array,
  label: number,
  scale: number,
  gradient: Float64Array,
): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, z) => total + Math.exp(z - largest), 0);
  logits.forEach((z, c) => {
    gradient[c] = scale * (Math.exp(z - largest) / sum - (c === label ? 1 : 0));
  });
  return Math.log(sum) + largest - (logits[label] as number);
}
