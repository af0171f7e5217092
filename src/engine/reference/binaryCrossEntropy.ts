/**
 * Loss of one image with independent classes: the mean over the classes of −w · t · ln σ(z) − (1 − t) · ln (1 − σ(z)); its derivative by z is
 * (−w · t · (1 − σ(z)) + (1 − t) · σ(z)) / classes.
 *
 * Writes scale · dz to `gradient`, and returns the unscaled loss. Shapes: z, t, w, dz [classes].
 */
export function binaryCrossEntropy(
  logits: Float64Array,
  targets: Float32Array | Float64Array,
  positiveWeights: readonly number[],
  scale: number,
  gradient: Float64Array,
): number {
  const classes = logits.length;
  let loss = 0;
  logits.forEach((z, c) => {
    const [t, w] = [targets[c] as number, positiveWeights[c] as number];
    const [present, absent] = [sigmoid(z), sigmoid(-z)];
    gradient[c] = (scale * ((1 - t) * present - w * t * absent)) / classes;
    if (t !== 0) loss += w * t * softplus(-z);
    if (t !== 1) loss += (1 - t) * softplus(z);
  });
  return loss / classes;
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

/** ln (1 + eᶻ) = −ln σ(−z), without overflow. */
function softplus(z: number): number {
  return z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z));
}
