/**
 * Colour noise along the principal components of a training set's colours: to every pixel of an image is added
 * [p₁ p₂ p₃] [α₁λ₁ α₂λ₂ α₃λ₃]ᵀ, with λ and p the eigenvalues and eigenvectors of the covariance of its pixels and α drawn
 * from N(0, deviation) once for each use of the image. Pixels are on the scale of 0 to 1.
 *
 * Source: Krizhevsky et al. 2012, §4.1.
 */
export interface PrincipalColours {
  /** Variance along each component, the largest first. */
  readonly eigenvalues: readonly number[];
  /** By component, an entry for each channel; each of length 1, its largest entry positive. */
  readonly eigenvectors: readonly (readonly number[])[];
}

/** The noise added to each channel, on the scale of 0 to 1; `gaussian` draws from N(0, 1). */
export function lightingNoise(
  { eigenvalues, eigenvectors }: PrincipalColours,
  deviation: number,
  gaussian: () => number,
): readonly number[] {
  // Grey that is repeated has one component of three channels.
  const noise = new Array<number>(eigenvectors[0]?.length ?? 0).fill(0);
  eigenvalues.forEach((eigenvalue, k) => {
    const strength = deviation * gaussian() * eigenvalue;
    eigenvectors[k]?.forEach((entry, c) => {
      noise[c] = (noise[c] as number) + strength * entry;
    });
  });
  return noise;
}
