/** Results of an experiment's arms, seed by seed. */
import type { LogEntry } from "../checkpoint/runLog.ts";

/** Values of settings by the keys of a sweep's trial: a setting of `train`, or a path in a recipe. */
export type Values = Readonly<Record<string, unknown>>;

/** A measure of an arm: one of `measures`, or the name of an evaluation. */
export interface Measured {
  readonly arm: string;
  readonly measure: string;
}

/** An arm trained with one seed. */
export interface SeedResult {
  readonly seed: number;
  /** Run directories in the output directory, one per network. */
  readonly runs: readonly string[];
  readonly status: "finished" | "diverged";
  /** Values by measure; infinite for a target that was not reached. */
  readonly measures: Readonly<Record<string, number>>;
  /** Training time of all networks, in seconds. */
  readonly seconds: number;
  /** Log of the first network. */
  readonly log: readonly LogEntry[];
}

/** An arm with the best value of the search. */
export interface ArmResult {
  readonly arm: string;
  readonly series?: string;
  readonly at?: number;
  /** Value of the search; absent without one. */
  readonly chosen?: number;
  readonly values: Values;
  readonly seeds: readonly SeedResult[];
}

/** Values of a measure over the seeds of an arm that have one. */
export function valuesOf(results: readonly ArmResult[], { arm, measure }: Measured): readonly number[] {
  const seeds = results.find((result) => result.arm === arm)?.seeds ?? [];
  return seeds.flatMap(({ measures: own }) => own[measure] ?? []);
}

/** Least and greatest possible value. */
export type Range = readonly [least: number, most: number];

/** Range of a measure with one seed: its value, or above the bound that the run has for a target that it did not reach. */
export function rangeAt(results: readonly ArmResult[], measured: Measured, seed: number): Range {
  const value = valueAt(results, measured, seed) ?? Number.NaN;
  const own = seedAt(results, measured.arm, seed);
  if (Number.isFinite(value) || own?.status !== "finished") return [value, value];
  return [own.log.at(-1)?.epoch ?? 0, value];
}

function seedAt(results: readonly ArmResult[], arm: string, seed: number): SeedResult | undefined {
  return results.find((result) => result.arm === arm)?.seeds.find((each) => each.seed === seed);
}

/** Value of a measure with one seed. */
export function valueAt(results: readonly ArmResult[], { arm, measure }: Measured, seed: number): number | undefined {
  return seedAt(results, arm, seed)?.measures[measure];
}
