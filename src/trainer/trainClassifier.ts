/** Trains a classifier in a run directory. */
import { recordingDivergence } from "../checkpoint/divergence.ts";
import { evaluationsOf, type LogEntry } from "../checkpoint/runLog.ts";
import type { Dataset } from "../dataset/dataset.ts";
import { alone } from "../engine/communicator.ts";
import { DivergenceError, PeerError } from "../errors.ts";
import { nameDataset } from "../settings/datasetObject.ts";
import { type RunLocation, type RunPlan, resolve } from "../settings/resolve.ts";
import type { RunSettings } from "../settings/settings.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { bestOf } from "../training/monitor.ts";
import type { TrainingEnd } from "../training/train.ts";
import { compileModel, runPreparation } from "./compiledModel.ts";
import { joinRecorder } from "./jointRecorder.ts";
import { claimDirectory, type LoadedRun, loadRun, type RunStart, readStart } from "./loadRun.ts";
import { firstThenOthers, type Job, oneProcess, shareStop, together } from "./processes.ts";
import { type ReportedRun, reportBest } from "./reportRun.ts";
import { type Stretch, trainGuarded } from "./rollback.ts";
import { createRecorder, createSilentRecorder } from "./runRecorder.ts";
import { type PreparedRun, prepareRun } from "./runSetup.ts";
import { requireSameRun } from "./sameRun.ts";
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

/**
 * Like `trainClassifier`, for a resolved plan. All processes of a communicator call it with the same plan; process 0 alone writes and calls the
 * observer. The default scheme is that of the stored run, or `data`. Throws PeerError in the others for an error that process 0 reports.
 */
export async function trainRun(
  plan: RunPlan,
  call: TrainCall = {},
  { communicator, scheme = plan.stored?.parallel ?? "data" }: Partial<Job> & Pick<Job, "communicator"> = oneProcess,
): Promise<TrainResult> {
  const { observer = {}, command = "trainClassifier", signal } = call;
  const isFirst = communicator.rank === 0;
  const own: OwnCall = { ...call, observer: isFirst ? observer : {}, communicator, scheme };
  const claimed = await together(communicator, async () => (isFirst ? await claimDirectory(plan) : undefined));
  try {
    const prepared = await firstThenOthers(communicator, () =>
      prepareRun(plan, { command, observer: own.observer, signal, communicator, scheme }),
    );
    try {
      return await trainPrepared(plan, prepared, own);
    } finally {
      prepared.engine.close();
      prepared.dataset.close?.();
    }
  } catch (error) {
    // All processes see the same divergence.
    if (isFirst || !(error instanceof DivergenceError)) throw error;
    throw new PeerError(error.message, error.exitCode);
  } finally {
    await claimed?.release();
  }
}

/** The call of one process. */
interface OwnCall extends TrainCall, Job {
  readonly observer: TrainObserver;
}

async function trainPrepared(
  { directory, divergence }: RunPlan,
  prepared: PreparedRun,
  call: OwnCall,
): Promise<TrainResult> {
  const run = await readStart(directory, prepared, call.observer, call);
  if (run.isFinished) call.observer.onMessage?.(finishedText(run));
  // A process that was killed at the end of training leaves a run without a report, which process 0 writes alone.
  if (run.isFinished && (run.isReported || call.communicator.rank > 0)) {
    return resultOf(run, "already finished", run.log, undefined);
  }
  const communicator = run.isFinished ? alone : call.communicator;
  const model = await together(communicator, () => compileModel(prepared, { communicator, scheme: call.scheme }));
  const preparation = runPreparation(prepared);
  try {
    await together(communicator, () =>
      requireSameRun({ communicator, scheme: call.scheme }, prepared, model.program.memory.gradients),
    );
    const loaded = await loadRun(run, prepared, model, preparation, { ...call, communicator });
    const trained = { ...loaded, program: model.program, engine: prepared.engine };
    if (run.isFinished) return await report(trained, "already finished", call);
    return await trainAndReport(trained, prepared, divergence, call);
  } finally {
    preparation.close();
    await model.close();
  }
}

/** Why a finished run is not trained, and how to train on. */
function finishedText({ directory, start, config: { recipe } }: RunStart): string {
  return start.epoch < recipe.epochs
    ? `${directory}: stopped early after epoch ${start.epoch}; to train on, start a new run with --from ${directory}`
    : `${directory}: already finished; for more epochs: alexnet train --run ${directory} --resume --epochs N`;
}

async function trainAndReport(
  run: LoadedRun & ReportedRun,
  prepared: PreparedRun,
  policy: RunPlan["divergence"],
  call: OwnCall,
): Promise<TrainResult> {
  const { directory, config, start, log, training, program } = run;
  const { observer, maxMinutes = Infinity, communicator } = call;
  const isFirst = communicator.rank === 0;
  const epoch = start.epoch + start.images / training.train.length;
  observer.onStart?.({ directory, config, epoch, iteration: start.iteration });
  const deadline = isFirst ? performance.now() + maxMinutes * 60_000 : Infinity;
  const stop = shareStop(communicator, call.signal);
  const create = isFirst ? createRecorder : createSilentRecorder;
  const guarded = {
    ...run,
    observer,
    policy,
    record: async (from: Stretch) =>
      joinRecorder(
        communicator,
        run.joint,
        stop,
        await create({ ...run, ...from, observer, signal: stop.signal, deadline }),
      ),
  };
  const train = () => trainGuarded(guarded, { start, log });
  const { position, end, recorder } = await (isFirst ? recordingDivergence(directory, train) : train());
  await recorder.save(position);
  // Otherwise the report draws them.
  if (end === "interrupt") await recorder.draw();
  if (end === "interrupt" || !isFirst) return resultOf(run, end, recorder.log, recorder.bestEvaluation());
  // Process 0 reports alone, with a program of its own in the memory of the joint one.
  if (communicator.size > 1) program.close();
  const own = communicator.size > 1 ? await ownProgram(prepared, call) : {};
  return report({ ...run, log: recorder.log, ...own }, end, call);
}

/** Program and weights of this process alone, for its part of a batch of images; the engine closes them. */
async function ownProgram(prepared: PreparedRun, { communicator }: Job) {
  const batchSize = Math.ceil(prepared.config.recipe.batchSize / communicator.size);
  const { program, weights } = await compileModel(prepared, { batchSize });
  return { program, weights };
}

/** Evaluates and reports a run that has ended. */
async function report(run: LoadedRun & ReportedRun, end: TrainResult["end"], call: TrainCall): Promise<TrainResult> {
  const evaluation = await reportBest(run, call);
  return resultOf(run, evaluation ? end : "interrupt", run.log, evaluation);
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
