/** A trained network in pieces, so that what comes out of its layers can be seen. */
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel, readWeights } from "../checkpoint/model.ts";
import type { TensorSink } from "../checkpoint/tensorStore.ts";
import type { AnyOp, Program } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import { type Network, operations, type PlacedLayer, place } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { compileOrF32, type OpenOptions } from "./openModel.ts";
import { selectEngine } from "./selectEngine.ts";
import { weightSink } from "./tensorStores.ts";

/** A trained network that gives the outputs of some of its layers. Calls must not overlap. */
export interface LayerOutputs {
  readonly model: Model;
  /** What it computes on, in words. */
  readonly engine: string;
  readonly layers: readonly PlacedLayer[];
  /**
   * The outputs of `layers` for `count` images, [count, …outputShape] each, as at evaluation; valid until the next call. Dropout that stays active is
   * drawn by `first` and the image's place.
   */
  forward(images: Float32Array, count: number, first?: number): Promise<readonly Float32Array[]>;
  close(): void;
}

/**
 * Opens a run directory (its best weights) or a weights file to see the outputs of the layers that `choose` names, in the network's order. What lies
 * behind the last is not computed.
 *
 * Throws CheckpointError if there is none or it is damaged, ConfigError for a layer that it has not.
 */
export async function openLayerOutputs(
  path: string,
  choose: (network: Network) => readonly string[],
  options: OpenOptions,
): Promise<LayerOutputs> {
  const file = await resolveModelFile(path);
  const model = await loadModel(file);
  const { network, precision, exact } = model;
  const ends = positionsOf(network, choose(network));
  const { engine, warning } = selectEngine(options.engine ?? "auto", options.threads);
  if (warning) options.onMessage?.(warning);
  const programs: Program[] = [];
  const close = () => {
    for (const program of programs) program.close();
    engine.close();
  };
  try {
    for (const ops of piecesOf(network, ends)) {
      const inputShape = ops[0]?.inputShape ?? network.input;
      const request = { ops, inputShape, batchSize: options.batchSize ?? 1, precision, exact };
      programs.push(await compileOrF32(engine, request, options));
    }
    await readWeights(file, sharedSink(programs, network));
  } catch (error) {
    close();
    throw error;
  }
  const placed = place(network);
  return {
    model,
    engine: engine.description,
    layers: ends.map((end) => placed[end] as PlacedLayer),
    forward: (images, count, first = 0) => runThrough(programs, images, count, first),
    close,
  };
}

function positionsOf({ name: of, layers }: Network, names: readonly string[]): readonly number[] {
  return names.map((name) => {
    const index = layers.findIndex((layer) => layer.name === name);
    if (index >= 0) return index;
    const known = layers.map((layer) => layer.name).join(", ");
    throw new ConfigError(`layer "${name}": ${of} has none of this name; its layers are ${known}`);
  });
}

async function runThrough(programs: readonly Program[], images: Float32Array, count: number, first: number) {
  const outputs: Float32Array[] = [];
  for (const program of programs) {
    outputs.push(await program.forward(outputs.at(-1) ?? images, count, { seed: 0, first }));
  }
  return outputs;
}

/** The operations up to the first end, from there to the second, and so on. */
function piecesOf(network: Network, ends: readonly number[]): readonly (readonly AnyOp[])[] {
  const all = operations(network);
  return ends.map((end, i) => all.slice((ends[i - 1] ?? -1) + 1, end + 1));
}

/** Gives each tensor of the file to the program that has it; those behind the last layer are checked and left. */
function sharedSink(programs: readonly Program[], network: Network): TensorSink {
  const sinks = programs.map((program) => weightSink(program, network));
  const owners = new Map(sinks.flatMap((sink) => sink.tensors.map(({ name }) => [name, sink] as const)));
  const names = tensorNames(network);
  const memory = programs[0] as Program;
  return {
    tensors: place(network).flatMap(({ layer, parameters }) =>
      parameters.map(({ name, shape }) => ({ name: names.get(`${layer.name}.${name}`) ?? name, shape })),
    ),
    scratch: (length) => memory.scratch(length),
    async write(name, values) {
      await owners.get(name)?.write(name, values);
    },
  };
}

/** The layer below the last that learns: its outputs are the features that classes are told by. Throws ConfigError if there is none. */
export function lastHiddenLayer(network: Network): string {
  const last = place(network).findLastIndex(({ parameters }) => parameters.length > 0);
  const hidden = network.layers[last - 1];
  if (hidden) return hidden.name;
  throw new ConfigError(`${network.name}: no layer below the last that learns: expected a hidden layer`);
}
