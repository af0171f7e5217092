/** Computes rates and ratios from the times of interleaved rounds. */
import { type Spread, spread } from "../../src/report/tables/benchmarkReport.ts";

/** Measurements of one variant. */
export interface Measured {
  readonly precision: string;
  readonly variant: string;
  readonly description: string;
  /** For each round, the seconds of each step. */
  readonly rounds: readonly (readonly number[])[];
  readonly firstStepSeconds: number;
  readonly peakBytes: number | undefined;
}

/** Images per second of each round, by its median step. */
export function ratesOf({ rounds }: Measured, batchSize: number): readonly number[] {
  return rounds.map((steps) => batchSize / spread(steps).median);
}

/** Speed of ours relative to a peer: the ratio of the median rates, and the range of the ratios per round. */
export function speedup(ours: readonly number[], peer: readonly number[]): Spread {
  const { min, max } = spread(ours.map((rate, round) => rate / (peer[round] ?? Number.NaN)));
  return { median: spread(ours).median / spread(peer).median, min, max };
}

/** Variant with the highest median rate. */
export function fastest(measured: readonly Measured[], batchSize: number): Measured | undefined {
  const rate = (of: Measured) => spread(ratesOf(of, batchSize)).median;
  return measured.reduce<Measured | undefined>(
    (best, next) => (best && rate(best) >= rate(next) ? best : next),
    undefined,
  );
}

/** Number of steps that fill a round of about `seconds`; at least one. */
export function stepsFor(seconds: number, stepSeconds: number): number {
  return Math.max(1, Math.round(seconds / stepSeconds));
}

/** Largest difference between two lists of logits, relative to the largest magnitude of the second. */
export function relativeDifference(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const magnitude = Math.max(...expected.map(Math.abs));
  return Math.max(...actual.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN)))) / magnitude;
}
