/** What of a run's network is compiled for training: all of it, or what stands behind frozen layers whose output is kept. */
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import type { Dataset } from "../dataset/dataset.ts";
import { validationSplit } from "../dataset/dataset.ts";
import type { CompileRequest, Program, TrainingProgram } from "../engine/engine.ts";
import { weightStore } from "../model/tensorStores.ts";
import { operations } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { formatDuration } from "../report/numbers.ts";
import { type Shape, sizeOf } from "../shape.ts";
import { digest, digestOfTensors, type FeatureSplit, withFeatures } from "./featureCache.ts";
import { keptLayers } from "./fineTunePlan.ts";
import type { PreparedRun } from "./runSetup.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** Owns the program, and features that are kept. */
export interface TrainedPart {
  readonly program: TrainingProgram;
  /** The weights of the whole network. */
  readonly weights: TensorStore;
  /**
   * The data set as the program takes it; call it once, when the weights are in place.
   *
   * Throws DataError if features are to be kept and there is no room; the signal's reason if that is aborted.
   */
  inputs(observer: TrainObserver, signal: AbortSignal | undefined): Promise<Dataset>;
  close(): Promise<void>;
}

/** Compiles what a run trains. Throws ShapeError or NativeError where the engine cannot have it. */
export async function compileTrainedPart(run: PreparedRun): Promise<TrainedPart> {
  const { network, recipe, precision, exact, fineTuning } = run.config;
  const ops = operations(network);
  const kept = fineTuning && fineTuning.keptViews > 0 ? keptLayers(network, fineTuning.frozen) : 0;
  const request: CompileRequest = {
    ops: ops.slice(kept),
    inputShape: ops[kept]?.inputShape ?? network.input,
    batchSize: recipe.batchSize,
    precision,
    exact,
    frozen: fineTuning?.frozen ?? [],
  };
  const program = await run.engine.compileTraining(request);
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

/** Adds what must be closed to `opened`. */
async function keptInputs(
  { config, dataset, engine }: PreparedRun,
  below: CompileRequest,
  weights: TensorStore,
  opened: FeatureSplit[],
  observer: TrainObserver,
  signal: AbortSignal | undefined,
): Promise<Dataset> {
  const { description, name, version, threads } = engine;
  const { preprocessing, fineTuning } = config;
  const last = below.ops.at(-1);
  const what = `${below.ops[0]?.name} … ${last?.name}`;
  const began = performance.now();
  let program: Program | undefined;
  const part = {
    key: digest(
      JSON.stringify([below, await digestOfTensors(weights), preprocessing, description, name, version, threads]),
    ),
    what,
    batchSize: below.batchSize,
    threads,
    outputShape: last?.outputShape ?? below.inputShape,
    async program() {
      program ??= await compileBelow(engine, below, weights, config.network);
      return program;
    },
  };
  const watched = validationSplit(dataset);
  const { onMessage } = observer;
  const options = { config, onProgress: observer.onFeatures, onMessage, signal };
  try {
    const keep = async (split: Dataset["test"], views: number) => {
      const features = await withFeatures(split, part, { ...options, views });
      opened.push(features);
      return features;
    };
    const train = await keep(dataset.train, fineTuning?.keptViews ?? 1);
    const test = await keep(watched, 1);
    const computed = train.computed + test.computed;
    const seconds = formatDuration((performance.now() - began) / 1000);
    onMessage?.(
      computed > 0
        ? `features: ${computed} pictures through ${what} in ${seconds}, kept from now on`
        : `features: the output of ${what} was kept before`,
    );
    return dataset.validation
      ? { ...dataset, train: train.split, validation: test.split }
      : { ...dataset, train: train.split, test: test.split };
  } finally {
    program?.close();
  }
}

async function compileBelow(
  engine: PreparedRun["engine"],
  { frozen: _frozen, ...request }: CompileRequest,
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

/** The weights of layers that are not compiled for training, in plain memory. */
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

/** Two stores as one. */
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
