/** What is to be seen of a run that another process trains. Only reads, and computes little: see `createLiveRun`. */
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { directoryHolder } from "../directoryLock.ts";
import { findFirstKernels, readKernels } from "../explain/filterFigure.ts";
import { encodePng } from "../image/files/decode.ts";
import { drawCurves } from "../report/charts/curves.ts";
import { drawPace } from "../report/charts/paceChart.ts";
import { tile } from "../report/figures/tiles.ts";
import { percent } from "../report/pages/htmlParts.ts";
import {
  type LiveData,
  type LiveFigures,
  type LivePieces,
  livePieces,
  renderLivePage,
} from "../report/pages/livePage.ts";
import { figuresOf, readRun, type StoredRun } from "./runState.ts";

/** What is shown at some moment, and what it is called. */
export interface LiveView {
  readonly version: string;
  readonly page: string;
  readonly pieces: LivePieces;
}

/** A run as it is looked at. */
export interface LiveRun {
  /** What is to be seen now. Throws CheckpointError if the run's files cannot be read. */
  view(): Promise<LiveView>;
}

/** What this process may take of one core: a page that takes 0.1 s is not drawn again for 10 s. */
const SHARE_OF_TIME = 0.01;
/** Milliseconds, however many readers there are to answer. */
const LONGEST_WAIT = 60_000;

/**
 * Looks at a run directory, in which there need not be a run yet.
 *
 * It is drawn when somebody looks and something has changed since; and so seldom that this process, drawing and answering, takes at most
 * `shareOfTime` of one core, since a training on all cores waits for the slowest of them.
 */
export async function createLiveRun(directory: string, { shareOfTime = SHARE_OF_TIME } = {}): Promise<LiveRun> {
  // What drawing needs is loaded first: that takes longer than drawing, and would put off the next one.
  await bothCurves([], "");
  let drawn: Promise<LiveView> | undefined;
  let shown: RunStamp = { version: "", isTrained: false };
  let began = 0;
  let usage = process.cpuUsage();
  const isTime = () => {
    const { user, system } = process.cpuUsage(usage);
    const elapsed = performance.now() - began;
    return elapsed >= LONGEST_WAIT || (user + system) / 1000 <= shareOfTime * elapsed;
  };
  return {
    async view() {
      const stamp = await stampOf(directory);
      // The last view of a run that has ended takes nothing from it.
      const hasEnded = shown.isTrained && !stamp.isTrained;
      if (drawn && (stamp.version === shown.version || !(hasEnded || isTime()))) return drawn;
      shown = stamp;
      began = performance.now();
      usage = process.cpuUsage();
      drawn = draw(directory, stamp.version);
      try {
        return await drawn;
      } catch (error) {
        drawn = undefined;
        throw error;
      }
    },
  };
}

interface RunStamp {
  /** Differs whenever there is something new: sizes and times of files, and the process that trains. */
  readonly version: string;
  /** Whether a process trains it. */
  readonly isTrained: boolean;
}

async function stampOf(directory: string): Promise<RunStamp> {
  const files = ["config.json", "log.jsonl", "diverged.txt", "report.html", basename(checkpointFiles(directory).last)];
  const parts = await Promise.all(
    files.map(async (name) => {
      const found = await stat(join(directory, name)).catch(() => undefined);
      return found ? `${found.size}.${Math.round(found.mtimeMs)}` : "";
    }),
  );
  const holder = (await fileExists(directory)) ? await directoryHolder(directory) : undefined;
  return { version: [...parts, holder ?? ""].join("-"), isTrained: holder !== undefined };
}

async function draw(directory: string, version: string): Promise<LiveView> {
  const data = (await fileExists(join(directory, "config.json")))
    ? await dataOf(await readRun(directory))
    : await waitingData(directory);
  const pieces = livePieces(data);
  return { version, pieces, page: renderLivePage(data, pieces, version) };
}

/** Before a run has begun, while a data set is downloaded or packed. */
async function waitingData(directory: string): Promise<LiveData> {
  const title = basename(directory);
  return {
    title,
    directory,
    status: "Getting ready: data are loaded, downloaded or packed, and the network is compiled.",
    figures: { epoch: 0, epochs: 0, iteration: 0, seconds: 0, watched: "test" },
    curves: await bothCurves([], title),
    command: "",
  };
}

async function dataOf(run: StoredRun): Promise<LiveData> {
  const { directory, config, log } = run;
  const title = `${config.network.name} on ${basename(config.dataset.name)}`;
  const filters = await newestFilters(run);
  return {
    title,
    directory,
    status: statusOf(run),
    figures: await liveFigures(run),
    curves: await bothCurves(log, title),
    ...(log.length > 0 ? { pace: await drawPace(log, title) } : {}),
    ...(filters ? { filters } : {}),
    command: config.command,
  };
}

/** Those of the first layer in the newest checkpoint, a pixel for each weight; undefined if there are none to be seen. */
async function newestFilters({ directory, config }: StoredRun): Promise<LiveData["filters"]> {
  const { last } = checkpointFiles(directory);
  const first = findFirstKernels(config.network);
  if (!first || !(await fileExists(last))) return undefined;
  const kernels = await withReader(last, (reader) => readKernels(reader, first));
  const [count, , height, width] = first.shape;
  // Twice as wide as high.
  const image = tile(kernels, Math.round(Math.sqrt(2 * count)), 1);
  return { png: await encodePng(image), count, size: `${height}×${width}` };
}

async function bothCurves(log: StoredRun["log"], title: string): Promise<LiveData["curves"]> {
  const [wide, narrow] = [drawCurves(log, { title, format: "wide" }), drawCurves(log, { title, format: "narrow" })];
  return { wide: await wide, narrow: await narrow };
}

/** Changes with the state and with each evaluation only: a screen reader reads it out. */
function statusOf(run: StoredRun): string {
  const { lastAccuracy, bestAccuracy = 0, bestEpoch = 0 } = figuresOf(run);
  const states: Readonly<Record<StoredRun["state"], string>> = {
    running: "Training.",
    finished: "Finished: report.html in its directory has more.",
    interrupted: "Stopped before its end; go on with --resume.",
    diverged: `Diverged. ${run.divergence ?? ""}`,
  };
  const { watched } = run.config.dataset;
  const tested =
    lastAccuracy === undefined
      ? ""
      : ` ${percent(lastAccuracy)} of the ${watched} images right, best ${percent(bestAccuracy)} after epoch ${Number(bestEpoch.toFixed(2))}.`;
  return states[run.state] + tested;
}

async function liveFigures(run: StoredRun): Promise<LiveFigures> {
  const { config, log, directory, state } = run;
  const { epoch, epochs, iteration, trainLoss, trainAccuracy, lastAccuracy, bestAccuracy, seconds } = figuresOf(run);
  const last = log.at(-1);
  const saved = (await stat(checkpointFiles(directory).last).catch(() => undefined))?.mtime;
  return {
    epoch,
    epochs,
    iteration,
    ...(trainLoss === undefined ? {} : { trainLoss }),
    ...(trainAccuracy === undefined ? {} : { trainAccuracy }),
    ...(lastAccuracy === undefined ? {} : { testAccuracy: lastAccuracy }),
    ...(bestAccuracy === undefined ? {} : { bestAccuracy }),
    ...(last ? { examplesPerSecond: last.examplesPerSecond } : {}),
    seconds,
    ...(last && state === "running"
      ? { secondsLeft: ((epochs - epoch) * config.dataset.trainImages) / last.examplesPerSecond }
      : {}),
    ...(saved ? { saved } : {}),
    watched: config.dataset.watched,
  };
}
