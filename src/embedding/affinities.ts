/**
 * Affinities of points in t-SNE:
 *
 *     p(j|i) = exp(−βᵢ ‖xᵢ − xⱼ‖²) / Σₖ exp(−βᵢ ‖xᵢ − xₖ‖²)
 *     p(i,j) = (p(j|i) + p(i|j)) / 2n
 *
 * over the 3·perplexity nearest points of i, with βᵢ such that −Σⱼ p(j|i) ln p(j|i) = ln(perplexity).
 *
 * Sources: van der Maaten and Hinton 2008, “Visualizing data using t-SNE”, §2 and §3.1; van der Maaten 2014, “Accelerating t-SNE using
 * tree-based algorithms”, §4.1, for the neighbours.
 */
import { type Points, pause, type Watching } from "./points.ts";

/** A sparse symmetric matrix whose entries sum to 1. Row i is stored from `starts[i]` up to `starts[i + 1]`. */
export interface Affinities {
  readonly starts: Uint32Array;
  readonly columns: Uint32Array;
  readonly values: Float64Array;
}

/** Number of neighbours per point, in multiples of the perplexity. */
export const NEIGHBOURS_PER_PERPLEXITY = 3;
/** Bisection steps for βᵢ, beyond the resolution of f64. */
const HALVINGS = 100;

/**
 * Computes the affinities of more than 3·perplexity points; the perplexity is above 1.
 *
 * Throws the signal's reason on abort.
 */
export async function affinitiesOf(
  points: Points,
  perplexity: number,
  watching: Pick<Watching, "signal"> = {},
): Promise<Affinities> {
  const { count } = points;
  const neighbours = Math.min(Math.floor(NEIGHBOURS_PER_PERPLEXITY * perplexity), count - 1);
  const rows = Array.from({ length: count }, () => new Map<number, number>());
  const add = (i: number, j: number, probability: number) => rows[i]?.set(j, (rows[i]?.get(j) ?? 0) + probability);
  for (let i = 0; i < count; i++) {
    const { indices, distances } = nearest(points, i, neighbours);
    const probabilities = conditional(distances, perplexity);
    for (const [k, probability] of probabilities.entries()) {
      add(i, indices[k] as number, probability / (2 * count));
      add(indices[k] as number, i, probability / (2 * count));
    }
    if (i % 32 === 0) await pause(watching);
  }
  return compressed(rows);
}

/** The nearest points of point i, with squared distances. */
function nearest({ count, dimensions, values }: Points, i: number, wanted: number) {
  const all = new Float64Array(count);
  for (let j = 0; j < count; j++) {
    let sum = 0;
    for (let d = 0; d < dimensions; d++) {
      sum += ((values[i * dimensions + d] as number) - (values[j * dimensions + d] as number)) ** 2;
    }
    all[j] = sum;
  }
  all[i] = Number.POSITIVE_INFINITY;
  const farthest = all.slice().sort()[wanted - 1] as number;
  const within = Array.from(all.keys()).filter((j) => (all[j] as number) <= farthest);
  // Ties at the largest distance are resolved by index.
  const closer = within.filter((j) => (all[j] as number) < farthest).length;
  let ties = wanted - closer;
  const indices = within.filter((j) => (all[j] as number) < farthest || ties-- > 0);
  return { indices, distances: Float64Array.from(indices, (j) => all[j] as number) };
}

/**
 * p(j|i) for the given squared distances, with entropy ln(perplexity). If more neighbours than the perplexity are tied as nearest, they get
 * equal probabilities.
 */
export function conditional(distances: Float64Array, perplexity: number): Float64Array {
  const least = distances.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const target = Math.log(perplexity);
  const probabilities = new Float64Array(distances.length);
  // Start β at the scale of the distances.
  const mean = distances.reduce((sum, distance) => sum + (distance - least) / distances.length, 0);
  let [low, high, beta] = [0, Number.POSITIVE_INFINITY, mean > 0 ? 1 / mean : 1];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const entropy = fillProbabilities(probabilities, distances, least, beta);
    if (entropy === target) break;
    if (entropy > target) low = beta;
    else high = beta;
    beta = high === Number.POSITIVE_INFINITY ? 2 * beta : (low + high) / 2;
  }
  return probabilities;
}

/** Computes the probabilities for a β and returns their entropy, ln Σ e − Σ e ln e / Σ e. */
function fillProbabilities(probabilities: Float64Array, distances: Float64Array, least: number, beta: number): number {
  let [sum, weighted] = [0, 0];
  for (let k = 0; k < probabilities.length; k++) {
    const exponent = beta * ((distances[k] as number) - least);
    const probability = Math.exp(-exponent);
    probabilities[k] = probability;
    sum += probability;
    if (probability > 0) weighted += probability * exponent;
  }
  for (let k = 0; k < probabilities.length; k++) probabilities[k] = (probabilities[k] as number) / sum;
  return Math.log(sum) + weighted / sum;
}

function compressed(rows: readonly ReadonlyMap<number, number>[]): Affinities {
  const starts = new Uint32Array(rows.length + 1);
  for (const [i, row] of rows.entries()) starts[i + 1] = (starts[i] as number) + row.size;
  const columns = new Uint32Array(starts[rows.length] as number);
  const values = new Float64Array(columns.length);
  for (const [i, row] of rows.entries()) {
    let at = starts[i] as number;
    for (const [column, value] of row) {
      columns[at] = column;
      values[at++] = value;
    }
  }
  return { starts, columns, values };
}
