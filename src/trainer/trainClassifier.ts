/** Trains a classifier in a run directory. */
import { mkdir } from "node:fs/promises";
import { checkFreeSpace, loadCheckpoint, restoreCheckpoint, type StoredCheckpoint } from "../checkpoint/checkpoint.ts";
import { fileExists } from "../checkpoint/checkpointFiles.ts";
import { recordingDivergence } from "../checkpoint/divergence.ts";
import { explainingWrites } from "../checkpoint/durable.ts";
import { openRun, writeConfig } from "../checkpoint/runDirectory.ts";
import { type LogEntry, readLog, truncateLog } from "../checkpoint/runLog.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import { ConfigError } from "../errors.ts";
import { averageStore, bytesOf, optimizerStore } from "../model/tensorStores.ts";
import { removeEmptyFolders } from "../runs/runFolders.ts";
import { reportFile, writeReport } from "../runs/runReport.ts";
import { divergencePolicy } from "../settings/divergencePolicy.ts";
import { type RunConfig, readRunConfig } from "../settings/runConfig.ts";
import { evaluate } from "../training/evaluation/evaluate.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { createOptimizer } from "../training/optimizers/optimizer.ts";
import { initialPosition, isFinished } from "../training/state.ts";
import type { Training, TrainingEnd } from "../training/train.ts";
import { type CompiledModel, compileModel, runPreparation, runTraining } from "./compiledModel.ts";
import { trainedRecipe } from "./fineTunePlan.ts";
import { writeInitialWeights } from "./initialWeights.ts";
import { resumeRun } from "./resumeRun.ts";
import { readPosition, type Stretch, trainGuarded } from "./rollback.ts";
import { createRecorder } from "./runRecorder.ts";
import { newRunDirectory, type PreparedRun, type RunSettings, startRun } from "./runSetup.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** Settings of a run, its directory, and callbacks; everything has a default. */
export interface TrainOptions extends RunSettings {
  /** The run's directory. Default: a new one under `runs/`. */
  readonly run?: string;
  /** Resume the run in the directory. */
  readonly resume?: boolean;
  /** Stop after this many minutes of this call's training, with an evaluation; the run can be resumed. */
  readonly maxMinutes?: number;
  /** Aborting saves and ends within an iteration. */
  readonly signal?: AbortSignal;
  readonly observer?: TrainObserver;
  /** The command line, for the record. */
  readonly command?: string;
}

/** Result of `trainClassifier`. Accuracies are fractions. */
export interface TrainResult {
  /** The run's directory. */
  readonly run: string;
  readonly end: TrainingEnd | "already finished";
  /** The log's last line with an evaluation; undefined if there was none yet. */
  readonly last: LogEntry | undefined;
  /** Its evaluation, if this call made it. */
  readonly evaluation: Evaluation | undefined;
  /** Engine and processor. */
  readonly device: string;
}

/**
 * Trains a classifier and keeps everything about it in a run directory: configuration, log, checkpoints, curves, report.
 *
 * Throws ConfigError for settings that do not fit, DataError for an unusable data set, CheckpointError for an unusable directory, DivergenceError if
 * training diverges; whatever was saved before stays.
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
    await removeEmptyFolders(directory, created);
  }
}

async function prepareRun(directory: string, options: TrainOptions): Promise<PreparedRun> {
  const { observer = {}, command = "trainClassifier" } = options;
  const stored = await readRunConfig(directory);
  if (!stored && options.resume) observer.onMessage?.(`${directory}: no run to resume; starting a new one`);
  if (!stored) return startRun(options, command, observer, options.signal);
  if (options.resume) return resumeRun(stored, options, observer, options.signal);
  throw new ConfigError(
    `${directory} already contains a run; add --resume to continue it, or choose another directory with --run`,
  );
}

/** A run in its directory, and where this call begins. */
interface RunStart extends Stretch {
  readonly directory: string;
  readonly config: RunConfig;
  readonly checkpoint: StoredCheckpoint | undefined;
  /** Nothing is left to train. */
  readonly isFinished: boolean;
  readonly device: string;
}

/** A run whose weights and data are in place. */
interface LoadedRun extends RunStart {
  readonly training: Training;
  readonly weights: TensorStore;
  /** The optimizer's state. */
  readonly optimizer: TensorStore;
  readonly average: TensorStore | undefined;
  readonly dataset: PreparedRun["dataset"];
}

