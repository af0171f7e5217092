/** A run's network compiled for training: all of it, or the layers after frozen ones whose output is cached. */
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import type { Dataset } from "../dataset/dataset.ts";
import { validationSplit } from "../dataset/dataset.ts";
import type { Preparation } from "../dataset/prepare/preparation.ts";
import { createThreadedPreparation } from "../dataset/prepare/threadedPreparation.ts";
import { alone, type Communicator } from "../engine/communicator.ts";
import type { CompileRequest, Program, TrainingProgram } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import { weightStore } from "../model/tensorStores.ts";
import { operations } from "../network/network.ts";
import { partition } from "../network/partition.ts";
import type { Scheme } from "../network/schemes.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { formatDuration } from "../report/numbers.ts";
import { type Shape, sizeOf } from "../shape.ts";
import { trainingLoss } from "../training/objective/labelSettings.ts";
import type { Optimizer } from "../training/optimizers/optimizer.ts";
import type { Training } from "../training/train.ts";
import { digest, digestOfTensors, type FeatureSplit, type FrozenPart, withFeatures } from "./featureCache.ts";
import { keptLayers } from "./fineTunePlan.ts";
import type { PreparedRun } from "./runSetup.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** A compiled model, which owns the program and the cached features. */
export interface CompiledModel {
  readonly program: TrainingProgram;
  /** Weights of the whole network. */
  readonly weights: TensorStore;
  /**
   * Returns the data set as the program's input. Call it once, after writing the weights.
   *
   * Throws DataError if there is no disk space to cache features; the signal's reason if that is aborted.
   */
  inputs(observer: TrainObserver, signal: AbortSignal | undefined): Promise<Dataset>;
  close(): Promise<void>;
}

/**
 * Compiles a run's model, by default for one process. Throws ConfigError if the engine cannot train, ShapeError or NativeError if it cannot run the
 * network.
 */
export async function compileModel(
  run: PreparedRun,
  {
    communicator = alone,
    scheme = "data",
    batchSize = run.config.recipe.batchSize,
  }: { communicator?: Communicator; scheme?: Scheme; batchSize?: number } = {},
): Promise<CompiledModel> {
  const { network, precision, exact, fineTuning } = run.config;
  if (!run.engine.trains) throw new ConfigError(`engine ${run.engine.name}: cannot train; choose another --engine`);
  const ops = operations(network);
  const kept = fineTuning && fineTuning.keptViews > 0 ? keptLayers(network, fineTuning.frozen) : 0;
  const request: CompileRequest = {
    ops: ops.slice(kept),
    inputShape: ops[kept]?.inputShape ?? network.input,
    batchSize,
    precision,
    exact,
    frozen: fineTuning?.frozen ?? [],
    loss: trainingLoss(run.config.recipe, run.config.dataset.classNames, run.dataset.train),
  };
  const parts = partition(request.ops, scheme, communicator);
  const program = await run.engine.compileTraining({ ...request, ...parts, communicator });
  const head = weightStore(program, network);
  if (kept === 0) {
    return {
      program,
      weights: head,
      inputs: async () => run.dataset,
      close: async () => program.close(),
    };
  }
  const below = { ...request, ops: ops.slice(0, kept), inputShape: network.input };
  const memory = createMemoryStore(run, below);
  const opened: FeatureSplit[] = [];
  return {
    program,
    weights: joined(memory, head),
    inputs: (observer, signal) => keptInputs(run, below, memory, opened, observer, signal),
    async close() {
      program.close();
      for (const { close } of opened) await close();
    },
  };
}

/** Creates the preparation of a run's images, on the engine's threads; the caller closes it. */
export function runPreparation({ config, engine }: PreparedRun): Preparation {
  const { preprocessing, colours, recipe } = config;
  const { augmentation, seed } = recipe;
  return createThreadedPreparation({ preprocessing, random: { augmentation, seed, colours }, threads: engine.threads });
}

/** Returns the training loop's arguments; `dataset` comes from `CompiledModel.inputs`. */
export function runTraining(
  { config }: PreparedRun,
  program: TrainingProgram,
  optimizer: Optimizer,
  dataset: Dataset,
  preparation: Preparation,
): Training {
  const { recipe, preprocessing } = config;
  const { classNames } = config.dataset;
  const imageShape = [preprocessing.channels, ...preprocessing.size];
  return {
    program,
    optimizer,
    recipe,
    train: dataset.train,
    test: validationSplit(dataset),
    preparation,
    classNames,
    imageShape,
  };
}

