/** Runs as a list of what they are and how far they came: nothing is changed, nothing computed. */
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { readConfig } from "../checkpoint/runDirectory.ts";
import { type LogEntry, readLog } from "../checkpoint/runLog.ts";
import { lockHolder } from "../directoryLock.ts";
import { AlexNetError, CheckpointError, codeOf, messageOf } from "../errors.ts";
import { summarize } from "../network/summary.ts";
import type { RunFigures } from "../report/runTables.ts";
import { type RunConfig, runConfigSchema } from "./runConfig.ts";

/** A run, with what it logged. */
export interface RunOverview extends RunFigures {
  readonly config: RunConfig;
  readonly log: readonly LogEntry[];
}

/** What there is in a folder of runs. */
export interface RunList {
  /** In the order in which they were started. */
  readonly runs: readonly RunOverview[];
  /** Why a run cannot be read. */
  readonly problems: readonly string[];
}

/** Reads a run directory. Throws CheckpointError if it is none, or damaged. */
export async function readRun(directory: string): Promise<RunOverview> {
  const config = await readConfig(directory, runConfigSchema);
  if (!config) throw new CheckpointError(`${directory}: expected a run directory, but there is no config.json in it`);
  const log = await readLog(directory);
  const { epochs } = config.recipe;
  const last = log.at(-1);
  const best = log.reduce<LogEntry | undefined>(
    (found, entry) => ((entry.testAccuracy ?? -1) > (found?.testAccuracy ?? -1) ? entry : found),
    undefined,
  );
  const { parameters, macs } = summarize(config.network).totals;
  const holder = await lockHolder(directory);
  // Sums of fractions of epochs end a hair beside.
  const isWhole = (last?.epoch ?? 0) >= epochs - 1e-6;
  return {
    name: directory,
    network: config.network.name,
    dataset: basename(config.dataset.name),
    state: holder !== undefined ? "running" : isWhole ? "finished" : "stopped",
    epochs,
    epoch: last?.epoch ?? 0,
    bestAccuracy: best?.testAccuracy,
    bestEpoch: best?.epoch,
    trainLoss: last?.trainLoss,
    seconds: last?.seconds ?? 0,
    examplesPerSecond: last && last.seconds > 0 ? (last.epoch * config.dataset.trainImages) / last.seconds : undefined,
    parameters,
    macs,
    started: config.started,
    config,
    log,
  };
}

/** All runs in a folder. Folders without a config.json are left out. Throws CheckpointError if the folder cannot be read. */
export async function listRuns(folder: string): Promise<RunList> {
  const runs: RunOverview[] = [];
  const problems: string[] = [];
  for (const name of await namesIn(folder)) {
    const directory = join(folder, name);
    if ((await stat(join(directory, "config.json")).catch(() => undefined)) === undefined) continue;
    try {
      runs.push(await readRun(directory));
    } catch (error) {
      if (!(error instanceof AlexNetError)) throw error;
      problems.push(error.message);
    }
  }
  return { runs: runs.sort((a, b) => Date.parse(a.started) - Date.parse(b.started)), problems };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (cause) {
    const remedy = codeOf(cause) === "ENOENT" ? "; train a network, or name the folder that has runs" : "";
    throw new CheckpointError(`${folder}: expected a folder of runs: ${messageOf(cause)}${remedy}`, { cause });
  }
}
