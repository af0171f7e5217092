/**
 * Colour noise along the principal components of a training set's colours. Every pixel of an image gets
 * [p₁ p₂ p₃] [α₁λ₁ α₂λ₂ α₃λ₃]ᵀ added. λ and p are the eigenvalues and eigenvectors of the pixel covariance; α is drawn from N(0, deviation)
 * once per use of the image. Pixels are on the scale of 0 to 1.
 *
 * Source: Krizhevsky et al. 2012, §4.1.
 */
export interface PrincipalColours {
  /** Variance along each component, in descending order. */
  readonly eigenvalues: readonly number[];
  /** Components with one entry per channel, of length 1, with their largest entry positive. */
  readonly eigenvectors: readonly (readonly number[])[];
}

/** Noise of each channel on the scale of 0 to 1; `gaussian` draws from N(0, 1). */
export function lightingNoise(
  { eigenvalues, eigenvectors }: PrincipalColours,
  deviation: number,
  gaussian: () => number,
): readonly number[] {
  // A grey training set has one component, which applies to all three channels of a repeated grey image.
  const noise = new Array<number>(eigenvectors[0]?.length ?? 0).fill(0);
  eigenvalues.forEach((eigenvalue, k) => {
    const strength = deviation * gaussian() * eigenvalue;
    eigenvectors[k]?.forEach((entry, c) => {
      noise[c] = (noise[c] as number) + strength * entry;
    });
  });
  return noise;
}
