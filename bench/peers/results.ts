/** Computes rates and ratios from the times of interleaved rounds. */
import { type Spread, spread } from "../../src/report/tables/spread.ts";
import type { Checked, Timing } from "./protocol.ts";

/** Measurements of one variant. */
export interface Measured {
  readonly precision: string;
  readonly variant: string;
  readonly isPeer: boolean;
  readonly description: string;
  /** For each round, the seconds of each step, and CPU time. */
  readonly rounds: readonly Timing[];
  readonly firstStepSeconds: number;
  readonly peakBytes: number | undefined;
}

/** Images per second of each round, by its median step. */
export function ratesOf({ rounds }: Measured, batchSize: number): readonly number[] {
  return rounds.map(({ seconds }) => batchSize / spread(seconds).median);
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

/** Median CPU seconds of a step, of all threads together; undefined if they are unknown. */
export function cpuSecondsOf({ rounds }: Measured): number | undefined {
  const known = rounds.flatMap(({ seconds, cpuSeconds }) =>
    cpuSeconds === undefined ? [] : [cpuSeconds / seconds.length],
  );
  return known.length > 0 ? spread(known).median : undefined;
}

/**
 * The numbers that differ most from those expected: their name, and the largest difference relative to the largest magnitude expected. A batch of
 * one image has the first image's logits only.
 */
export function largestDifference(actual: Checked, expected: Checked): readonly [name: string, difference: number] {
  let largest: readonly [string, number] = ["", 0];
  for (const [name, numbers] of Object.entries(expected)) {
    const own = actual[name] ?? [];
    const difference = relativeDifference(own, name === "logits" ? numbers.slice(0, own.length) : numbers);
    if (!(difference <= largest[1])) largest = [name, difference];
  }
  return largest;
}

/** The largest difference between two lists, relative to the largest magnitude of the second. */
export function relativeDifference(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length || actual.length === 0) return Number.POSITIVE_INFINITY;
  const largest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest(actual.map((value, i) => value - (expected[i] ?? Number.NaN))) / largest(expected);
}
