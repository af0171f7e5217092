/** Eigenvalues and eigenvectors of a symmetric matrix. */
export interface Eigen {
  /** Eigenvalues in descending order. */
  readonly eigenvalues: readonly number[];
  /** Eigenvectors in the order of the eigenvalues, of length 1, with their largest entry positive. */
  readonly eigenvectors: readonly (readonly number[])[];
}

const SWEEPS = 30;

/** Computes the eigenvalues and eigenvectors of a symmetric matrix, given row by row, by Jacobi rotations. */
export function eigenOf(symmetric: readonly number[]): Eigen {
  const n = Math.sqrt(symmetric.length);
  const matrix = Float64Array.from(symmetric);
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

/** Rotates rows and columns p and q to zero the entry (p, q). */
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
