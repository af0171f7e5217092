/** Log, best weights and progress of a run in training, wherever it is stored. */
import type { LogEntry } from "../checkpoint/runLog.ts";
import { CheckpointError } from "../errors.ts";
import { formatLoss, formatPercent } from "../report/numbers.ts";
import { accuracyOf, type Evaluation } from "../training/evaluation/metrics.ts";
import { type Evaluated, isBetter } from "../training/monitor.ts";
import type { Recipe } from "../training/recipe.ts";
import { means, type Position, type Tally } from "../training/state.ts";
import type { TrainingListener } from "../training/train.ts";
import type { TrainObserver, TrainProgress } from "./trainObserver.ts";

/** Storage of a run: a directory, or memory. Throws CheckpointError if a file cannot be written; the old file then stays. */
export interface RunStorage {
  /** Seconds of training between two checkpoints; with Infinity, it saves after evaluations only. */
  readonly saveEverySeconds: number;
  /** Name of the best weights, for messages. */
  readonly bestWeights: string;
  /** Adds a line to the log. */
  append(entry: LogEntry): Promise<void>;
  /**
   * Saves the weights and the optimizer's state of a position; `isBest`: as the best weights too. `thresholds` are those that its evaluation fitted, if the
   * recipe fits any.
   */
  save(
    position: Position,
    log: readonly LogEntry[],
    isBest: boolean,
    thresholds: readonly number[] | undefined,
  ): Promise<void>;
  /** Draws the curves of a log. */
  draw(log: readonly LogEntry[]): Promise<void>;
}

/** The run to record. */
export interface RecordedRun {
  readonly recipe: Recipe;
  /** Number of images of the training set and of the validation set. */
  readonly trainImages: number;
  readonly testImages: number;
  readonly storage: RunStorage;
  /** First position of training. */
  readonly start: Position;
  /** Lines already in the run's log. */
  readonly log: readonly LogEntry[];
  /** The evaluation that the next best weights must beat; undefined if there is none. */
  readonly best: Evaluated | undefined;
  readonly observer: TrainObserver | undefined;
  readonly signal: AbortSignal | undefined;
  /** Time limit of training, in terms of `performance.now()`; Infinity for none. */
  readonly deadline: number;
}

/** Records training: log, checkpoints, curves. */
export interface Recorder {
  readonly listener: TrainingListener;
  readonly log: readonly LogEntry[];
  /** The evaluation of the best weights, if this call made it. */
  bestEvaluation(): Evaluation | undefined;
  /** Saves this position unless it is already saved. Throws CheckpointError on failure; the previous checkpoint then stays. */
  save(position: Position): Promise<void>;
  /** Draws the curves if an evaluation is not in them yet. A failure is a message. */
  draw(): Promise<void>;
}

/** A run, and the state of its recording. */
interface Recording extends RecordedRun {
  readonly log: LogEntry[];
  /** Log lines not yet on disk. */
  readonly unwritten: LogEntry[];
  /** Files whose last write failed. */
  readonly failing: Set<string>;
  readonly speed: Speed;
  /** Evaluation of the best weights that are saved; undefined if there are none. */
  best: Evaluated | undefined;
  /** The newest evaluation of this call. */
  evaluation: Evaluation | undefined;
  /** The complete evaluation of the best weights, if this call made it. */
  bestEvaluation: Evaluation | undefined;
  /** The position of the newest evaluation, and whether that was the best so far. */
  evaluated: { readonly position: Position; readonly best: boolean } | undefined;
  saved: Position | undefined;
  /** Time of the next checkpoint, in terms of `performance.now()`. */
  nextSave: number;
  /** True if an evaluation is not in the curves yet. */
  isUndrawn: boolean;
  /** Time from which on an evaluation draws the curves, in terms of `performance.now()`. */
  nextDraw: number;
}

const RETRY_SAVE_SECONDS = 30;

/** Largest fraction of a run's time that its curves take: short epochs are not all drawn. */
const DRAWING_FRACTION = 0.05;

/** Creates the recorder of a run. */
export function recordRun(options: RecordedRun): Recorder {
  const recording: Recording = {
    ...options,
    log: [...options.log],
    unwritten: [],
    failing: new Set(),
    speed: { last: options.start, images: 0, seconds: 0 },
    evaluation: undefined,
    bestEvaluation: undefined,
    evaluated: undefined,
    saved: undefined,
    nextSave: after(options.storage.saveEverySeconds),
    isUndrawn: false,
    nextDraw: 0,
  };
  return {
    listener: listenerOf(recording),
    log: recording.log,
    bestEvaluation: () => recording.bestEvaluation,
    async save(position) {
      const { saved, evaluated } = recording;
      if (saved !== position) await save(recording, position, evaluated?.position === position && evaluated.best);
    },
    draw: () => draw(recording),
  };
}

function listenerOf(recording: Recording): TrainingListener {
  const { observer, signal, deadline, recipe, testImages, storage } = recording;
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
    onEvaluationProgress: (images) => observer?.onEvaluationProgress?.(images, testImages),
    onEvaluation: (position, epoch, evaluation, rate) =>
      recordEvaluation(recording, position, entryOf(recording, position, epoch, rate), evaluation),
    onStuck: (position) => observer?.onMessage?.(stuckWarning(position, recipe)),
    onEarlyStop: (position) => observer?.onMessage?.(earlyStopMessage(position, recipe, storage.bestWeights)),
  };
}

