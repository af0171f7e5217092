/** Trains a classifier in a run directory. */

import { mkdir } from "node:fs/promises";
import { basename } from "node:path";
import { checkFreeSpace, loadCheckpoint, restoreCheckpoint, type StoredCheckpoint } from "../checkpoint/checkpoint.ts";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { recordingDivergence } from "../checkpoint/divergence.ts";
import { explainingWrites } from "../checkpoint/durable.ts";
import { loadModel, readWeights } from "../checkpoint/model.ts";
import { openRun, writeConfig } from "../checkpoint/runDirectory.ts";
import { evaluationsOf, type LogEntry, readLog, truncateLog } from "../checkpoint/runLog.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import type { Dataset } from "../dataset/dataset.ts";
import { CheckpointError } from "../errors.ts";
import { averageStore, bytesOf, optimizerStore } from "../model/tensorStores.ts";
import { removeEmptyFolders } from "../runs/runFolders.ts";
import { reportFile, writeReport } from "../runs/runReport.ts";
import { nameDataset } from "../settings/datasetObject.ts";
import { directoryTaken, type RunLocation, type RunPlan, resolve } from "../settings/resolve.ts";
import { type RunConfig, readRunConfig } from "../settings/runConfig.ts";
import type { RunSettings } from "../settings/settings.ts";
import { headOfLabels } from "../training/evaluation/classHead.ts";
import { evaluate } from "../training/evaluation/evaluate.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { thresholdsOf } from "../training/evaluation/multiLabel.ts";
import { bestOf } from "../training/monitor.ts";
import { createOptimizer } from "../training/optimizers/optimizer.ts";
import { initialPosition, isFinished } from "../training/state.ts";
import type { Training, TrainingEnd } from "../training/train.ts";
import { type CompiledModel, compileModel, runPreparation, runTraining } from "./compiledModel.ts";
import { trainedRecipe } from "./fineTunePlan.ts";
import { writeInitialWeights } from "./initialWeights.ts";
import { readPosition, type Stretch, trainGuarded } from "./rollback.ts";
import { createRecorder } from "./runRecorder.ts";
import { noteOtherAlgorithms, type PreparedRun, prepareRun } from "./runSetup.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** One call of training: its limits and callbacks. */
export interface TrainCall {
  /** Stops after n minutes of training in this call, with an evaluation; the run can be resumed. */
  readonly maxMinutes?: number;
  /** Aborting saves and ends within an iteration. */
  readonly signal?: AbortSignal;
  readonly observer?: TrainObserver;
  /** Command line to record. */
  readonly command?: string;
}

/** Settings of a run, its directory, and callbacks; everything has a default. */
export interface TrainOptions extends Omit<RunSettings, "dataset">, RunLocation, TrainCall {
  /** A name, a folder, or a data set object, such as one of `fromArrays`; a run of an object is resumed with the same object. */
  readonly dataset?: string | Dataset;
}

/** Result of `trainClassifier`. Accuracies are fractions. */
export interface TrainResult {
  /** The run's directory. */
  readonly run: string;
  readonly end: TrainingEnd | "already finished";
  /** The log's last line with an evaluation; undefined if there was none yet. */
  readonly last: LogEntry | undefined;
  /** Log line of the best weights' evaluation; `evaluate`, `predict` and the report use these weights. */
  readonly best: LogEntry | undefined;
  /** Evaluation of the best weights, if this call made it. */
  readonly evaluation: Evaluation | undefined;
  /** Engine and processor. */
  readonly device: string;
}

/**
 * Trains a classifier and keeps everything about it in a run directory: configuration, log, checkpoints, curves, report.
 *
 * Throws ConfigError for settings that do not fit, DataError for an unusable data set, CheckpointError for an unusable directory, DivergenceError if
 * training diverges; saved files stay.
 */
export async function trainClassifier(options: TrainOptions = {}): Promise<TrainResult> {
  const { settings, source } = nameDataset(options);
  return trainRun(await resolve(settings, { source }), settings);
}

/** Like `trainClassifier`, for a resolved plan. */
export async function trainRun(plan: RunPlan, call: TrainCall = {}): Promise<TrainResult> {
  const { directory } = plan;
  const { observer, command = "trainClassifier", signal } = call;
  const created = await explainingWrites(directory, () => mkdir(directory, { recursive: true }));
  const run = await openRun(directory);
  try {
    // Another process may have started a run since the plan was made.
    if (!plan.stored && (await readRunConfig(directory))) throw directoryTaken(directory);
    const prepared = await prepareRun(plan, command, observer, signal);
    try {
      return await trainPrepared(plan, prepared, call);
    } finally {
      prepared.engine.close();
      prepared.dataset.close?.();
    }
  } finally {
    await run.close();
    await removeEmptyFolders(directory, created);
  }
}

