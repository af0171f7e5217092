/** Runs an experiment: its trials seed by seed, its evaluations, and its page; resumable. */
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { openRun } from "../checkpoint/runDirectory.ts";
import { storedDataset } from "../dataset/sources/datasets.ts";
import type { EngineName } from "../engine/select/engineNames.ts";
import { ConfigError, codeOf, DataError, messageOf } from "../errors.ts";
import { parseJsonText } from "../schema.ts";
import { timeLimit } from "../timeLimit.ts";
import type { TrainObserver } from "../trainer/trainObserver.ts";
import { runSweep } from "../tuning/sweep.ts";
import type { ArmResult, SeedResult } from "./armResults.ts";
import { evaluateSeed } from "./evaluations.ts";
import { DEFAULT_SEEDS } from "./experiment.ts";
import { findExperiment } from "./experiments.ts";
import { type ExperimentResult, writeResults } from "./report.ts";
import { type Changes, type ScaledExperiment, scaled } from "./scaledExperiment.ts";
import {
  chooseValues,
  describeTrial,
  type MeasuredTrial,
  measuresOf,
  measureTrials,
  planOf,
  trialsOfSeed,
} from "./trials.ts";

/** Options of an experiment. */
export interface ReproduceOptions extends Changes {
  /** Directory of the page, the results and the runs. */
  readonly output: string;
  /** Number of seeds, 0, 1, 2 … Default: 3, or 1 with `quick`. A finished experiment can be continued with more. */
  readonly seeds?: number;
  /** Stop after n minutes of this call. */
  readonly maxMinutes?: number;
  readonly signal?: AbortSignal;
  /** Observer of each run. */
  readonly observer?: TrainObserver;
  /** Called when a trial starts, with its arm and settings in words, the seed, and the number of trials of that seed. */
  readonly onTrial?: (
    trial: { readonly number: number; readonly name: string; readonly seed: number },
    of: number,
  ) => void;
  /** Called when a trial ends. */
  readonly onResult?: (result: { readonly number: number; readonly status: string }, of: number) => void;
  /** Command line to record. */
  readonly command?: string;
}

/** State of an experiment after a call. */
export interface Reproduction {
  readonly output: string;
  readonly end: "finished" | "interrupt" | "time";
  /** Results of the seeds that are complete; absent before the first is. */
  readonly result?: ExperimentResult;
  /** Path of the page; absent before the first seed is complete. */
  readonly page?: string;
}

/**
 * Runs an experiment of the paper or of the document, and writes its page, figures and results after each complete seed. The same call resumes one
 * that was stopped.
 *
 * Throws UsageError for an unknown name, listing near ones, and for options that contradict the experiment; ConfigError for a directory of another experiment; DataError for a missing data set.
 */
export async function reproduce(name: string, options: ReproduceOptions): Promise<Reproduction> {
  const { output, quick = false, maxMinutes, command = `reproduce("${name}")` } = options;
  const { seeds = quick ? 1 : DEFAULT_SEEDS } = options;
  const experiment = scaled(findExperiment(name), options);
  await refuseOtherFiles(output);
  await requireData(experiment, options);
  const lock = await openRun(output);
  try {
    await keepIdentity(output, experiment, quick);
    const images = await madeImages(experiment, output, quick);
    const time = timeLimit(maxMinutes);
    const signal = AbortSignal.any([options.signal, time].filter((one) => one !== undefined));
    const call: SeedCall = {
      ...options,
      experiment: { ...experiment, base: { ...experiment.base, ...images } },
      signal,
    };
    let written: Pick<Reproduction, "result" | "page"> = {};
    let results: readonly ArmResult[] = [];
    const chosen = new Map<string, number>();
    for (let seed = 0; seed < seeds; seed++) {
      const done = await runSeed(call, seed, chosen);
      if (!done) return { output, end: time?.aborted ? "time" : "interrupt", ...written };
      results = joined(results, done);
      written = await writeResults(output, { experiment: call.experiment, results, command, quick });
    }
    return { output, end: "finished", ...written };
  } finally {
    await lock.close();
  }
}

/** One call of an experiment. */
interface SeedCall extends ReproduceOptions {
  readonly experiment: ScaledExperiment;
  readonly signal: AbortSignal;
}

/** Trains and evaluates a seed; adds the values that the first seed chooses to `chosen`. Undefined if it was stopped. */
async function runSeed(
  call: SeedCall,
  seed: number,
  chosen: Map<string, number>,
): Promise<readonly ArmResult[] | undefined> {
  const { experiment, output, signal, observer, onTrial, onResult } = call;
  const folder = `seed-${seed}`;
  const trials = trialsOfSeed(experiment, seed, chosen);
  const nameOf = (number: number) => describeTrial(trials[number - 1] as (typeof trials)[number], experiment);
  const sweep = await runSweep({
    plan: planOf(experiment, trials),
    directory: join(output, folder),
    signal,
    ...(observer ? { observer } : {}),
    onTrial: ({ number }, of) => onTrial?.({ number, name: nameOf(number), seed }, of),
    ...(onResult ? { onResult } : {}),
  });
  if (sweep.end !== "finished") return undefined;
  const measured = await measureTrials(output, folder, trials, sweep.results);
  for (const [arm, value] of chooseValues(experiment, measured)) if (!chosen.has(arm)) chosen.set(arm, value);
  const best = measured.filter(({ trial }) => trial.value === chosen.get(trial.arm.name));
  const evaluated = await evaluateSeed(experiment, best, {
    ...openingOf(experiment),
    folder: join(output, folder),
    output,
    signal,
    onProgress: observer?.onEvaluationProgress?.bind(observer),
  });
  if (!evaluated) return undefined;
  return experiment.arms.map((arm): ArmResult => {
    const own = best.filter(({ trial }) => trial.arm.name === arm.name);
    return armResult(own, seed, evaluated[arm.name] ?? {});
  });
}

