/** Live view of a run that another process trains. Read-only and cheap, see `createLiveRun`. */
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { type LogPosition, logStart, readLogAfter } from "../checkpoint/runLog.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { directoryHolder } from "../directoryLock.ts";
import { CheckpointError } from "../errors.ts";
import { readKernels } from "../explain/filterFigure.ts";
import { findFirstKernels } from "../explain/firstKernels.ts";
import { encodePng } from "../image/files/decode.ts";
import { accuracyNameOf } from "../report/accuracyName.ts";
import { type CurveCollector, type Curves, collectCurves, curvesOf } from "../report/charts/curveSeries.ts";
import { type CurveOptions, drawCurves } from "../report/charts/curves.ts";
import { collectPace, drawPace, type PaceCollector } from "../report/charts/paceChart.ts";
import { tile } from "../report/figures/tiles.ts";
import { formatEpoch } from "../report/numbers.ts";
import { type CurvesFigure, describeCurves, percent } from "../report/pages/htmlParts.ts";
import {
  type LiveData,
  type LiveFigures,
  type LivePieces,
  livePieces,
  renderLivePage,
} from "../report/pages/livePage.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import { changesSmoothly } from "../training/schedule.ts";
import { collectTail, type TailCollector } from "./logTail.ts";
import { curveOptionsOf } from "./runReport.ts";
import { configOf, figuresOf, type RunStatus, statusOf } from "./runState.ts";

/** One state of the view, and its version. */
export interface LiveView {
  readonly version: string;
  readonly page: string;
  readonly pieces: LivePieces;
}

/** A live view. */
export interface LiveRun {
  /** Returns the current view. Throws CheckpointError if the run's files cannot be read. */
  view(): Promise<LiveView>;
}

/** Maximum fraction of one core used: a page that takes 0.1 s is redrawn after 10 s at the earliest. */
const FRACTION_OF_TIME = 0.01;
/** Maximum time between updates in milliseconds, however long one takes. */
const LONGEST_WAIT = 60_000;

/**
 * Opens a live view of a run directory, which may not contain a run yet.
 *
 * The view is redrawn only on request and only if something changed. Drawing and answering are throttled to the fraction `fractionOfTime` of
 * one core, because training on all cores waits for the slowest of them.
 */
