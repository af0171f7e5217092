/** Runs the trials of a sweep in order; resumable. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { openRun } from "../checkpoint/runDirectory.ts";
import { evaluationsOf, loggedNumber, readLog } from "../checkpoint/runLog.ts";
import { AlexNetError, CheckpointError, ConfigError, codeOf, DivergenceError, messageOf } from "../errors.ts";
import { drawSweepFigure } from "../report/charts/sweepFigure.ts";
import { toPng } from "../report/figures/png.ts";
import { parseJsonText, problemsOf } from "../schema.ts";
import { storedPlan } from "../settings/resolve.ts";
import { readRunConfig } from "../settings/runConfig.ts";
import { timeLimit } from "../timeLimit.ts";
import { type TrainCall, trainRun } from "../trainer/trainClassifier.ts";
import type { TrainObserver } from "../trainer/trainObserver.ts";
import { bestOf, isBetter, type Monitor } from "../training/monitor.ts";
import { type SweepPlan, sweepPlanSchema, type Trial, trialsOf } from "./sweepPlan.ts";

/** Result of a trial. Accuracies are fractions. */
const trialResultSchema = z.object({
  number: z.int().positive(),
  /** Name of its run directory in the sweep's directory. */
  run: z.string(),
  values: z.record(z.string(), z.json()),
  /** `failed`: by an error that may be temporary, such as a full disk; the next call tries the trial again. */
  status: z.enum(["finished", "diverged", "failed"]),
  error: z.string().optional(),
  /** The best evaluation by the monitored figure, and the last one. */
  bestAccuracy: loggedNumber.optional(),
  /** Test loss of the best evaluation. */
  bestLoss: loggedNumber.optional(),
  lastAccuracy: loggedNumber.optional(),
  trainLoss: loggedNumber.optional(),
  epochs: z.number().optional(),
});

export type TrialResult = z.infer<typeof trialResultSchema>;

/** Options of a sweep. */
export interface SweepOptions {
  readonly plan: SweepPlan;
  readonly directory: string;
  /** Stop after n minutes of this call. */
  readonly maxMinutes?: number;
  readonly signal?: AbortSignal;
  /** Observer of each run. */
  readonly observer?: TrainObserver;
  /** Called when a trial starts. */
  readonly onTrial?: (trial: Trial, of: number) => void;
  /** Called when a trial ends. */
  readonly onResult?: (result: TrialResult, of: number) => void;
}

/** The trials of a sweep and the best of them. */
export interface SweepResult {
  readonly directory: string;
  readonly end: "finished" | "interrupt" | "time";
  readonly trials: number;
  /** The best first; those without an accuracy last. */
  readonly results: readonly TrialResult[];
  /** Present once all trials are done. */
  readonly figure: string | undefined;
}

/**
 * Trains every trial of a plan in a run directory of its own, in order, and resumes where an earlier call stopped: finished trials are not repeated,
 * and an interrupted one resumes bit-exactly. A trial that diverges or fails is recorded, and the next one starts.
 *
 * Throws ConfigError for an invalid plan, or a directory of another sweep, before any training.
 */
export async function runSweep(options: SweepOptions): Promise<SweepResult> {
  const { plan, directory, maxMinutes, observer, onTrial, onResult } = options;
  const trials = await trialsOf(plan);
  // The time limit interrupts a trial like Ctrl-C: an additional evaluation would be an additional chance of being the best.
  const time = timeLimit(maxMinutes);
  const signal = AbortSignal.any([options.signal, time].filter((one) => one !== undefined));
  const lock = await openRun(directory);
  try {
    await keepPlan(directory, plan, trials);
    const results = new Map((await readResults(directory)).map((result) => [result.number, result]));
    // Trials that monitor different figures are ranked by accuracy.
    const monitor = trials.every(({ plan: { recipe } }) => recipe.monitor === "loss") ? "loss" : "accuracy";
    const finish = (end: SweepResult["end"], figure?: string): SweepResult => {
      return { directory, end, trials: trials.length, results: ranked([...results.values()], monitor), figure };
    };
    for (const trial of trials) {
      const known = results.get(trial.number);
      if (known && known.status !== "failed") continue;
      if (signal.aborted) return finish(time?.aborted ? "time" : "interrupt");
      onTrial?.(trial, trials.length);
      const result = await runTrial(directory, trial, { signal, ...(observer ? { observer } : {}) });
      if (!result) return finish(time?.aborted ? "time" : "interrupt");
      results.set(trial.number, result);
      await writeFileDurably(resultsFile(directory), `${JSON.stringify([...results.values()], undefined, 2)}\n`);
      onResult?.(result, trials.length);
    }
    const figure = join(directory, "sweep.png");
    const { results: sorted } = finish("finished");
    await writeFileDurably(figure, toPng(await drawSweepFigure(sorted)));
    return finish("finished", figure);
  } finally {
    await lock.close();
  }
}

