/**
 * Affinity of each of many points to the others, as t-SNE defines it:
 *
 *     p(j|i) = exp(−βᵢ ‖xᵢ − xⱼ‖²) / Σₖ exp(−βᵢ ‖xᵢ − xₖ‖²)
 *     p(i,j) = (p(j|i) + p(i|j)) / 2n
 *
 * over the 3·perplexity points that are nearest to i, and with βᵢ such that −Σⱼ p(j|i) ln p(j|i) = ln(perplexity).
 *
 * Sources: van der Maaten and Hinton 2008, “Visualizing data using t-SNE”, §2 and §3.1; van der Maaten 2014, “Accelerating t-SNE using tree-based
 * algorithms”, §4.1, for the neighbours.
 */
import { type Points, pause, type Watching } from "./points.ts";

/** A symmetric matrix of numbers that sum to 1, of which most are 0: row i has those from `starts[i]` up to `starts[i + 1]`. */
export interface Affinities {
  readonly starts: Uint32Array;
  readonly columns: Uint32Array;
  readonly values: Float64Array;
}

/** Points that are looked at for each, in perplexities. */
export const NEIGHBOURS_PER_PERPLEXITY = 3;
/** Halvings of the interval that βᵢ lies in: more than f64 can tell apart. */
const HALVINGS = 100;

/**
 * The affinities of points, which must be more than 3·perplexity; the perplexity is above 1.
 *
 * Throws the signal's reason if that is aborted.
 */
export async function affinitiesOf(
  points: Points,
  perplexity: number,
  watching: Pick<Watching, "signal"> = {},
): Promise<Affinities> {
  const { count } = points;
  const neighbours = Math.min(Math.floor(NEIGHBOURS_PER_PERPLEXITY * perplexity), count - 1);
  const rows = Array.from({ length: count }, () => new Map<number, number>());
  const add = (i: number, j: number, share: number) => rows[i]?.set(j, (rows[i]?.get(j) ?? 0) + share);
  for (let i = 0; i < count; i++) {
    const { indices, distances } = nearest(points, i, neighbours);
    const shares = conditional(distances, perplexity);
    for (const [k, share] of shares.entries()) {
      add(i, indices[k] as number, share / (2 * count));
      add(indices[k] as number, i, share / (2 * count));
    }
    if (i % 32 === 0) await pause(watching);
  }
  return compressed(rows);
}

/** The points nearest to point i, with the squares of their distances. */
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
  // Among those as far away as the last, the first ones are taken.
  const closer = within.filter((j) => (all[j] as number) < farthest).length;
  let ties = wanted - closer;
  const indices = within.filter((j) => (all[j] as number) < farthest || ties-- > 0);
  return { indices, distances: Float64Array.from(indices, (j) => all[j] as number) };
}

/**
 * p(j|i) of neighbours at these squared distances, so that the entropy is ln(perplexity). Where more neighbours than that are equally near and nearest,
 * none is preferred among them.
 */
export function conditional(distances: Float64Array, perplexity: number): Float64Array {
  const least = distances.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const target = Math.log(perplexity);
  const shares = new Float64Array(distances.length);
  // β in units of the distances, so that it starts near.
  const mean = distances.reduce((sum, distance) => sum + (distance - least) / distances.length, 0);
  let [low, high, beta] = [0, Number.POSITIVE_INFINITY, mean > 0 ? 1 / mean : 1];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const entropy = fillShares(shares, distances, least, beta);
    if (entropy === target) break;
    if (entropy > target) low = beta;
    else high = beta;
    beta = high === Number.POSITIVE_INFINITY ? 2 * beta : (low + high) / 2;
  }
  return shares;
}

/** Fills in the shares of a β and returns their entropy, ln Σ e − Σ e ln e / Σ e. */
function fillShares(shares: Float64Array, distances: Float64Array, least: number, beta: number): number {
  let [sum, weighted] = [0, 0];
  for (let k = 0; k < shares.length; k++) {
    const exponent = beta * ((distances[k] as number) - least);
    const share = Math.exp(-exponent);
    shares[k] = share;
    sum += share;
    if (share > 0) weighted += share * exponent;
  }
  for (let k = 0; k < shares.length; k++) shares[k] = (shares[k] as number) / sum;
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