async function recordEvaluation(
  recording: Recording,
  position: Position,
  trained: LogEntry,
  evaluation: Evaluation,
): Promise<void> {
  const { recipe, observer } = recording;
  const { loss: testLoss, multiLabel } = evaluation;
  const ranking = multiLabel?.meanAveragePrecision ?? undefined;
  const entry: LogEntry = {
    ...trained,
    testLoss,
    testAccuracy: accuracyOf(evaluation),
    ...(ranking === undefined ? {} : { testMeanAveragePrecision: ranking }),
  };
  recording.evaluation = evaluation;
  await write(recording, entry);
  const best = !recording.best || isBetter(recipe.monitor, entry as Evaluated, recording.best);
  recording.evaluated = { position, best };
  if ((await trySave(recording, position, best)) && best) {
    recording.best = entry as Evaluated;
    recording.bestEvaluation = evaluation;
  }
  recording.isUndrawn = true;
  if (performance.now() >= recording.nextDraw) await draw(recording);
  observer?.onEpoch?.(entry);
}

/** Adds a line to the log. */
async function write(recording: Recording, entry: LogEntry): Promise<void> {
  recording.log.push(entry);
  recording.unwritten.push(entry);
  recording.observer?.onLog?.(entry);
  await attempt(recording, "log", () => writeLog(recording));
}

async function draw(recording: Recording): Promise<void> {
  const { storage, log } = recording;
  if (!recording.isUndrawn) return;
  const began = performance.now();
  if (!(await attempt(recording, "curves", () => storage.draw(log)))) return;
  recording.isUndrawn = false;
  recording.nextDraw = began + (performance.now() - began) / DRAWING_FRACTION;
}

async function writeLog({ storage, unwritten }: Recording): Promise<void> {
  for (let entry = unwritten[0]; entry; entry = unwritten[0]) {
    await storage.append(entry);
    unwritten.shift();
  }
}

async function trySave(recording: Recording, position: Position, best: boolean): Promise<boolean> {
  const done = await attempt(recording, "checkpoint", () => save(recording, position, best));
  if (!done) recording.nextSave = after(RETRY_SAVE_SECONDS);
  return done;
}

async function save(recording: Recording, position: Position, isBest: boolean): Promise<void> {
  const { storage, log, recipe, evaluated, evaluation } = recording;
  const isFitted = recipe.thresholds === "fitted" && evaluated?.position === position;
  // Before the checkpoint, so that a resumed run has every line up to it.
  await writeLog(recording);
  await storage.save(position, log, isBest, isFitted ? evaluation?.multiLabel?.fittedThresholds : undefined);
  recording.saved = position;
  recording.nextSave = after(storage.saveEverySeconds);
}

/** Writes a file. A full disk must not end a run: a failure is reported once, and the next write tries again. */
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

/** The time `seconds` seconds from now, in terms of `performance.now()`. */
function after(seconds: number): number {
  return performance.now() + seconds * 1000;
}

function epochOf({ trainImages }: RecordedRun, { epoch, images }: Position): number {
  return epoch + images / trainImages;
}

function entryOf(options: RecordedRun, position: Position, tally: Tally, learningRate: number): LogEntry {
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
  const { recipe, trainImages, speed } = recording;
  const { epochs } = recipe;
  const { loss, accuracy } = means(position.epochTally);
  speed.images = 0.9 * speed.images + position.totalImages - speed.last.totalImages;
  speed.seconds = 0.9 * speed.seconds + position.seconds - speed.last.seconds;
  speed.last = position;
  return {
    epoch: epochOf(recording, position),
    epochs,
    images: position.totalImages,
    totalImages: Math.round(epochs * trainImages),
    loss,
    accuracy,
    examplesPerSecond: speed.images / speed.seconds,
  };
}

/** Metrics of the weights that are saved now. */
export function metricsOf(log: readonly LogEntry[]): Readonly<Record<string, number>> {
  const { learningRate: _rate, examplesPerSecond: _speed, seconds: _seconds, ...metrics } = log.at(-1) ?? {};
  const known = Object.entries(metrics);
  return Object.fromEntries(known.filter((entry): entry is [string, number] => entry[1] !== undefined));
}

/** Warning for a loss that has not improved on guessing. */
function stuckWarning({ iteration }: Position, { initializer, learningRate }: Recipe): string {
  return (
    `iteration ${iteration}: the loss has not improved on guessing for 200 iterations; ` +
    `try another initializer (${initializer.weight.kind}) or --learning-rate (${learningRate})`
  );
}

/** Message of a run that ends before its last epoch. */
function earlyStopMessage({ epoch, earlyStopping }: Position, { epochs }: Recipe, bestWeights: string): string {
  const { bestAccuracy, bestLoss, evaluationsSinceBest } = earlyStopping;
  const best =
    bestLoss === undefined
      ? `better test accuracy than ${formatPercent(bestAccuracy)}`
      : `lower test loss than ${formatLoss(bestLoss)}`;
  return (
    `stopped early, after epoch ${epoch} of ${epochs}: no ${best} ` +
    `in the last ${evaluationsSinceBest} evaluations; ${bestWeights} has the best weights`
  );
}