/** Caches the features of both splits; adds them to `opened`, for closing. */
async function keptInputs(
  { config, dataset, engine }: PreparedRun,
  below: CompileRequest,
  weights: TensorStore,
  opened: FeatureSplit[],
  observer: TrainObserver,
  signal: AbortSignal | undefined,
): Promise<Dataset> {
  const { fineTuning } = config;
  const began = performance.now();
  let program: Program | undefined;
  const part = await frozenPart({ config, dataset, engine }, below, weights, async () => {
    program ??= await compileBelow(engine, below, weights, config.network);
    return program;
  });
  const { what } = part;
  const { onMessage } = observer;
  const options = { config, onProgress: observer.onFeatures, onMessage, signal };
  try {
    const keep = async (split: Dataset["test"], views: number) => {
      const features = await withFeatures(split, part, { ...options, views });
      opened.push(features);
      return features;
    };
    const train = await keep(dataset.train, fineTuning?.keptViews ?? 1);
    const test = await keep(validationSplit(dataset), 1);
    const computed = train.computed + test.computed;
    const seconds = formatDuration((performance.now() - began) / 1000);
    onMessage?.(
      computed > 0 ? `cached ${what} features of ${computed} images (${seconds})` : `using the cached ${what} features`,
    );
    return dataset.validation
      ? { ...dataset, train: train.split, validation: test.split }
      : { ...dataset, train: train.split, test: test.split };
  } finally {
    program?.close();
  }
}

async function frozenPart(
  { config, engine }: PreparedRun,
  below: CompileRequest,
  weights: TensorStore,
  program: () => Promise<Program>,
): Promise<FrozenPart> {
  const { description, name, version, threads } = engine;
  const last = below.ops.at(-1);
  const source = [below, await digestOfTensors(weights), config.preprocessing, description, name, version, threads];
  return {
    key: digest(JSON.stringify(source)),
    what: `${below.ops[0]?.name} … ${last?.name}`,
    batchSize: below.batchSize,
    threads,
    outputShape: last?.outputShape ?? below.inputShape,
    program,
  };
}

async function compileBelow(
  engine: PreparedRun["engine"],
  { frozen: _frozen, loss: _loss, ...request }: CompileRequest,
  weights: TensorStore,
  network: PreparedRun["config"]["network"],
): Promise<Program> {
  const program = await engine.compile(request);
  const names = tensorNames(network);
  for (const { name, value } of program.parameters) {
    const values = new Float32Array(sizeOf(value.shape));
    await program.write(value, await weights.read(names.get(name) as string, values));
  }
  return program;
}

/** Store in plain memory for the weights of layers that are not compiled for training. */
function createMemoryStore({ config: { network } }: PreparedRun, { ops }: CompileRequest): TensorStore {
  const names = tensorNames(network);
  const shapes = ops.flatMap((op) =>
    op.parameters.map(({ name, shape }) => [names.get(name) as string, shape] as const),
  );
  const values = new Map(shapes.map(([name, shape]) => [name, new Float32Array(sizeOf(shape))]));
  const find = (name: string) => {
    const found = values.get(name);
    if (!found) throw new Error(`${name}: not in this store`);
    return found;
  };
  return {
    tensors: shapes.map(([name, shape]: readonly [string, Shape]) => ({ name, shape })),
    async read(name, into) {
      into.set(find(name));
      return into;
    },
    async write(name, given) {
      find(name).set(given);
    },
  };
}

/** Combines two stores into one. */
function joined(first: TensorStore, second: TensorStore): TensorStore {
  const own = new Set(first.tensors.map(({ name }) => name));
  const storeOf = (name: string) => (own.has(name) ? first : second);
  return {
    tensors: [...first.tensors, ...second.tensors],
    scratch: (length) => second.scratch?.(length) ?? new Float32Array(length),
    read: (name, into) => storeOf(name).read(name, into),
    write: (name, values) => storeOf(name).write(name, values),
  };
}
