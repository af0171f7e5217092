/** Log, checkpoints and progress of a run in training. */
import { saveCheckpoint } from "../checkpoint/checkpoint.ts";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { loadModel } from "../checkpoint/model.ts";
import { appendLog, evaluationsOf, type LogEntry } from "../checkpoint/runLog.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import { CheckpointError } from "../errors.ts";
import { formatLoss, formatPercent } from "../report/numbers.ts";
import { writeCurves } from "../runs/runReport.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { bestOf, type Evaluated, isBetter } from "../training/monitor.ts";
import type { Recipe } from "../training/recipe.ts";
import { means, type Position, type Tally } from "../training/state.ts";
import type { TrainingListener } from "../training/train.ts";
import type { TrainObserver, TrainProgress } from "./trainObserver.ts";

/** The run to record, and where. */
export interface RecorderOptions {
  readonly directory: string;
  readonly config: RunConfig;
  /** First position of training. */
  readonly start: Position;
  /** Lines that the run's log already has. */
  readonly log: readonly LogEntry[];
  readonly weights: TensorStore;
  /** The averaged weights, evaluated and kept as the best in place of the weights; undefined if the recipe averages none. */
  readonly average: TensorStore | undefined;
  readonly optimizer: TensorStore;
  readonly observer: TrainObserver | undefined;
  readonly signal: AbortSignal | undefined;
  /** When training stops for time, as `performance.now()` has it; Infinity for never. */
  readonly deadline: number;
}

/** Records training: log, checkpoints, curves. */
export interface Recorder {
  readonly listener: TrainingListener;
  readonly log: readonly LogEntry[];
  /** The newest evaluation of this call. */
  evaluation(): Evaluation | undefined;
  /** The evaluation of the weights in best.safetensors, if this call made it. */
  bestEvaluation(): Evaluation | undefined;
  /** Saves this position, unless it is saved already. Throws CheckpointError if it cannot be; then the checkpoint before stays. */
  save(position: Position): Promise<void>;
}

/** A run, and the state of its recording. */
interface Recording extends RecorderOptions {
  readonly log: LogEntry[];
  /** Lines of the log that are not on the disk yet. */
  readonly unwritten: LogEntry[];
  /** The things that could not be written when last tried. */
  readonly failing: Set<string>;
  readonly speed: Speed;
  /** Evaluation of the best weights that are saved; undefined if there are none. */
  best: Evaluated | undefined;
  evaluation: Evaluation | undefined;
  /** The whole evaluation of the best weights, if this call made it. */
  bestEvaluation: Evaluation | undefined;
  /** The position of the newest evaluation, and whether that was the best so far. */
  evaluated: { readonly position: Position; readonly best: boolean } | undefined;
  saved: Position | undefined;
  /** When the next checkpoint is due, as `performance.now()` has it. */
  nextSave: number;
}

const SAVE_EVERY_SECONDS = 180;
const RETRY_SAVE_SECONDS = 30;

/** Makes the recorder of a run whose directory this process has locked. */
export async function createRecorder(options: RecorderOptions): Promise<Recorder> {
  const recording: Recording = {
    ...options,
    log: [...options.log],
    unwritten: [],
    failing: new Set(),
    speed: { last: options.start, images: 0, seconds: 0 },
    best: await storedBest(options),
    evaluation: undefined,
    bestEvaluation: undefined,
    evaluated: undefined,
    saved: undefined,
    nextSave: after(SAVE_EVERY_SECONDS),
  };
  return {
    listener: listenerOf(recording),
    log: recording.log,
    evaluation: () => recording.evaluation,
    bestEvaluation: () => recording.bestEvaluation,
    async save(position) {
      const { saved, evaluated } = recording;
      if (saved !== position) await save(recording, position, evaluated?.position === position && evaluated.best);
    },
  };
}

function listenerOf(recording: Recording): TrainingListener {
  const { observer, signal, deadline, config } = recording;
  return {
    signal,
    onIteration: (position) => observer?.onProgress?.(progressOf(recording, position)),
    onWindow: (position, window, rate) => write(recording, entryOf(recording, position, window, rate)),
    isDue: () => signal?.aborted === true || performance.now() >= Math.min(recording.nextSave, deadline),
    async betweenIterations(position) {
      if (signal?.aborted) return "interrupt";
      if (performance.now() >= recording.nextSave) await trySave(recording, position, false);
      return performance.now() >= deadline ? "time" : undefined;
    },
    onEvaluationProgress: (images) => observer?.onEvaluationProgress?.(images, config.dataset.testImages),
    onEvaluation: (position, epoch, evaluation, rate) =>
      recordEvaluation(recording, position, entryOf(recording, position, epoch, rate), evaluation),
    onStuck: (position) => observer?.onMessage?.(stuckWarning(position, config.recipe)),
    onEarlyStop: (position) => observer?.onMessage?.(earlyStopMessage(position, config.recipe)),
  };
}

async function recordEvaluation(
  recording: Recording,
  position: Position,
  trained: LogEntry,
  evaluation: Evaluation,
): Promise<void> {
  const { directory, config, log, observer } = recording;
  const entry = { ...trained, testLoss: evaluation.loss, testAccuracy: evaluation.top1Accuracy };
  recording.evaluation = evaluation;
  await write(recording, entry);
  const best = !recording.best || isBetter(config.recipe.monitor, entry, recording.best);
  recording.evaluated = { position, best };
  if ((await trySave(recording, position, best)) && best) {
    recording.best = entry;
    recording.bestEvaluation = evaluation;
  }
  await attempt(recording, "curves", async () => void (await writeCurves(directory, config, log)));
  observer?.onEpoch?.(entry);
}

