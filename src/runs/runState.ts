/** State of a run, read from its directory. Locks and writes nothing, so the run may continue meanwhile. */
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { checkpointFiles, fileExists, foldDirectory, resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import { readDivergence } from "../checkpoint/divergence.ts";
import { loadModel } from "../checkpoint/model.ts";
import { type LogEntry, logStart, readLog, readLogAfter } from "../checkpoint/runLog.ts";
import { directoryHolder } from "../directoryLock.ts";
import { CheckpointError, codeOf, messageOf } from "../errors.ts";
import { foldsIn } from "../model/foldRuns.ts";
import type { ImportedRun, RunFigures, RunState } from "../report/tables/runTable.ts";
import { type RunConfig, readRunConfig } from "../settings/runConfig.ts";
import { collectTail, type LogTail } from "./logTail.ts";
import { reportFile } from "./runReport.ts";

/** A run as stored in its directory, without the lines of its log. */
export interface RunStatus {
  readonly directory: string;
  readonly state: RunState;
  readonly config: RunConfig;
  /** The newest and the best lines of its log. */
  readonly tail: LogTail;
  /** Reason of divergence. */
  readonly divergence: string | undefined;
}

/** A run with its log. */
export interface StoredRun extends RunStatus {
  readonly log: readonly LogEntry[];
}

/**
 * Reads a run directory.
 *
 * Throws CheckpointError if it contains no run or its files cannot be read.
 */
export async function readRun(directory: string): Promise<StoredRun> {
  const config = await configOf(directory);
  const log = await readLog(directory);
  const collector = collectTail(config.recipe);
  for (const entry of log) collector.add(entry);
  return { ...(await statusOf(directory, config, collector.tail())), log };
}

/** Reads a run directory in constant memory. Throws like `readRun`. */
async function readStatus(directory: string): Promise<RunStatus> {
  const config = await configOf(directory);
  const collector = collectTail(config.recipe);
  await readLogAfter(directory, logStart, collector.add);
  return statusOf(directory, config, collector.tail());
}

/** Reads config.json. Throws CheckpointError if there is none. */
export async function configOf(directory: string): Promise<RunConfig> {
  const config = await readRunConfig(directory);
  if (config) return config;
  const problem = (await holdsWeights(directory))
    ? "contains imported weights, not a training run (no settings, no log); use alexnet summary or evaluate"
    : "contains no run (expected config.json); alexnet runs lists runs";
  throw new CheckpointError(`${directory}: ${problem}`);
}

/** Status of a run whose configuration and log are known. */
export async function statusOf(directory: string, config: RunConfig, tail: LogTail): Promise<RunStatus> {
  const divergence = await readDivergence(directory);
  const isDone = tail.isTrained && (await fileExists(reportFile(directory)));
  const stopped = divergence === undefined ? "interrupted" : "diverged";
  const ended = isDone ? "finished" : stopped;
  const state = (await directoryHolder(directory)) === undefined ? ended : "running";
  return { directory, state, config, tail, divergence };
}

/** Figures of a run. */
export function figuresOf({ directory, state, config, tail, divergence }: RunStatus): RunFigures {
  const { network, dataset, recipe, started } = config;
  const { last, lastEvaluation, best } = tail;
  const { epoch = 0, iteration = 0, seconds = 0 } = last ?? {};
  return {
    run: directory,
    state,
    network: network.name,
    dataset: basename(dataset.name),
    epoch,
    epochs: recipe.epochs,
    iteration,
    ...(best ? { bestAccuracy: best.testAccuracy, bestEpoch: best.epoch } : {}),
    ...(best?.testLoss === undefined ? {} : { bestLoss: best.testLoss }),
    ...(lastEvaluation ? { lastAccuracy: lastEvaluation.testAccuracy } : {}),
    ...(lastEvaluation?.testLoss === undefined ? {} : { lastLoss: lastEvaluation.testLoss }),
    ...(last ? { trainLoss: last.trainLoss, trainAccuracy: last.trainAccuracy } : {}),
    ...(seconds > 0 ? { examplesPerSecond: (epoch * dataset.trainImages) / seconds } : {}),
    seconds,
    started,
    ...(divergence === undefined ? {} : { divergence }),
  };
}

/** A run found by `listRuns`, or the reason it is unreadable. */
export type ListedRun = RunFigures | ImportedRun | { readonly run: string; readonly problem: string };

/**
 * Lists the runs directly inside a folder, and the folds of cross-validations in it: imported weights first, then runs by start time. A run directory lists
 * itself.
 *
 * Throws CheckpointError if the folder does not exist.
 */
export async function listRuns(folder: string): Promise<readonly ListedRun[]> {
  if (await isRun(folder)) return [await listed(folder)];
  const names = await readdir(folder).catch((cause: unknown) => {
    const what =
      codeOf(cause) === "ENOENT" ? "no such folder; give the folder that contains the runs" : messageOf(cause);
    throw new CheckpointError(`${folder}: ${what}`, { cause });
  });
  const runs: ListedRun[] = [];
  for (const name of names.sort()) {
    const directory = join(folder, name);
    if (!(await isDirectory(directory))) continue;
    const folds = (await foldsIn(directory)) ?? 0;
    const found = folds > 0 ? Array.from({ length: folds }, (_, i) => foldDirectory(directory, i + 1)) : [directory];
    for (const run of found) if (await isRun(run)) runs.push(await listed(run));
  }
  const startOf = (run: ListedRun) => ("started" in run ? run.started : "");
  return runs.sort((a, b) => startOf(a).localeCompare(startOf(b)));
}

async function listed(directory: string): Promise<ListedRun> {
  try {
    if (!(await fileExists(configFile(directory)))) return await imported(directory);
    return figuresOf(await readStatus(directory));
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return { run: directory, problem: error.message };
  }
}

async function imported(directory: string): Promise<ImportedRun> {
  const { network, classNames } = await loadModel(await resolveModelFile(directory));
  return { run: directory, state: "imported", network: network.name, classes: classNames.length };
}

function configFile(directory: string): string {
  return join(directory, "config.json");
}

async function isRun(directory: string): Promise<boolean> {
  return (await fileExists(configFile(directory))) || (await holdsWeights(directory));
}

async function holdsWeights(directory: string): Promise<boolean> {
  const { best, last, previous } = checkpointFiles(directory);
  for (const file of [best, last, previous]) if (await fileExists(file)) return true;
  return false;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
