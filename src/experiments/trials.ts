/** The trials of one seed of an experiment, their results, and the choice among the values of a search. */
import { join } from "node:path";
import { readLog } from "../checkpoint/runLog.ts";
import { AlexNetError } from "../errors.ts";
import { formatValue } from "../report/tables/sweepTable.ts";
import type { TrialResult } from "../tuning/sweep.ts";
import { type SweepPlan, sweepPlanSchema } from "../tuning/sweepPlan.ts";
import type { SeedResult, Values } from "./armResults.ts";
import type { Arm, Experiment } from "./experiment.ts";
import { type Measure, measures } from "./measures.ts";
import type { ScaledExperiment } from "./scaledExperiment.ts";

/** One run of a seed. */
export interface ArmTrial {
  readonly arm: Arm;
  /** Value of the search; absent without one. */
  readonly value?: number;
  /** Index of the network among those of its arm and seed. */
  readonly network: number;
  readonly values: Values;
}

/** `ReLU, learningRate 0.01, network 2`. */
export function describeTrial({ arm, value, network }: ArmTrial, { search, networks = 1 }: Experiment): string {
  const parts = [
    arm.name,
    ...(search && value !== undefined ? [`${search.key} ${formatValue(value)}`] : []),
    ...(networks > 1 ? [`network ${network + 1}`] : []),
  ];
  return parts.join(", ");
}

/** Trials of a seed: every arm with every value of the search, or with the chosen one. */
export function trialsOfSeed(
  { arms, search, networks = 1, overrides }: Pick<ScaledExperiment, "arms" | "search" | "networks" | "overrides">,
  seed: number,
  chosen: ReadonlyMap<string, number>,
): readonly ArmTrial[] {
  return arms.flatMap((arm) => {
    const value = chosen.get(arm.name);
    const tried = value === undefined ? (search?.values ?? [undefined]) : [value];
    return tried.flatMap((each) =>
      Array.from({ length: networks }, (_, network): ArmTrial => {
        const searched = search && each !== undefined ? { [search.key]: each } : {};
        const values = { ...arm.values, ...searched, ...overrides, seed: seed * networks + network };
        return { arm, network, values, ...(each === undefined ? {} : { value: each }) };
      }),
    );
  });
}

/** Plan of a sweep over trials. */
export function planOf({ base }: Experiment, trials: readonly ArmTrial[]): SweepPlan {
  // The form of sweep.json, which a resumed sweep compares.
  return sweepPlanSchema.parse(JSON.parse(JSON.stringify({ base, trials: trials.map(({ values }) => values) })));
}

/** A trial that ended, with the measures of its log. */
export interface MeasuredTrial extends Pick<SeedResult, "status" | "measures" | "log"> {
  readonly trial: ArmTrial;
  /** Run directory in the output directory. */
  readonly run: string;
}

/** Measures trials by their logs. Throws AlexNetError for a trial that failed. */
export function measureTrials(
  output: string,
  folder: string,
  trials: readonly ArmTrial[],
  results: readonly TrialResult[],
): Promise<readonly MeasuredTrial[]> {
  return Promise.all(
    trials.map(async (trial, i) => {
      const result = results.find(({ number }) => number === i + 1);
      if (!result || result.status === "failed") {
        const problem = result?.error ?? "no result";
        throw new AlexNetError(`${join(output, folder)}: trial ${i + 1} (${trial.arm.name}) failed: ${problem}`);
      }
      const run = join(folder, result.run);
      const log = await readLog(join(output, run));
      const { status } = result;
      return { trial, run, status, log, measures: measuresOf({ log, status }, {}) };
    }),
  );
}

/** Measures of a run: those of its log, and the errors of its evaluations. */
export function measuresOf(
  { log, status }: Pick<SeedResult, "log" | "status">,
  evaluated: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const own = Object.entries<Measure>(measures).flatMap(([name, { of, diverged }]) => {
    const value = status === "diverged" ? diverged : of({ log, evaluated });
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(own), ...evaluated };
}

/** The best value of the search for each arm; empty without a search. */
export function chooseValues({ arms, search }: Experiment, measured: readonly MeasuredTrial[]): Map<string, number> {
  if (!search) return new Map();
  const rankOf = ({ measures: own }: MeasuredTrial) => search.by.map((name) => own[name] ?? Number.POSITIVE_INFINITY);
  return new Map(
    arms.flatMap(({ name }) => {
      const tried = measured.filter(({ trial }) => trial.arm.name === name);
      const best = tried.toSorted((a, b) => compareRanks(rankOf(a), rankOf(b)))[0]?.trial.value;
      return best === undefined ? [] : [[name, best] as const];
    }),
  );
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, i) => value !== b[i]);
  return index < 0 ? 0 : (a[index] as number) < (b[index] as number) ? -1 : 1;
}