/** Result of an arm with one seed, by its first network. */
function armResult(
  own: readonly MeasuredTrial[],
  seed: number,
  evaluated: Readonly<Record<string, number>>,
): ArmResult {
  const { trial, log } = own[0] as MeasuredTrial;
  const { arm, value, values } = trial;
  const status: SeedResult["status"] = own.some((each) => each.status === "diverged") ? "diverged" : "finished";
  const { seed: _seed, ...settings } = values;
  return {
    arm: arm.name,
    ...(arm.series === undefined ? {} : { series: arm.series }),
    ...(arm.at === undefined ? {} : { at: arm.at }),
    ...(value === undefined ? {} : { chosen: value }),
    values: settings,
    seeds: [
      {
        seed,
        runs: own.map(({ run }) => run),
        status,
        measures: measuresOf({ log, status }, evaluated),
        seconds: own.reduce((sum, each) => sum + (each.log.at(-1)?.seconds ?? 0), 0),
        log,
      },
    ],
  };
}

/** Results of earlier seeds with those of another one. */
function joined(results: readonly ArmResult[], added: readonly ArmResult[]): readonly ArmResult[] {
  return added.map((result) => ({
    ...result,
    seeds: [...(results.find(({ arm }) => arm === result.arm)?.seeds ?? []), ...result.seeds],
  }));
}

/** Engine and threads of evaluations, if the settings name them. */
function openingOf({ base, overrides }: ScaledExperiment): { readonly engine?: EngineName; readonly threads?: number } {
  const { engine, threads } = { ...base, ...overrides };
  return {
    ...(engine === undefined ? {} : { engine: engine as EngineName }),
    ...(threads === undefined ? {} : { threads: threads as number }),
  };
}

const IDENTITY = "experiment.json";

/** Throws ConfigError for a folder with files that are not an experiment's. */
async function refuseOtherFiles(output: string): Promise<void> {
  const names = await readdir(output).catch((error: unknown): string[] => {
    if (codeOf(error) === "ENOENT") return [];
    throw new ConfigError(`${output}: ${messageOf(error)}`, { cause: error });
  });
  const others = names.filter((name) => !name.startsWith("lock-"));
  if (others.length === 0 || others.includes(IDENTITY)) return;
  throw new ConfigError(`${output}: contains other files, such as ${others[0]}; choose a new directory with --output`);
}

/** Stores what the directory contains, or throws ConfigError if that is another experiment or has other settings. */
async function keepIdentity(
  output: string,
  { name, overrides, search, arms }: ScaledExperiment,
  quick: boolean,
): Promise<void> {
  const file = join(output, IDENTITY);
  const identity = { name, quick, settings: overrides, search: search?.values, arms: arms.map((arm) => arm.name) };
  const text = JSON.stringify(identity, undefined, 2);
  const stored = await readFile(file, "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new ConfigError(`${file}: ${messageOf(error)}`, { cause: error });
  });
  if (stored === undefined) return writeFileDurably(file, `${text}\n`);
  const known = parseJsonText(stored) as { readonly name?: unknown };
  if (isDeepStrictEqual(known, JSON.parse(text))) return;
  const what = known.name === name ? `${name} with other settings` : `the experiment ${String(known.name)}`;
  throw new ConfigError(`${output}: contains ${what}, see ${file}; choose another directory with --output`);
}

/** Throws DataError, with the remedy, for a named data set that is neither on this machine nor can be downloaded. */
async function requireData(
  { name, needs, base, overrides }: ScaledExperiment,
  { signal, observer }: ReproduceOptions,
): Promise<void> {
  const dataset = overrides["dataset"];
  const dataDir = overrides["dataDir"] ?? base.dataDir;
  for (const each of typeof dataset === "string" ? [dataset] : needs) {
    const source = await storedDataset(each);
    const located = typeof dataDir === "string" ? { dataDir } : {};
    if (await source.locate(located)) continue;
    try {
      const onProgress = observer?.onDownload?.bind(observer);
      (await source.load({ ...located, signal, onProgress })).close?.();
    } catch (cause) {
      if (!(cause instanceof DataError)) throw cause;
      throw new DataError(`reproduce ${name}: the data set ${each} is missing. ${cause.message}`, { cause });
    }
  }
}

/** Writes the images that an experiment makes, unless the settings name others. Returns the setting of the data set. */
async function madeImages(
  { makeImages, overrides }: ScaledExperiment,
  output: string,
  quick: boolean,
): Promise<{ readonly dataset?: string }> {
  if (!makeImages || overrides["dataset"] !== undefined) return {};
  const dataset = join(resolve(output), "images");
  await makeImages(dataset, quick ? "quick" : "full");
  return { dataset };
}