/** Result of a trial; undefined if it is stopped first. */
async function runTrial(
  directory: string,
  { number, values, plan }: Trial,
  options: Pick<TrainCall, "observer"> & { readonly signal: AbortSignal },
): Promise<TrialResult | undefined> {
  const name = `trial-${String(number).padStart(3, "0")}`;
  const run = join(directory, name);
  const command = `alexnet sweep, trial ${number} of ${directory}`;
  try {
    const stored = await readRunConfig(run);
    // A run that has started has its settings in its own config.json.
    const { end } = await trainRun(stored ? await storedPlan(run, stored) : { ...plan, directory: run }, {
      ...options,
      command,
    });
    if (end === "interrupt") return undefined;
    return { number, run: name, values, status: "finished", ...(await figuresOf(run, plan.recipe.monitor)) };
  } catch (error) {
    if (options.signal.aborted && error === options.signal.reason) return undefined;
    if (!(error instanceof AlexNetError)) throw error;
    const [status, reason] =
      error instanceof DivergenceError ? (["diverged", error.reason] as const) : (["failed", error.message] as const);
    return { number, run: name, values, status, error: reason, ...(await figuresOf(run, plan.recipe.monitor)) };
  }
}

async function figuresOf(run: string, monitor: Monitor | undefined): Promise<Partial<TrialResult>> {
  const evaluations = evaluationsOf(await readLog(run));
  const [best, last] = [bestOf(monitor, evaluations), evaluations.at(-1)];
  if (!best || !last) return {};
  return {
    bestAccuracy: best.testAccuracy,
    ...(best.testLoss === undefined ? {} : { bestLoss: best.testLoss }),
    lastAccuracy: last.testAccuracy,
    trainLoss: last.trainLoss,
    epochs: last.epoch,
  };
}

/** Finished trials first, the best by the monitored figure at the top. */
function ranked(results: readonly TrialResult[], monitor: Monitor): readonly TrialResult[] {
  const evaluated = ({ bestAccuracy = -1, bestLoss }: TrialResult) => ({
    testAccuracy: bestAccuracy,
    testLoss: bestLoss,
  });
  const isFinished = ({ status }: TrialResult) => Number(status === "finished");
  const better = (a: TrialResult, b: TrialResult) => Number(isBetter(monitor, evaluated(a), evaluated(b)));
  return results.toSorted(
    (a, b) => isFinished(b) - isFinished(a) || better(b, a) - better(a, b) || a.number - b.number,
  );
}

/**
 * Stores the plan of a new sweep. A plan of another version of the program may lack settings that it left at their defaults, and word sources otherwise.
 * Throws ConfigError if the directory contains another one.
 */
async function keepPlan(directory: string, plan: SweepPlan, trials: readonly Trial[]): Promise<void> {
  const file = join(directory, "sweep.json");
  const stored = await readJson(file, sweepPlanSchema);
  if (!stored) return writeFileDurably(file, `${JSON.stringify(plan, undefined, 2)}\n`);
  if (isDeepStrictEqual(stored, plan) || isDeepStrictEqual(await settingsOfPlan(stored), trials.map(settingsOf)))
    return;
  throw new ConfigError(`${directory}: contains another sweep, see ${file}; resume that one, or choose another --run`);
}

/** Settings of each trial of a stored plan; undefined if they are not valid. */
async function settingsOfPlan(stored: SweepPlan): Promise<readonly unknown[] | undefined> {
  try {
    return (await trialsOf(stored)).map(settingsOf);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** Settings of a trial, without the texts of its network and recipe. */
function settingsOf({ settings: { network, recipe, ...others } }: Trial): unknown {
  return { ...others, network: withoutTexts(network), recipe: withoutTexts(recipe) };
}

function withoutTexts(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return { ...value, source: undefined, deviations: undefined };
}

function resultsFile(directory: string): string {
  return join(directory, "results.json");
}

async function readResults(directory: string): Promise<readonly TrialResult[]> {
  return (await readJson(resultsFile(directory), z.array(trialResultSchema))) ?? [];
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.parse(parseJsonText(await readFile(file, "utf8")));
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    const detail = cause instanceof z.ZodError ? problemsOf(cause) : messageOf(cause);
    throw new CheckpointError(`${file}: not a file of a sweep: ${detail}; choose another --run`, { cause });
  }
}
