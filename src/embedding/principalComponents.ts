/**
 * Principal components by subspace iteration. With X the centred points, and V a few orthonormal rows:
 *
 *     Y = X Vᵀ;  V ← orthonormal rows of Yᵀ X
 *
 * until the variance captured by V, the trace of Yᵀ Y / (n − 1), stops growing. Its eigenvectors E then turn V into the components Eᵀ V,
 * and Y into the points' coordinates Y E. The covariance matrix, with 16 million entries for 4,096 features, is never computed.
 *
 * Source: Halko, Martinsson, Tropp 2011, “Finding structure with randomness”, algorithm 4.4.
 */
import { eigenOf } from "../eigen.ts";
import { fillGaussian, randomStream } from "../random.ts";
import { type Points, pause, type Watching } from "./points.ts";

/** Points in the coordinates of their principal components. */
export interface PrincipalComponents {
  /** Coordinates, with components in descending order of variance and the mean as origin. */
  readonly points: Points & { readonly values: Float64Array };
  /** Fraction of the variance explained by each component. */
  readonly explainedVariance: readonly number[];
}

/** Oversampling: additional rows, which speed up the convergence of the last components. */
const OVERSAMPLING = 10;
/** Relative growth of the variance at which iteration stops. */
const TOLERANCE = 1e-5;
const MOST_STEPS = 50;
/** Block sizes of `project` and `gather`: eight products for six loaded numbers. */
const PIECE_POINTS = 4;
const PIECE_DIMENSIONS = 1024;

/**
 * Projects points onto their first components, at most `wanted`, fewer than the points, and at most their dimensions. Each component's
 * largest entry is positive.
 *
 * Throws the signal's reason on abort.
 */
export async function principalComponents(
  points: Points,
  wanted: number,
  watching: Watching = {},
): Promise<PrincipalComponents> {
  const { count, dimensions } = points;
  const most = Math.min(count - 1, dimensions);
  // Rounded up to even; a surplus row becomes 0.
  const rows = 2 * Math.ceil(Math.min(wanted + OVERSAMPLING, most) / 2);
  const [mean, total] = momentsOf(points);
  let directions = new Float64Array(rows * dimensions);
  fillGaussian(randomStream(0, "principal components"), 0, directions, 1);
  orthonormalize(directions, dimensions);
  let coordinates = new Float64Array(0);
  let variance = 0;
  for (let step = 1; step <= MOST_STEPS; step++) {
    await pause(watching);
    coordinates = project(points, mean, directions, rows);
    const within = sumOfSquares(coordinates) / (count - 1);
    // Stop before updating the directions, so that they match the coordinates.
    if (step === MOST_STEPS || within <= variance * (1 + TOLERANCE)) break;
    variance = within;
    await pause(watching);
    directions = gather(points, mean, coordinates, rows);
    orthonormalize(directions, dimensions);
    watching.onProgress?.(step, MOST_STEPS);
  }
  return turned(coordinates, directions, { count, dimensions, rows, kept: Math.min(wanted, most), total });
}

/** The mean, and the total variance. */
function momentsOf({ count, dimensions, values }: Points): readonly [mean: Float64Array, total: number] {
  const mean = new Float64Array(dimensions);
  for (let i = 0, at = 0; i < count; i++) {
    for (let d = 0; d < dimensions; d++) mean[d] = (mean[d] as number) + (values[at++] as number);
  }
  // Divided last, so that the mean of equal numbers is exact.
  for (let d = 0; d < dimensions; d++) mean[d] = (mean[d] as number) / count;
  let sum = 0;
  for (let i = 0, at = 0; i < count; i++) {
    for (let d = 0; d < dimensions; d++) sum += ((values[at++] as number) - (mean[d] as number)) ** 2;
  }
  return [mean, sum / (count - 1)];
}

/**
 * Iterates over blocks of the centred X that fit the processor's caches together with their factors: four points, some dimensions from
 * `from` on. The last block is padded with zeros.
 */
function eachPiece(
  { count, dimensions, values }: Points,
  mean: Float64Array,
  use: (piece: Float64Array, length: number, first: number, from: number) => void,
): void {
  const piece = new Float64Array(PIECE_POINTS * PIECE_DIMENSIONS);
  for (let from = 0; from < dimensions; from += PIECE_DIMENSIONS) {
    const length = Math.min(PIECE_DIMENSIONS, dimensions - from);
    for (let first = 0; first < count; first += PIECE_POINTS) {
      if (first + PIECE_POINTS > count) piece.fill(0);
      for (let i = first; i < Math.min(first + PIECE_POINTS, count); i++) {
        const [source, to] = [i * dimensions + from, (i - first) * length];
        for (let k = 0; k < length; k++) {
          piece[to + k] = (values[source + k] as number) - (mean[from + k] as number);
        }
      }
      use(piece, length, first, from);
    }
  }
}