export async function createLiveRun(directory: string, { fractionOfTime = FRACTION_OF_TIME } = {}): Promise<LiveRun> {
  // Load the drawing code first: it takes longer than drawing and would delay the next view.
  await bothCurves(curvesOf([]), { title: "" });
  const follow = createLogFollower(directory);
  let drawn: Promise<LiveView> | undefined;
  let shown: RunStamp = { version: "", isTrained: false };
  let began = 0;
  let usage = process.cpuUsage();
  const isTime = () => {
    const { user, system } = process.cpuUsage(usage);
    const elapsed = performance.now() - began;
    return elapsed >= LONGEST_WAIT || (user + system) / 1000 <= fractionOfTime * elapsed;
  };
  return {
    async view() {
      const stamp = await stampOf(directory);
      // A finished run needs no throttling.
      const hasEnded = shown.isTrained && !stamp.isTrained;
      if (drawn && (stamp.version === shown.version || !(hasEnded || isTime()))) return drawn;
      shown = stamp;
      began = performance.now();
      usage = process.cpuUsage();
      drawn = draw(directory, stamp.version, follow);
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
  /** Version of the files: changes with their sizes and times, and with the training process. */
  readonly version: string;
  /** True if a process trains the run. */
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

/** Figures and curves of a log, accumulated as the log grows. */
interface FollowedLog {
  /** Settings of the run whose log it is, to recognize another run in the same directory. */
  readonly started: string;
  readonly tail: TailCollector;
  readonly curves: CurveCollector;
  readonly pace: PaceCollector;
}

/** A followed log, and the position up to which it is read. */
interface LogReading {
  readonly log: FollowedLog;
  readonly position: LogPosition;
}

function startReading({ started, recipe }: RunConfig): LogReading {
  const isSmooth = (epoch: number) => changesSmoothly(recipe, epoch);
  const log = { started, tail: collectTail(recipe), curves: collectCurves(), pace: collectPace(isSmooth) };
  return { log, position: logStart };
}

/** Follows the log of a run: reads each line once, and starts over if the log was rewritten. */
function createLogFollower(directory: string): (config: RunConfig) => Promise<FollowedLog> {
  let reading: LogReading | undefined;
  const readNew = async ({ log, position }: LogReading) => {
    // After a failure the collectors may hold lines beyond the position, so the next view starts over.
    reading = undefined;
    const next = await readLogAfter(directory, position, (entry) => {
      log.tail.add(entry);
      log.curves.add(entry);
      log.pace.add(entry);
    });
    if (next) reading = { log, position: next };
    return next && log;
  };
  return async (config) => {
    const known = reading?.log.started === config.started ? reading : undefined;
    const log = (known && (await readNew(known))) ?? (await readNew(startReading(config)));
    if (!log) throw new CheckpointError(`${directory}: log.jsonl was rewritten while it was read`);
    return log;
  };
}

async function draw(
  directory: string,
  version: string,
  follow: (config: RunConfig) => Promise<FollowedLog>,
): Promise<LiveView> {
  const data = (await fileExists(join(directory, "config.json")))
    ? await dataOf(directory, follow)
    : await waitingData(directory);
  const pieces = livePieces(data);
  return { version, pieces, page: renderLivePage(data, pieces, version) };
}

/** View before the run starts, while a data set is downloaded or packed. */
async function waitingData(directory: string): Promise<LiveData> {
  const title = basename(directory);
  return {
    title,
    directory,
    status: "Preparing: downloading or loading the data set, compiling the network.",
    figures: { epoch: 0, epochs: 0, iteration: 0, seconds: 0, watched: "test", accuracy: accuracyNameOf(false).full },
    curves: await bothCurves(curvesOf([]), { title }),
    command: "",
  };
}

async function dataOf(directory: string, follow: (config: RunConfig) => Promise<FollowedLog>): Promise<LiveData> {
  const config = await configOf(directory);
  const { tail, curves, pace } = await follow(config);
  const run = await statusOf(directory, config, tail.tail());
  const options = curveOptionsOf(config);
  const { title } = options;
  const filters = await newestFilters(run);
  return {
    title,
    directory,
    status: statusText(run),
    figures: await liveFigures(run),
    curves: await bothCurves(curves.curves(), options),
    ...(run.tail.last ? { pace: await drawPace(pace.pace(), title) } : {}),
    ...(filters ? { filters } : {}),
    command: config.command,
  };
}

/** Kernels of the first layer in the newest checkpoint, one pixel per weight; undefined if they cannot be drawn. */
async function newestFilters({ directory, config }: RunStatus): Promise<LiveData["filters"]> {
  const { last } = checkpointFiles(directory);
  const first = findFirstKernels(config.network);
  if (!first || !(await fileExists(last))) return undefined;
  const kernels = await withReader(last, (reader) => readKernels(reader, first));
  const [count, , height, width] = first.shape;
  // Twice as wide as high.
  const image = tile(kernels, Math.round(Math.sqrt(2 * count)), 1);
  return { png: await encodePng(image), count, size: `${height}×${width}` };
}

async function bothCurves(curves: Curves, options: Omit<CurveOptions, "format">): Promise<CurvesFigure> {
  const [wide, narrow] = [
    drawCurves(curves, { ...options, format: "wide" }),
    drawCurves(curves, { ...options, format: "narrow" }),
  ];
  const { accuracy = accuracyNameOf(false) } = options;
  return { wide: await wide, narrow: await narrow, description: describeCurves(accuracy) };
}

/** Status sentence. Changes only with the state and with evaluations, because screen readers announce it. */
function statusText(run: RunStatus): string {
  const { lastAccuracy, bestAccuracy = 0, bestEpoch = 0 } = figuresOf(run);
  const states: Readonly<Record<RunStatus["state"], string>> = {
    running: "Training.",
    finished: "Finished: see report.html in its directory.",
    interrupted: "Interrupted; add --resume to continue.",
    diverged: `Diverged. ${run.divergence ?? ""}`,
  };
  const { watched } = run.config.dataset;
  const { full } = curveOptionsOf(run.config).accuracy;
  const tested =
    lastAccuracy === undefined
      ? ""
      : ` ${full[0]?.toUpperCase()}${full.slice(1)} on the ${watched} images ${percent(lastAccuracy)}, best ${percent(bestAccuracy)} after epoch ${formatEpoch(bestEpoch)}.`;
  return states[run.state] + tested;
}

async function liveFigures(run: RunStatus): Promise<LiveFigures> {
  const { config, tail, directory, state } = run;
  const { epoch, epochs, iteration, trainLoss, trainAccuracy, lastAccuracy, bestAccuracy, seconds } = figuresOf(run);
  const { last } = tail;
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
    accuracy: curveOptionsOf(config).accuracy.full,
  };
}