/** Adds a line to the log. */
async function write(recording: Recording, entry: LogEntry): Promise<void> {
  recording.log.push(entry);
  recording.unwritten.push(entry);
  recording.observer?.onLog?.(entry);
  await attempt(recording, "log", () => writeLog(recording));
}

async function writeLog({ directory, unwritten }: Recording): Promise<void> {
  for (let entry = unwritten[0]; entry; entry = unwritten[0]) {
    await appendLog(directory, entry);
    unwritten.shift();
  }
}

async function trySave(recording: Recording, position: Position, best: boolean): Promise<boolean> {
  const done = await attempt(recording, "checkpoint", () => save(recording, position, best));
  if (!done) recording.nextSave = after(RETRY_SAVE_SECONDS);
  return done;
}

async function save(recording: Recording, position: Position, best: boolean): Promise<void> {
  const { directory, config, log, weights, optimizer, average: bestWeights } = recording;
  const { network, preprocessing, precision, exact, dataset } = config;
  const { classNames } = dataset;
  const model = { network, preprocessing, precision, exact, classNames, metrics: metricsOf(log) };
  // Before the checkpoint, so that a resumed run has every line up to it.
  await writeLog(recording);
  const { iteration } = position;
  await saveCheckpoint(directory, { model, iteration, position, weights, optimizer, best, bestWeights });
  recording.saved = position;
  recording.nextSave = after(SAVE_EVERY_SECONDS);
}

/** A full disk must not end a run: a failure is reported once, and the next write tries again. */
async function attempt({ failing, observer }: Recording, what: string, action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    failing.delete(what);
    return true;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    if (!failing.has(what)) observer?.onMessage?.(`${error.message}; training continues and tries again`);
    failing.add(what);
    return false;
  }
}

/** The moment in `seconds` seconds, as `performance.now()` has it. */
function after(seconds: number): number {
  return performance.now() + seconds * 1000;
}

function epochOf({ config }: RecorderOptions, { epoch, images }: Position): number {
  return epoch + images / config.dataset.trainImages;
}

function entryOf(options: RecorderOptions, position: Position, tally: Tally, learningRate: number): LogEntry {
  const { loss, accuracy, examplesPerSecond } = means(tally);
  return {
    epoch: epochOf(options, position),
    iteration: position.iteration,
    trainLoss: loss,
    trainAccuracy: accuracy,
    learningRate,
    examplesPerSecond,
    seconds: position.seconds,
  };
}

/** Sums over about the last ten iterations. */
interface Speed {
  last: Position;
  images: number;
  seconds: number;
}

function progressOf(recording: Recording, position: Position): TrainProgress {
  const { config, speed } = recording;
  const { epochs } = config.recipe;
  const { loss, accuracy } = means(position.epochTally);
  speed.images = 0.9 * speed.images + position.totalImages - speed.last.totalImages;
  speed.seconds = 0.9 * speed.seconds + position.seconds - speed.last.seconds;
  speed.last = position;
  return {
    epoch: epochOf(recording, position),
    epochs,
    images: position.totalImages,
    totalImages: Math.round(epochs * config.dataset.trainImages),
    loss,
    accuracy,
    examplesPerSecond: speed.images / speed.seconds,
  };
}

/** Metrics of the weights that are saved now. */
function metricsOf(log: readonly LogEntry[]): Readonly<Record<string, number>> {
  const { epoch, iteration, trainLoss, trainAccuracy, testLoss, testAccuracy } = log.at(-1) ?? {};
  const known = Object.entries({ epoch, iteration, trainLoss, trainAccuracy, testLoss, testAccuracy });
  return Object.fromEntries(known.filter((entry): entry is [string, number] => entry[1] !== undefined));
}

/**
 * The evaluation that the next best weights must beat; undefined if there is none. After a rollback the stored best may come from an evaluation that is
 * no longer in the log; then it is the log's best evaluation.
 */
async function storedBest({ directory, config, log, observer }: RecorderOptions): Promise<Evaluated | undefined> {
  const { best } = checkpointFiles(directory);
  if (!(await fileExists(best))) return undefined;
  try {
    const { testAccuracy, testLoss, iteration } = (await loadModel(best)).metrics;
    const isLogged = log.some((entry) => entry.iteration === iteration && entry.testAccuracy === testAccuracy);
    if (isLogged && testAccuracy !== undefined) return { testAccuracy, testLoss };
    return bestOf(config.recipe.monitor, evaluationsOf(log));
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    observer?.onMessage?.(`${error.message}; the next best weights replace it`);
    return undefined;
  }
}

/** Warning for a loss that has not improved on guessing. */
function stuckWarning({ iteration }: Position, { initializer, learningRate }: Recipe): string {
  return (
    `iteration ${iteration}: for 200 iterations the loss has stayed at that of guessing; ` +
    `try another initializer (${initializer.weight.kind}) or --learning-rate (${learningRate})`
  );
}

/** Message of a run that ends before its last epoch. */
function earlyStopMessage({ epoch, earlyStopping }: Position, { epochs }: Recipe): string {
  const { bestAccuracy, bestLoss, evaluationsSinceBest } = earlyStopping;
  const best =
    bestLoss === undefined
      ? `better test accuracy than ${formatPercent(bestAccuracy)}`
      : `lower test loss than ${formatLoss(bestLoss)}`;
  return (
    `stopped early, after epoch ${epoch} of ${epochs}: no ${best} ` +
    `in the last ${evaluationsSinceBest} evaluations; best.safetensors has the weights that had it`
  );
}
