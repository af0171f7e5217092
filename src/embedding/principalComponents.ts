/**
 * Principal components by subspace iteration. With X the points, their mean taken off, and V a few orthonormal rows:
 *
 *     Y = X Vᵀ;  V ← orthonormal rows of Yᵀ X
 *
 * until the variance within the rows of V, the trace of Yᵀ Y / (n − 1), no longer grows. Its eigenvectors E then turn V into the components Eᵀ V, and Y
 * into the points' coordinates Y E. The covariance itself, which has 16 million entries for 4,096 features, is never made.
 *
 * Source: Halko, Martinsson, Tropp 2011, “Finding structure with randomness”, algorithm 4.4.
 */
import { eigenOf } from "../eigen.ts";
import { fillGaussian, randomStream } from "../random.ts";
import { orthonormalize, sumOfSquares } from "./orthonormalize.ts";
import { type Points, pause, type Watching } from "./points.ts";

/** Points seen along their principal components. */
export interface PrincipalComponents {
  /** The points in these coordinates, the component of the largest variance first; the mean is the origin. */
  readonly points: Points & { readonly values: Float64Array };
  /** Of each component: the share of the variance that lies along it. */
  readonly explainedVariance: readonly number[];
}

/** Rows more than the components that are wanted: the last of those then converge sooner. */
const OVERSAMPLING = 10;
/** The variance grows by less than this share of it. */
const TOLERANCE = 1e-5;
const MOST_STEPS = 50;

/**
 * The coordinates of points along their first components, as many as wanted or as there can be: fewer than points, at most their dimensions. Each
 * component's largest entry is positive.
 *
 * Throws the signal's reason if that is aborted.
 */
export async function principalComponents(
  points: Points,
  wanted: number,
  watching: Watching = {},
): Promise<PrincipalComponents> {
  const { count, dimensions } = points;
  const most = Math.min(count - 1, dimensions);
  const rows = Math.min(wanted + OVERSAMPLING, most);
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
    if (within <= variance * (1 + TOLERANCE)) break;
    variance = within;
    await pause(watching);
    directions = gather(points, coordinates, rows);
    orthonormalize(directions, dimensions);
    watching.onProgress?.(step, MOST_STEPS);
  }
  return turned(coordinates, directions, { count, dimensions, rows, kept: Math.min(wanted, rows), total });
}

/** The mean, and the variance along all dimensions together. */
function momentsOf({ count, dimensions, values }: Points): readonly [mean: Float64Array, total: number] {
  const mean = new Float64Array(dimensions);
  for (let i = 0, at = 0; i < count; i++) {
    for (let d = 0; d < dimensions; d++) mean[d] = (mean[d] as number) + (values[at++] as number);
  }
  // Divided last, so that the mean of equal numbers is that number.
  for (let d = 0; d < dimensions; d++) mean[d] = (mean[d] as number) / count;
  let sum = 0;
  for (let i = 0, at = 0; i < count; i++) {
    for (let d = 0; d < dimensions; d++) sum += ((values[at++] as number) - (mean[d] as number)) ** 2;
  }
  return [mean, sum / (count - 1)];
}

/** Y = X Vᵀ, [count, rows]. Four rows of V at a time: a point is read a quarter as often. */
function project({ count, dimensions, values }: Points, mean: Float64Array, directions: Float64Array, rows: number) {
  const projected = new Float64Array(count * rows);
  for (let i = 0; i < count; i++) {
    const from = i * dimensions;
    for (let r = 0; r < rows; r += 4) {
      const last = rows - 1;
      const [a, b, c, d] = [r, Math.min(r + 1, last), Math.min(r + 2, last), Math.min(r + 3, last)].map(
        (row) => row * dimensions,
      ) as [number, number, number, number];
      let [sa, sb, sc, sd] = [0, 0, 0, 0];
      for (let k = 0; k < dimensions; k++) {
        const value = (values[from + k] as number) - (mean[k] as number);
        sa += value * (directions[a + k] as number);
        sb += value * (directions[b + k] as number);
        sc += value * (directions[c + k] as number);
        sd += value * (directions[d + k] as number);
      }
      const to = i * rows;
      for (const [j, sum] of [sa, sb, sc, sd].entries()) if (r + j < rows) projected[to + r + j] = sum;
    }
  }
  return projected;
}

/** Yᵀ X, [rows, dimensions]: the mean adds nothing to it, since the columns of Y sum to 0. Four points at a time. */
function gather({ count, dimensions, values }: Points, coordinates: Float64Array, rows: number) {
  const sums = new Float64Array(rows * dimensions);
  for (let i = 0; i < count; i += 4) {
    const used = Math.min(4, count - i);
    // Those past the last count nothing.
    const [a, b, c, d] = [0, 1, 2, 3].map((j) => (i + Math.min(j, used - 1)) * dimensions) as [
      number,
      number,
      number,
      number,
    ];
    for (let r = 0; r < rows; r++) {
      const [wa, wb, wc, wd] = [0, 1, 2, 3].map((j) => (j < used ? coordinates[(i + j) * rows + r] : 0)) as [
        number,
        number,
        number,
        number,
      ];
      const to = r * dimensions;
      for (let k = 0; k < dimensions; k++) {
        sums[to + k] =
          (sums[to + k] as number) +
          wa * (values[a + k] as number) +
          wb * (values[b + k] as number) +
          wc * (values[c + k] as number) +
          wd * (values[d + k] as number);
      }
    }
  }
  return sums;
}

interface Turning {
  readonly count: number;
  readonly dimensions: number;
  readonly rows: number;
  readonly kept: number;
  readonly total: number;
}

/** The coordinates along the components that lie in the subspace. */
function turned(
  coordinates: Float64Array,
  directions: Float64Array,
  { count, dimensions, rows, kept, total }: Turning,
): PrincipalComponents {
  const covariance = new Array<number>(rows * rows).fill(0);
  for (let i = 0; i < count; i++) {
    for (let p = 0; p < rows; p++) {
      const share = (coordinates[i * rows + p] as number) / (count - 1);
      for (let q = 0; q < rows; q++)
        covariance[p * rows + q] = (covariance[p * rows + q] as number) + share * (coordinates[i * rows + q] as number);
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

/** −1 if the component, a mixture of the directions, has a negative largest entry; else 1. */
function signOf(vector: readonly number[], directions: Float64Array, dimensions: number): number {
  let largest = 0;
  for (let k = 0; k < dimensions; k++) {
    let entry = 0;
    for (const [r, share] of vector.entries()) entry += share * (directions[r * dimensions + k] as number);
    if (Math.abs(entry) > Math.abs(largest)) largest = entry;
  }
  return largest < 0 ? -1 : 1;
}