/** A run in its directory, and the start position of this call. */
interface RunStart extends Stretch {
  readonly directory: string;
  readonly config: RunConfig;
  readonly checkpoint: StoredCheckpoint | undefined;
  /** True if nothing is left to train. */
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

async function trainPrepared(
  { directory, divergence }: RunPlan,
  prepared: PreparedRun,
  call: TrainCall,
): Promise<TrainResult> {
  const run = await readStart(directory, prepared, call);
  // A process that was killed at the end of training leaves a run without a report.
  if (run.isFinished && (await fileExists(reportFile(directory)))) {
    return resultOf(run, "already finished", run.log, undefined);
  }
  const model = await compileModel(prepared);
  const preparation = runPreparation(prepared);
  try {
    const loaded = await loadRun(run, prepared, model, preparation, call);
    return await (run.isFinished ? reportAgain(loaded, call) : trainAndReport(loaded, divergence, call));
  } finally {
    preparation.close();
    await model.close();
  }
}

async function readStart(
  directory: string,
  { config, engine }: PreparedRun,
  { observer }: TrainCall,
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

/** Loads weights, optimizer state and data; writes a new run to its directory after all of them have loaded. */
async function loadRun(
  run: RunStart,
  prepared: PreparedRun,
  model: CompiledModel,
  preparation: Training["preparation"],
  { observer = {}, signal }: TrainCall,
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
  // A run that cannot start leaves no directory.
  const { algorithms } = program;
  if (checkpoint) noteOtherAlgorithms(config, algorithms, observer);
  const stored = checkpoint && (await readRunConfig(directory));
  const recorded = checkpoint || !algorithms ? config : { ...config, algorithms: { ...algorithms } };
  if (stored?.recipe.epochs !== recipe.epochs) await writeConfig(directory, recorded);
  await truncateLog(directory, start.iteration, start.rollbacks.count);
  const training = runTraining(prepared, program, optimizer, dataset, preparation);
  return { ...run, training, weights, optimizer: state, average, dataset };
}

async function trainAndReport(
  run: LoadedRun,
  policy: RunPlan["divergence"],
  { observer = {}, signal, maxMinutes = Infinity }: TrainCall,
): Promise<TrainResult> {
  const { directory, config, start, log, training } = run;
  const epoch = start.epoch + start.images / training.train.length;
  observer.onStart?.({ directory, config, epoch, iteration: start.iteration });
  const deadline = performance.now() + maxMinutes * 60_000;
  const guarded = {
    ...run,
    observer,
    policy,
    record: (from: Stretch) => createRecorder({ ...run, ...from, observer, signal, deadline }),
  };
  const { position, end, recorder } = await recordingDivergence(directory, () => trainGuarded(guarded, { start, log }));
  await recorder.save(position);
  if (end !== "interrupt") await reportBest({ ...run, log: recorder.log }, recorder.bestEvaluation(), { observer });
  return resultOf(run, end, recorder.log, recorder.evaluation());
}

/** Evaluates and reports a finished run that has no report. */
async function reportAgain(run: LoadedRun, call: TrainCall): Promise<TrainResult> {
  const reported = await reportBest(run, undefined, call);
  if (!reported) return resultOf(run, "interrupt", run.log, undefined);
  const isLast = reported.iteration === evaluationsOf(run.log).at(-1)?.iteration;
  return resultOf(run, "already finished", run.log, isLast ? reported.evaluation : undefined);
}

/** Evaluation of weights that were saved after an iteration. */
interface ReportedEvaluation {
  readonly iteration: number | undefined;
  readonly evaluation: Evaluation;
}

/**
 * Writes the report with the weights that `evaluate` and `predict` use: the best, or the last ones if those are unreadable. They stay in the program.
 * `known` is the evaluation of the best weights, if this call made it. Undefined if the signal ended the evaluation.
 */
async function reportBest(
  run: LoadedRun,
  known: Evaluation | undefined,
  { observer, signal }: TrainCall,
): Promise<ReportedEvaluation | undefined> {
  const { config, training, weights } = run;
  const { program, test: split, preparation, classNames } = training;
  const { best, last } = checkpointFiles(run.directory);
  const isBest = await hasRead(best, weights, observer);
  const file = isBest ? best : last;
  if (!isBest) await readWeights(last, weights);
  const model = await loadModel(file);
  const { iteration } = model.metrics;
  const { seed } = config.recipe;
  // Evaluations in training use a threshold of 0.5.
  const made = isBest && !model.thresholds ? known : undefined;
  const options = { split, preparation, classNames, head: headOfLabels(split), threshold: thresholdsOf(model), seed };
  const evaluation = made ?? (await evaluate(program, { ...options, signal }));
  if (!evaluation) return undefined;
  await writeReport({ ...run, program, model, file: basename(file), iteration, evaluation });
  return { iteration, evaluation };
}

/** Fills a store with the best weights. False if there are none, or they are unreadable. */
async function hasRead(best: string, weights: TensorStore, observer: TrainObserver | undefined): Promise<boolean> {
  if (!(await fileExists(best))) return false;
  try {
    await readWeights(best, weights);
    return true;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    observer?.onMessage?.(`${error.message}; the report shows the last weights`);
    return false;
  }
}

function resultOf(
  { directory, config, device }: RunStart,
  end: TrainResult["end"],
  log: readonly LogEntry[],
  evaluation: Evaluation | undefined,
): TrainResult {
  const last = log.findLast((entry) => entry.testAccuracy !== undefined);
  return { run: directory, end, last, best: bestOf(config.recipe.monitor, evaluationsOf(log)), evaluation, device };
}
