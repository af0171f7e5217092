import { mkdir, rmdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { loadCheckpoint, restoreCheckpoint, type StoredCheckpoint } from "../checkpoint/checkpoint.ts";
import { fileExists } from "../checkpoint/checkpointFiles.ts";
import { recordingDivergence } from "../checkpoint/divergence.ts";
import { explainingWrites } from "../checkpoint/durable.ts";
import { checkFreeSpace } from "../checkpoint/freeSpace.ts";
import { openRun, writeConfig } from "../checkpoint/runDirectory.ts";
import { type LogEntry, readLog, truncateLog } from "../checkpoint/runLog.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import { createPreparation } from "../dataset/preparation.ts";
import type { TrainingProgram } from "../engine/engine.ts";
import { CheckpointError, ConfigError } from "../errors.ts";
import { initialValues } from "../network/initialize.ts";
import { operations } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { evaluate } from "../training/evaluate.ts";
import type { Evaluation } from "../training/metrics.ts";
import { initialPosition, type Position, positionSchema } from "../training/position.ts";
import { type Training, type TrainingEnd, train } from "../training/train.ts";
import { resumeRun } from "./resumeRun.ts";
import { createRecorder } from "./runRecorder.ts";
import { reportFile, writeReport } from "./runReport.ts";
import {
  newRunDirectory,
  type PreparedRun,
  type RunSettings,
  readRunConfig,
  startRun,
  watchedSplit,
} from "./runSetup.ts";
import { sgdTargets } from "./sgdTargets.ts";
import { velocityStore, weightStore } from "./tensorStores.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** What to train, how, and where to keep it; everything has a default. */
export interface TrainOptions extends RunSettings {
  /** The run's directory. Default: a new one under `runs/`. */
  readonly run?: string;
  /** Go on with the run in the directory. */
  readonly resume?: boolean;
  /** Stop after so many minutes of this call's training, with an evaluation; the run can be resumed. */
  readonly maxMinutes?: number;
  /** Aborting saves and ends within an iteration. */
  readonly signal?: AbortSignal;
  readonly observer?: TrainObserver;
  /** What was typed, for the record. */
  readonly command?: string;
}

/** How a call of `trainClassifier` ended. Accuracies are fractions. */
export interface TrainResult {
  /** The run's directory. */
  readonly run: string;
  readonly end: TrainingEnd | "already finished";
  /** The log's last line with an evaluation; undefined if there was none yet. */
  readonly last: LogEntry | undefined;
  /** The evaluation behind it, if it was made by this call. */
  readonly evaluation: Evaluation | undefined;
  /** What it was computed on. */
  readonly device: string;
}

/**
 * Trains a classifier and keeps everything about it in a run directory: configuration, log, checkpoints, curves, report.
 *
 * Throws ConfigError for settings that do not fit, DataError for a data set that cannot be used, CheckpointError for a directory that
 * cannot, DivergenceError if training loses its way; whatever was saved before stays.
 */
export async function trainClassifier(options: TrainOptions = {}): Promise<TrainResult> {
  const directory = options.run ?? (await newRunDirectory(options));
  const created = await explainingWrites(directory, () => mkdir(directory, { recursive: true }));
  const run = await openRun(directory);
  try {
    const prepared = await prepareRun(directory, options);
    try {
      return await trainPrepared(directory, prepared, options);
    } finally {
      prepared.engine.close();
      prepared.dataset.close?.();
    }
  } finally {
    await run.close();
    if (created !== undefined) await removeEmpty(resolve(directory), resolve(created));
  }
}

/** Removes a directory and those around it up to `outermost`, while they are empty: those of a run that could not even be started. */
async function removeEmpty(directory: string, outermost: string): Promise<void> {
  const removed = await rmdir(directory).then(
    () => true,
    () => false,
  );
  if (removed && directory !== outermost) await removeEmpty(dirname(directory), outermost);
}

async function prepareRun(directory: string, options: TrainOptions): Promise<PreparedRun> {
  const { observer = {}, command = "trainClassifier" } = options;
  const stored = await readRunConfig(directory);
  if (!stored && options.resume) observer.onMessage?.(`${directory}: no run in it to go on with; starting anew`);
  if (!stored) return startRun(options, command, observer, options.signal);
  if (options.resume) return resumeRun(stored, options, observer, options.signal);
  throw new ConfigError(`${directory}: there is a run in it; go on with it by --resume, or choose another --run`);
}

async function trainPrepared(directory: string, prepared: PreparedRun, options: TrainOptions): Promise<TrainResult> {
  const { config, dataset, engine } = prepared;
  const { network, recipe, preprocessing, precision, exact } = config;
  const { classNames } = config.dataset;
  const { observer, signal, maxMinutes } = options;
  const checkpoint = await loadCheckpoint(directory);
  for (const warning of checkpoint?.warnings ?? []) observer?.onMessage?.(warning);
  const start = checkpoint ? readPosition(checkpoint) : initialPosition;
  const device = `${engine.description}, ${config.machine.cpu}`;
  const log = (await readLog(directory)).filter(({ iteration }) => iteration <= start.iteration);
  const lastOf = (entries: readonly LogEntry[]) => entries.findLast((entry) => entry.testAccuracy !== undefined);
  const finished = start.epoch >= recipe.epochs;
  // A process that died at the very end leaves a run without its report.
  if (finished && (await fileExists(reportFile(directory)))) {
    return { run: directory, end: "already finished", last: lastOf(log), evaluation: undefined, device };
  }
  const program = await engine.compileTraining({
    ops: operations(network),
    inputShape: network.input,
    batchSize: recipe.batchSize,
    precision,
    exact,
  });
  const { augmentation, seed } = recipe;
  const random = { augmentation, seed, colours: config.colours };
  const preparation = createPreparation({ preprocessing, random, threads: engine.threads });
  try {
    const targets = sgdTargets(program, recipe);
    const weights = weightStore(program, network);
    const optimizer = velocityStore(program, network, targets);
    await checkFreeSpace(directory, { weights: bytesOf(weights), optimizer: bytesOf(optimizer) });
    // From here on there is a run in the directory: what cannot even start leaves none.
    if (!checkpoint) await writeConfig(directory, config);
    await truncateLog(directory, start.iteration);
    if (checkpoint) await restoreCheckpoint(checkpoint, weights, optimizer);
    else await initialize(program, prepared);
    const { iteration } = start;
    const epoch = start.epoch + start.images / dataset.train.length;
    if (!finished) observer?.onStart?.({ directory, config, epoch, iteration });
    const recorder = await createRecorder({
      start,
      directory,
      config,
      log,
      weights,
      optimizer,
      observer,
      signal,
      maxMinutes,
    });
    const training: Training = {
      program,
      targets,
      recipe,
      train: dataset.train,
      test: watchedSplit(dataset),
      preparation,
      classNames,
    };
    const { position, end } = await recordingDivergence(directory, () => train(training, start, recorder.listener));
    if (!finished) await recorder.finish(position);
    const evaluation = finished
      ? await evaluate(program, { split: training.test, preparation, classNames, seed, signal })
      : recorder.evaluation();
    if (end !== "interrupt") {
      await writeReport({ directory, config, dataset, program, log: recorder.log, evaluation, device });
    }
    return {
      run: directory,
      end: finished ? "already finished" : end,
      last: lastOf(recorder.log),
      evaluation,
      device,
    };
  } finally {
    preparation.close();
    program.close();
  }
}

function readPosition({ position, optimizerFile }: StoredCheckpoint): Position {
  const parsed = positionSchema.safeParse(position);
  if (parsed.success) return parsed.data;
  throw new CheckpointError(`${optimizerFile}: not a position in training: ${parsed.error.message}`);
}

async function initialize(program: TrainingProgram, { config }: PreparedRun): Promise<void> {
  const values = new Map(program.parameters.map(({ name, value }) => [name, value]));
  const { network, recipe } = config;
  const allocate = (length: number) => program.scratch(length);
  for (const initial of initialValues(network, recipe.initializer, recipe.seed, allocate)) {
    const tensor = values.get(initial.name);
    if (tensor) await program.write(tensor, initial.values);
  }
}

function bytesOf(store: TensorStore): number {
  return store.tensors.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
}
