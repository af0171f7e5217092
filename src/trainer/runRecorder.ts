/** Log, checkpoints and progress of a run in training. */
import { saveCheckpoint } from "../checkpoint/checkpoint.ts";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { loadModel } from "../checkpoint/model.ts";
import { appendLog, type LogEntry } from "../checkpoint/runLog.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import { CheckpointError } from "../errors.ts";
import { writeCurves } from "../runs/runReport.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { means, type Position, type Tally } from "../training/state.ts";
import type { TrainingListener } from "../training/train.ts";
import { earlyStopMessage, stuckWarning } from "./runMessages.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** What is recorded, and where. */
export interface RecorderOptions {
  readonly directory: string;
  readonly config: RunConfig;
  /** Where training begins. */
  readonly start: Position;
  /** Lines that the run's log has already. */
  readonly log: readonly LogEntry[];
  readonly weights: TensorStore;
  /** What is evaluated, and kept as the best, in place of the weights: their average, if there is one. */
  readonly average: TensorStore | undefined;
  readonly optimizer: TensorStore;
  readonly observer: TrainObserver | undefined;
  readonly signal: AbortSignal | undefined;
  /** When training stops for time, as `performance.now()` has it; Infinity for never. */
  readonly deadline: number;
}

/** Writes down what happens in training: log, checkpoints, curves. */
export interface Recorder {
  readonly listener: TrainingListener;
  readonly log: readonly LogEntry[];
  /** The newest evaluation of this call. */
  evaluation(): Evaluation | undefined;
  /** Saves where training stands, unless that is saved. Throws CheckpointError if it cannot be; then the checkpoint before stays. */
  save(position: Position): Promise<void>;
}

/** Images a second over about the last ten iterations, of a run that starts at `start`. */
function rateMeter(start: Position): (position: Position) => number {
  let last = start;
  let images = 0;
  let seconds = 0;
  return (position) => {
    images = 0.9 * images + position.totalImages - last.totalImages;
    seconds = 0.9 * seconds + position.seconds - last.seconds;
    last = position;
    return images / seconds;
  };
}

const SAVE_EVERY_SECONDS = 180;
const RETRY_SAVE_SECONDS = 30;

/** Makes the recorder of a run whose directory this process has for itself. */
export async function createRecorder(options: RecorderOptions): Promise<Recorder> {
  const { directory, config, observer, signal, deadline, weights, optimizer } = options;
  const { trainImages, testImages } = config.dataset;
  const { epochs } = config.recipe;
  const log = [...options.log];
  let bestAccuracy = await storedBest(directory, observer);
  let evaluation: Evaluation | undefined;
  const recentRate = rateMeter(options.start);
  let evaluated: { readonly position: Position; readonly best: boolean } | undefined;
  let saved: Position | undefined;
  /** Lines that the disk had no room for. */
  const unwritten: LogEntry[] = [];
  const failing = new Set<string>();
  let nextSave = performance.now() + SAVE_EVERY_SECONDS * 1000;

  const epochOf = ({ epoch, images }: Position) => epoch + images / trainImages;
  function entryOf(position: Position, tally: Tally, learningRate: number): LogEntry {
    const { loss, accuracy, examplesPerSecond } = means(tally);
    return {
      epoch: epochOf(position),
      iteration: position.iteration,
      trainLoss: loss,
      trainAccuracy: accuracy,
      learningRate,
      examplesPerSecond,
      seconds: position.seconds,
    };
  }
  /** A full disk must not end a run: what cannot be written is said once, and tried again with what comes next. */
  async function attempt(what: string, action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      failing.delete(what);
      return true;
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      if (!failing.has(what)) observer?.onMessage?.(`${error.message}; training goes on and tries again`);
      failing.add(what);
      return false;
    }
  }
  async function writeLog(): Promise<void> {
    for (let entry = unwritten[0]; entry; entry = unwritten[0]) {
      await appendLog(directory, entry);
      unwritten.shift();
    }
  }
  async function write(entry: LogEntry): Promise<void> {
    log.push(entry);
    unwritten.push(entry);
    observer?.onLog?.(entry);
    await attempt("log", writeLog);
  }
  async function save(position: Position, best: boolean): Promise<void> {
    const { network, preprocessing, precision, exact } = config;
    const { classNames } = config.dataset;
    const model = { network, preprocessing, precision, exact, classNames, metrics: metricsOf(log) };
    const { iteration } = position;
    // First, so that a resumed run has every line up to its checkpoint.
    await writeLog();
    const bestWeights = options.average;
    await saveCheckpoint(directory, { model, iteration, position, weights, optimizer, best, bestWeights });
    saved = position;
    nextSave = performance.now() + SAVE_EVERY_SECONDS * 1000;
  }
  async function trySave(position: Position, best: boolean): Promise<boolean> {
    const done = await attempt("checkpoint", () => save(position, best));
    if (!done) nextSave = performance.now() + RETRY_SAVE_SECONDS * 1000;
    return done;
  }

  const listener: TrainingListener = {
    signal,
    onIteration(position) {
      const { loss, accuracy } = means(position.epochTally);
      const examplesPerSecond = recentRate(position);
      observer?.onProgress?.({
        epoch: epochOf(position),
        epochs,
        images: position.totalImages,
        totalImages: Math.round(epochs * trainImages),
        loss,
        accuracy,
        examplesPerSecond,
      });
    },
    onWindow: (position, window, rate) => write(entryOf(position, window, rate)),
    isDue: () => signal?.aborted === true || performance.now() >= Math.min(nextSave, deadline),
    async betweenIterations(position) {
      if (signal?.aborted) return "interrupt";
      if (performance.now() >= nextSave) await trySave(position, false);
      return performance.now() >= deadline ? "time" : undefined;
    },
    onEvaluationProgress: (images) => observer?.onEvaluationProgress?.(images, testImages),
    async onEvaluation(position, epoch, result, rate) {
      evaluation = result;
      const tested = { testLoss: result.loss, testAccuracy: result.top1Accuracy };
      const entry = { ...entryOf(position, epoch, rate), ...tested };
      await write(entry);
      const best = result.top1Accuracy > bestAccuracy;
      evaluated = { position, best };
      if ((await trySave(position, best)) && best) bestAccuracy = result.top1Accuracy;
      await attempt("curves", async () => {
        await writeCurves(directory, config, log);
      });
      observer?.onEpoch?.(entry);
    },
    onStuck: (position) => observer?.onMessage?.(stuckWarning(position, config.recipe)),
    onEarlyStop: (position) => observer?.onMessage?.(earlyStopMessage(position, config.recipe)),
  };
  return {
    listener,
    log,
    evaluation: () => evaluation,
    async save(position) {
      if (saved !== position) await save(position, evaluated?.position === position && evaluated.best);
    },
  };
}

/** What the weights that are saved now are known to do. */
function metricsOf(log: readonly LogEntry[]): Readonly<Record<string, number>> {
  const { epoch, iteration, trainLoss, trainAccuracy, testLoss, testAccuracy } = log.at(-1) ?? {};
  const known = Object.entries({ epoch, iteration, trainLoss, trainAccuracy, testLoss, testAccuracy });
  return Object.fromEntries(known.filter((entry): entry is [string, number] => entry[1] !== undefined));
}

async function storedBest(directory: string, observer: TrainObserver | undefined): Promise<number> {
  const { best } = checkpointFiles(directory);
  if (!(await fileExists(best))) return -1;
  try {
    return (await loadModel(best)).metrics["testAccuracy"] ?? -1;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    observer?.onMessage?.(`${error.message}; the best from here on takes its place`);
    return -1;
  }
}