/** Y = X Vᵀ, [count, rows], padded with zeros to whole blocks; `rows` is even. */
function project(points: Points, mean: Float64Array, directions: Float64Array, rows: number) {
  const { count, dimensions } = points;
  const projected = new Float64Array(Math.ceil(count / PIECE_POINTS) * PIECE_POINTS * rows);
  const add = (at: number, sum: number) => {
    projected[at] = (projected[at] as number) + sum;
  };
  eachPiece(points, mean, (piece, length, first, from) => {
    for (let r = 0; r < rows; r += 2) {
      const [p, q] = [r * dimensions + from, (r + 1) * dimensions + from];
      let ap = 0;
      let bp = 0;
      let cp = 0;
      let dp = 0;
      let aq = 0;
      let bq = 0;
      let cq = 0;
      let dq = 0;
      for (let k = 0; k < length; k++) {
        const vp = directions[p + k] as number;
        const vq = directions[q + k] as number;
        const a = piece[k] as number;
        const b = piece[length + k] as number;
        const c = piece[2 * length + k] as number;
        const d = piece[3 * length + k] as number;
        ap += a * vp;
        bp += b * vp;
        cp += c * vp;
        dp += d * vp;
        aq += a * vq;
        bq += b * vq;
        cq += c * vq;
        dq += d * vq;
      }
      const to = first * rows + r;
      add(to, ap);
      add(to + 1, aq);
      add(to + rows, bp);
      add(to + rows + 1, bq);
      add(to + 2 * rows, cp);
      add(to + 2 * rows + 1, cq);
      add(to + 3 * rows, dp);
      add(to + 3 * rows + 1, dq);
    }
  });
  return projected;
}

/** Yᵀ X, [rows, dimensions]. */
function gather(points: Points, mean: Float64Array, projected: Float64Array, rows: number) {
  const { dimensions } = points;
  const sums = new Float64Array(rows * dimensions);
  eachPiece(points, mean, (piece, length, first, from) => {
    for (let r = 0; r < rows; r += 2) {
      const [p, q, at] = [r * dimensions + from, (r + 1) * dimensions + from, first * rows + r];
      const [ap, aq] = [projected[at] as number, projected[at + 1] as number];
      const [bp, bq] = [projected[at + rows] as number, projected[at + rows + 1] as number];
      const [cp, cq] = [projected[at + 2 * rows] as number, projected[at + 2 * rows + 1] as number];
      const [dp, dq] = [projected[at + 3 * rows] as number, projected[at + 3 * rows + 1] as number];
      for (let k = 0; k < length; k++) {
        const a = piece[k] as number;
        const b = piece[length + k] as number;
        const c = piece[2 * length + k] as number;
        const d = piece[3 * length + k] as number;
        sums[p + k] = (sums[p + k] as number) + (ap * a + bp * b + cp * c + dp * d);
        sums[q + k] = (sums[q + k] as number) + (aq * a + bq * b + cq * c + dq * d);
      }
    }
  });
  return sums;
}

interface Turning {
  readonly count: number;
  readonly dimensions: number;
  readonly rows: number;
  readonly kept: number;
  readonly total: number;
}

/** Coordinates along the principal components of the subspace. */
function turned(
  coordinates: Float64Array,
  directions: Float64Array,
  { count, dimensions, rows, kept, total }: Turning,
): PrincipalComponents {
  const covariance = new Array<number>(rows * rows).fill(0);
  for (let i = 0; i < count; i++) {
    for (let p = 0; p < rows; p++) {
      const scaled = (coordinates[i * rows + p] as number) / (count - 1);
      for (let q = 0; q < rows; q++)
        covariance[p * rows + q] =
          (covariance[p * rows + q] as number) + scaled * (coordinates[i * rows + q] as number);
    }
  }
  const { eigenvalues, eigenvectors } = eigenOf(covariance);
  const values = new Float64Array(count * kept);
  for (const [c, vector] of eigenvectors.slice(0, kept).entries()) {
    const sign = signOf(vector, directions, dimensions);
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let r = 0; r < rows; r++) sum += (vector[r] as number) * (coordinates[i * rows + r] as number);
      values[i * kept + c] = sign * sum;
    }
  }
  const explainedVariance = eigenvalues.slice(0, kept).map((value) => (total > 0 ? Math.max(value, 0) / total : 0));
  return { points: { count, dimensions: kept, values }, explainedVariance };
}

/** −1 if the component, a combination of the directions, has a negative largest entry; else 1. */
function signOf(vector: readonly number[], directions: Float64Array, dimensions: number): number {
  let largest = 0;
  for (let k = 0; k < dimensions; k++) {
    let entry = 0;
    for (const [r, weight] of vector.entries()) entry += weight * (directions[r * dimensions + k] as number);
    if (Math.abs(entry) > Math.abs(largest)) largest = entry;
  }
  return largest < 0 ? -1 : 1;
}

/** Orthonormalizes rows by the Gram–Schmidt method, applied twice for accuracy; a linearly dependent row becomes 0. */
function orthonormalize(rows: Float64Array, length: number): void {
  for (let at = 0; at < rows.length; at += length) {
    const row = rows.subarray(at, at + length);
    const before = norm(row);
    for (let pass = 0; pass < 2; pass++) {
      for (let other = 0; other < at; other += length) {
        let product = 0;
        for (let k = 0; k < length; k++) product += (row[k] as number) * (rows[other + k] as number);
        for (let k = 0; k < length; k++) row[k] = (row[k] as number) - product * (rows[other + k] as number);
      }
    }
    const after = norm(row);
    const scale = after > 1e-12 * before ? 1 / after : 0;
    for (let k = 0; k < length; k++) row[k] = scale * (row[k] as number);
  }
}

/** Σ x². */
function sumOfSquares(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}

function norm(values: Float64Array): number {
  return Math.sqrt(sumOfSquares(values));
}