async function trainPrepared(directory: string, prepared: PreparedRun, options: TrainOptions): Promise<TrainResult> {
  const run = await readStart(directory, prepared, options);
  // A process that died at the very end leaves a run without its report.
  if (run.isFinished && (await fileExists(reportFile(directory)))) {
    return resultOf(run, "already finished", run.log, undefined);
  }
  const model = await compileModel(prepared);
  const preparation = runPreparation(prepared);
  try {
    const loaded = await loadRun(run, prepared, model, preparation, options);
    return await (run.isFinished ? reportAgain(loaded, options) : trainAndReport(loaded, options));
  } finally {
    preparation.close();
    await model.close();
  }
}

async function readStart(
  directory: string,
  { config, engine }: PreparedRun,
  { observer }: TrainOptions,
): Promise<RunStart> {
  const checkpoint = await loadCheckpoint(directory);
  for (const warning of checkpoint?.warnings ?? []) observer?.onMessage?.(warning);
  const start = checkpoint ? readPosition(checkpoint) : initialPosition;
  return {
    directory,
    config,
    checkpoint,
    start,
    log: (await readLog(directory)).filter(({ iteration }) => iteration <= start.iteration),
    isFinished: isFinished(start, config.recipe),
    device: `${engine.description}, ${config.machine.cpu}`,
  };
}

/** Puts weights, optimizer state and data in place; only then is a new run written to its directory. */
async function loadRun(
  run: RunStart,
  prepared: PreparedRun,
  model: CompiledModel,
  preparation: Training["preparation"],
  { observer = {}, signal }: TrainOptions,
): Promise<LoadedRun> {
  const { directory, config, checkpoint, start } = run;
  const { network, recipe } = config;
  const { program, weights } = model;
  const optimizer = createOptimizer(program, trainedRecipe(recipe, network, config.fineTuning));
  const state = optimizerStore(program, network, optimizer);
  const average = averageStore(program, network, optimizer, weights);
  const best = average ? bytesOf(average) : 0;
  await checkFreeSpace(directory, { weights: bytesOf(weights), optimizer: bytesOf(state), best });
  if (checkpoint) await restoreCheckpoint(checkpoint, weights, state);
  else {
    await writeInitialWeights(weights, config);
    optimizer.start();
  }
  const dataset = await model.inputs(observer, signal);
  // A run that cannot even start leaves no directory.
  if (!checkpoint) await writeConfig(directory, config);
  await truncateLog(directory, start.iteration, start.rollbacks.count);
  const training = runTraining(prepared, program, optimizer, dataset, preparation);
  return { ...run, training, weights, optimizer: state, average, dataset };
}

async function trainAndReport(run: LoadedRun, options: TrainOptions): Promise<TrainResult> {
  const { directory, config, start, log, training } = run;
  const { observer = {}, signal, maxMinutes = Infinity } = options;
  const epoch = start.epoch + start.images / training.train.length;
  observer.onStart?.({ directory, config, epoch, iteration: start.iteration });
  const deadline = performance.now() + maxMinutes * 60_000;
  const guarded = {
    ...run,
    observer,
    policy: divergencePolicy(options, config.divergence),
    record: (from: Stretch) => createRecorder({ ...run, ...from, observer, signal, deadline }),
  };
  const { position, end, recorder } = await recordingDivergence(directory, () => trainGuarded(guarded, { start, log }));
  await recorder.save(position);
  const evaluation = recorder.evaluation();
  if (end !== "interrupt") {
    await training.optimizer.withAverage(() => writeRunReport(run, recorder.log, evaluation));
  }
  return resultOf(run, end, recorder.log, evaluation);
}

/** Evaluates and reports a finished run that has no report. */
async function reportAgain(run: LoadedRun, { signal }: TrainOptions): Promise<TrainResult> {
  const { config, log, training } = run;
  const { program, optimizer, test: split, preparation, classNames } = training;
  const { seed } = config.recipe;
  return optimizer.withAverage(async () => {
    const evaluation = await evaluate(program, { split, preparation, classNames, seed, signal });
    if (!evaluation) return resultOf(run, "interrupt", log, undefined);
    await writeRunReport(run, log, evaluation);
    return resultOf(run, "already finished", log, evaluation);
  });
}

function writeRunReport(
  { training, ...run }: LoadedRun,
  log: readonly LogEntry[],
  evaluation: Evaluation | undefined,
): Promise<void> {
  return writeReport({ ...run, program: training.program, log, evaluation });
}

function resultOf(
  { directory, device }: RunStart,
  end: TrainResult["end"],
  log: readonly LogEntry[],
  evaluation: Evaluation | undefined,
): TrainResult {
  const last = log.findLast((entry) => entry.testAccuracy !== undefined);
  return { run: directory, end, last, evaluation, device };
}
