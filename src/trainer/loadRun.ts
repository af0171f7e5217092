/** Start of a training run: its directory, position, weights and data. */
import { mkdir } from "node:fs/promises";
import { checkFreeSpace, loadCheckpoint, restoreCheckpoint, type StoredCheckpoint } from "../checkpoint/checkpoint.ts";
import { fileExists } from "../checkpoint/checkpointFiles.ts";
import { explainingWrites } from "../checkpoint/durable.ts";
import { openRun, writeConfig } from "../checkpoint/runDirectory.ts";
import { readLog, truncateLog } from "../checkpoint/runLog.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import type { Communicator } from "../engine/communicator.ts";
import { averageStore, bytesOf, optimizerStore } from "../model/tensorStores.ts";
import { removeEmptyFolders } from "../runs/runFolders.ts";
import { reportFile } from "../runs/runReport.ts";
import { directoryTaken, type RunPlan } from "../settings/resolve.ts";
import { type RunConfig, readRunConfig } from "../settings/runConfig.ts";
import { createOptimizer } from "../training/optimizers/optimizer.ts";
import { initialPosition, isFinished, type Position } from "../training/state.ts";
import type { Training } from "../training/train.ts";
import { type CompiledModel, runTraining } from "./compiledModel.ts";
import { trainedRecipe } from "./fineTunePlan.ts";
import { writeInitialWeights } from "./initialWeights.ts";
import { createJointStores, type JointStores } from "./jointStores.ts";
import { firstThenOthers, fromFirst, type Job, together } from "./processes.ts";
import { readPosition, type Stretch } from "./rollback.ts";
import { noteOtherAlgorithms, type PreparedRun } from "./runSetup.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** A run directory that this process has locked. */
export interface ClaimedDirectory {
  /** Unlocks it, and removes it if nothing was written. */
  release(): Promise<void>;
}

/** Locks the directory of a plan. Throws ConfigError if another process has started a run there since the plan was made. */
export async function claimDirectory({ directory, stored }: RunPlan): Promise<ClaimedDirectory> {
  const created = await explainingWrites(directory, () => mkdir(directory, { recursive: true }));
  const run = await openRun(directory);
  const release = async () => {
    await run.close();
    await removeEmptyFolders(directory, created);
  };
  try {
    if (!stored && (await readRunConfig(directory))) throw directoryTaken(directory);
    return { release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** A run in its directory, and the start position of this call. */
export interface RunStart extends Stretch {
  readonly directory: string;
  readonly config: RunConfig;
  /** Present in process 0 of a run that is resumed. */
  readonly checkpoint: StoredCheckpoint | undefined;
  /** True if the run has a checkpoint. */
  readonly isResumed: boolean;
  /** True if nothing is left to train. */
  readonly isFinished: boolean;
  /** True if the run has a report. */
  readonly isReported: boolean;
  readonly device: string;
}

/** A run whose weights and data are in place. Its stores are joint ones of all processes. */
export interface LoadedRun extends RunStart {
  readonly training: Training;
  readonly joint: JointStores;
  readonly weights: TensorStore;
  /** The optimizer's state. */
  readonly optimizer: TensorStore;
  readonly average: TensorStore | undefined;
  readonly dataset: PreparedRun["dataset"];
}

/** Reads a run's position from its directory: process 0 does, for all of them. */
export async function readStart(
  directory: string,
  { config, engine }: PreparedRun,
  observer: TrainObserver,
  { communicator, scheme }: Job,
): Promise<RunStart> {
  let checkpoint: StoredCheckpoint | undefined;
  const read = await fromFirst(communicator, async () => {
    checkpoint = await loadCheckpoint(directory);
    for (const warning of checkpoint?.warnings ?? []) observer.onMessage?.(warning);
    const start: Position = checkpoint ? readPosition(checkpoint) : initialPosition;
    return {
      start,
      log: (await readLog(directory)).filter(({ iteration }) => iteration <= start.iteration),
      isResumed: checkpoint !== undefined,
      isReported: await fileExists(reportFile(directory)),
    };
  });
  return {
    ...read,
    directory,
    config,
    checkpoint,
    isFinished: isFinished(read.start, config.recipe),
    device: deviceOf({ config, engine }, { communicator, scheme }),
  };
}

function deviceOf(
  { config, engine }: Pick<PreparedRun, "config" | "engine">,
  { communicator: { size, description }, scheme }: Job,
): string {
  const device = `${engine.description}, ${config.machine.cpu}`;
  return size === 1 ? device : `${description} (${scheme}) of ${device}`;
}

/** Loads weights, optimizer state and data; writes a new run to its directory after all of them have loaded. */
export async function loadRun(
  run: RunStart,
  prepared: PreparedRun,
  model: CompiledModel,
  preparation: Training["preparation"],
  {
    observer,
    signal,
    communicator,
  }: { observer: TrainObserver; signal?: AbortSignal | undefined; communicator: Communicator },
): Promise<LoadedRun> {
  const { config, isResumed } = run;
  const { network, recipe } = config;
  const { program } = model;
  const joint = createJointStores(communicator, network);
  const optimizer = createOptimizer(program, trainedRecipe(recipe, network, config.fineTuning));
  const weights = joint.join(model.weights);
  const state = joint.join(optimizerStore(program, network, optimizer));
  const ownAverage = averageStore(program, network, optimizer, model.weights);
  const average = ownAverage && joint.join(ownAverage);
  const isFirst = communicator.rank === 0;
  await joint.lead(() => fillStores(run, { weights, state, average }));
  if (!isResumed) optimizer.start();
  const dataset = await firstThenOthers(communicator, () => model.inputs(observer, signal));
  await together(communicator, async () => {
    if (isFirst) await writeStart(run, program.algorithms, observer);
  });
  const training = runTraining(prepared, program, optimizer, dataset, preparation);
  return { ...run, training, joint, weights, optimizer: state, average, dataset };
}

interface Stores {
  readonly weights: TensorStore;
  readonly state: TensorStore;
  readonly average: TensorStore | undefined;
}

/** Restores a checkpoint, or writes initial weights. Throws CheckpointError if the disk has no room for checkpoints. */
async function fillStores(
  { directory, config, checkpoint }: RunStart,
  { weights, state, average }: Stores,
): Promise<void> {
  const best = average ? bytesOf(average) : 0;
  await checkFreeSpace(directory, { weights: bytesOf(weights), optimizer: bytesOf(state), best });
  if (checkpoint) await restoreCheckpoint(checkpoint, weights, state);
  else await writeInitialWeights(weights, config);
}

/** Writes a run's configuration: a run that cannot start leaves no directory. */
async function writeStart(
  { directory, config, checkpoint, start }: RunStart,
  algorithms: CompiledModel["program"]["algorithms"],
  observer: TrainObserver,
): Promise<void> {
  if (checkpoint) noteOtherAlgorithms(config, algorithms, observer);
  const stored = checkpoint && (await readRunConfig(directory));
  const recorded = checkpoint || !algorithms ? config : { ...config, algorithms: { ...algorithms } };
  if (stored?.recipe.epochs !== config.recipe.epochs) await writeConfig(directory, recorded);
  await truncateLog(directory, start.iteration, start.rollbacks.count);
}
