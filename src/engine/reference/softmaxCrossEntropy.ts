/**
 * Loss of one image: p = softmax(z), loss = −Σ t · ln p, where ln p = z − ln Σ eᶻ; dz = p · Σ t − t. A target of 0 contributes nothing.
 *
 * Writes scale · dz to `gradient`, and returns the unscaled loss. Shapes: z, t, dz [classes].
 */
export function softmaxCrossEntropy(
  logits: Float64Array,
  targets: Float32Array | Float64Array,
  scale: number,
  gradient: Float64Array,
): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, z) => total + Math.exp(z - largest), 0);
  let mass = 0;
  for (const t of targets) mass += t;
  let loss = 0;
  logits.forEach((z, c) => {
    const t = targets[c] as number;
    gradient[c] = scale * ((mass * Math.exp(z - largest)) / sum - t);
    if (t !== 0) loss += t * (Math.log(sum) + largest - z);
  });
  return loss;
}
