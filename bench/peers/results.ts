/** From the times of interleaved rounds to rates and ratios. */

/** What was measured of one variant. */
export interface Measured {
  readonly precision: string;
  readonly variant: string;
  readonly description: string;
  /** For each round, seconds of each step. */
  readonly rounds: readonly (readonly number[])[];
  readonly firstStepSeconds: number;
  readonly peakBytes: number | undefined;
}

/** A median with the least and the greatest of what it is the median of. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return { median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

/** Images per second of each round, by its median step. */
export function ratesOf({ rounds }: Measured, batchSize: number): readonly number[] {
  return rounds.map((steps) => batchSize / spreadOf(steps).median);
}

/** How much faster ours is than a peer: the ratio of the median rates, and the range of the ratios within a round. */
export function speedup(ours: readonly number[], peer: readonly number[]): Spread {
  const { min, max } = spreadOf(ours.map((rate, round) => rate / (peer[round] ?? Number.NaN)));
  return { median: spreadOf(ours).median / spreadOf(peer).median, min, max };
}

/** The variant of the highest median rate. */
export function fastest(measured: readonly Measured[], batchSize: number): Measured | undefined {
  const rate = (of: Measured) => spreadOf(ratesOf(of, batchSize)).median;
  return measured.reduce<Measured | undefined>(
    (best, next) => (best && rate(best) >= rate(next) ? best : next),
    undefined,
  );
}

/** How many steps fill a round of about `seconds`, at least one. */
export function stepsFor(seconds: number, stepSeconds: number): number {
  return Math.max(1, Math.round(seconds / stepSeconds));
}

/** The greatest difference between two lists of logits, relative to the greatest magnitude of the second. */
export function relativeDifference(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const magnitude = Math.max(...expected.map(Math.abs));
  return Math.max(...actual.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN)))) / magnitude;
}
