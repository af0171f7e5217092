/**
 * Colour noise along the principal components of a training set's colours: to every pixel of a picture is added
 * [p₁ p₂ p₃] [α₁λ₁ α₂λ₂ α₃λ₃]ᵀ, with λ and p the eigenvalues and eigenvectors of the covariance of its pixels and α drawn
 * from N(0, deviation) once for each use of the picture. Pixels are on the scale of 0 to 1.
 *
 * Source: Krizhevsky et al. 2012, §4.1.
 */
export interface PrincipalColours {
  /** Variance along each component, the largest first. */
  readonly eigenvalues: readonly number[];
  /** By component, an entry for each channel; each of length 1, its largest entry positive. */
  readonly eigenvectors: readonly (readonly number[])[];
}

const SWEEPS = 30;

/** Eigenvalues and eigenvectors of a symmetric matrix of any size (rows after each other), by Jacobi's rotations. */
export function principalColours(covariance: readonly number[]): PrincipalColours {
  const n = Math.sqrt(covariance.length);
  const matrix = Float64Array.from(covariance);
  const vectors = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(matrix, vectors, n, p, q);
  }
  const components = Array.from({ length: n }, (_, k) => {
    const vector = Array.from({ length: n }, (_, row) => vectors[row * n + k] as number);
    const largest = vector.reduce((most, entry) => (Math.abs(entry) > Math.abs(most) ? entry : most), 0);
    return { value: matrix[k * n + k] as number, vector: vector.map((entry) => (largest < 0 ? -entry : entry)) };
  }).sort((a, b) => b.value - a.value);
  return { eigenvalues: components.map(({ value }) => value), eigenvectors: components.map(({ vector }) => vector) };
}

/** Turns rows and columns p and q so that the matrix has a zero at (p, q). */
function rotate(matrix: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const off = matrix[p * n + q] as number;
  if (off === 0) return;
  const theta = ((matrix[q * n + q] as number) - (matrix[p * n + p] as number)) / (2 * off);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cosine = 1 / Math.sqrt(t * t + 1);
  const sine = t * cosine;
  const turn = (values: Float64Array, i: number, j: number) => {
    const [a, b] = [values[i] as number, values[j] as number];
    values[i] = cosine * a - sine * b;
    values[j] = sine * a + cosine * b;
  };
  for (let k = 0; k < n; k++) turn(matrix, k * n + p, k * n + q);
  for (let k = 0; k < n; k++) turn(matrix, p * n + k, q * n + k);
  for (let k = 0; k < n; k++) turn(vectors, k * n + p, k * n + q);
}

/** What is added to each channel, on the scale of 0 to 1; `gaussian` draws from N(0, 1). */
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
