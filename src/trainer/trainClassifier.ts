/** Trains a classifier in a run directory. */
import { mkdir } from "node:fs/promises";
import { checkFreeSpace, loadCheckpoint, restoreCheckpoint } from "../checkpoint/checkpoint.ts";
import { fileExists } from "../checkpoint/checkpointFiles.ts";
import { recordingDivergence } from "../checkpoint/divergence.ts";
import { explainingWrites } from "../checkpoint/durable.ts";
import { openRun, writeConfig } from "../checkpoint/runDirectory.ts";
import { type LogEntry, readLog, truncateLog } from "../checkpoint/runLog.ts";
import { averageStore, bytesOf, optimizerStore } from "../model/tensorStores.ts";
import { removeEmptyFolders } from "../runs/runFolders.ts";
import { reportFile, writeReport } from "../runs/runReport.ts";
import { directoryTaken, type RunLocation, type RunPlan, resolve } from "../settings/resolve.ts";
import { readRunConfig } from "../settings/runConfig.ts";
import type { RunSettings } from "../settings/settings.ts";
import { evaluate } from "../training/evaluation/evaluate.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { createOptimizer } from "../training/optimizers/optimizer.ts";
import { initialPosition, isFinished } from "../training/state.ts";
import type { TrainingEnd } from "../training/train.ts";
import { compileTrainedPart } from "./compiledModel.ts";
import { trainedRecipe } from "./fineTunePlan.ts";
import { writeInitialWeights } from "./initialWeights.ts";
import { type Stretch, trainGuarded } from "./rollback.ts";
import { createRecorder } from "./runRecorder.ts";
import { type PreparedRun, prepareRun } from "./runSetup.ts";
import { runPreparation, runTraining } from "./runTraining.ts";
import { readPosition } from "./storedState.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** One call of training, whatever is trained. */
export interface TrainCall {
  /** Stop after n minutes of this call's training, with an evaluation; the run can be resumed. */
  readonly maxMinutes?: number;
  /** Aborting saves and ends within an iteration. */
  readonly signal?: AbortSignal;
  readonly observer?: TrainObserver;
  /** The command line, for the record. */
  readonly command?: string;
}

/** What to train, how, and where to keep it; everything has a default. */
export interface TrainOptions extends RunSettings, RunLocation, TrainCall {}

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
  return trainRun(await resolve(options), options);
}

/** Trains a run that is resolved; otherwise as `trainClassifier`. */
export async function trainRun(plan: RunPlan, call: TrainCall = {}): Promise<TrainResult> {
  const { directory } = plan;
  const { observer, command = "trainClassifier", signal } = call;
  const created = await explainingWrites(directory, () => mkdir(directory, { recursive: true }));
  const run = await openRun(directory);
  try {
    // Another process may have started one since the plan was made.
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

async function trainPrepared(
  { directory, divergence: policy }: RunPlan,
  prepared: PreparedRun,
  call: TrainCall,
): Promise<TrainResult> {
  const { config, engine } = prepared;
  const { network, recipe } = config;
  const { classNames } = config.dataset;
  const { observer = {}, signal, maxMinutes } = call;
  const checkpoint = await loadCheckpoint(directory);
  for (const warning of checkpoint?.warnings ?? []) observer.onMessage?.(warning);
  const start = checkpoint ? readPosition(checkpoint) : initialPosition;
  const device = `${engine.description}, ${config.machine.cpu}`;
  const log = (await readLog(directory)).filter(({ iteration }) => iteration <= start.iteration);
  const lastOf = (entries: readonly LogEntry[]) => entries.findLast((entry) => entry.testAccuracy !== undefined);
  const finished = isFinished(start, recipe);
  // A process that died at the very end leaves a run without its report.
  if (finished && (await fileExists(reportFile(directory)))) {
    return { run: directory, end: "already finished", last: lastOf(log), evaluation: undefined, device };
  }
  const part = await compileTrainedPart(prepared);
  const { program, weights } = part;
  const preparation = runPreparation(prepared);
  try {
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
    const dataset = await part.inputs(observer, signal);
    // From here on there is a run in the directory: what cannot even start leaves none.
    if (!checkpoint) await writeConfig(directory, config);
    await truncateLog(directory, start.iteration, start.rollbacks.count);
    const { iteration } = start;
    const epoch = start.epoch + start.images / dataset.train.length;
    if (!finished) observer.onStart?.({ directory, config, epoch, iteration });
    const deadline = performance.now() + (maxMinutes ?? Infinity) * 60_000;
    const training = runTraining(prepared, program, optimizer, dataset, preparation);
    const stores = { directory, weights, optimizer: state, observer };
    const record = (from: Stretch) => createRecorder({ ...stores, ...from, average, config, signal, deadline });
    const {
      position,
      end: ended,
      recorder,
    } = await recordingDivergence(directory, () =>
      trainGuarded({ ...stores, training, policy, record }, { start, log }),
    );
    if (!finished) await recorder.save(position);
    return await optimizer.withAverage(async () => {
      const evaluation = finished
        ? await evaluate(program, { split: training.test, preparation, classNames, seed: recipe.seed, signal })
        : recorder.evaluation();
      const isStopped = finished && !evaluation;
      const end = isStopped ? "interrupt" : ended;
      if (end !== "interrupt") {
        await writeReport({ directory, config, dataset, program, weights, log: recorder.log, evaluation, device });
      }
      return {
        run: directory,
        end: finished && !isStopped ? "already finished" : end,
        last: lastOf(recorder.log),
        evaluation,
        device,
      };
    });
  } finally {
    preparation.close();
    await part.close();
  }
}
