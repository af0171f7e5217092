/** A program's weights and an optimizer's state as tensors to save. */
import type { TensorSink, TensorStore } from "../checkpoint/tensorStore.ts";
import type { Parameter, Program, Tensor, TrainingProgram } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { sizeOf } from "../shape.ts";
import type { Optimizer } from "../training/optimizers/optimizer.ts";

/** Sink for a program's weights by their names in a checkpoint. */
export function weightSink(program: Program, network: Network): TensorSink {
  return sinkOf(program, weightsByName(program.parameters, network));
}

/** A program's weights, frozen ones too, by their names in a checkpoint. */
export function weightStore(program: TrainingProgram, network: Network): TensorStore {
  return storeOf(program, weightsByName([...program.parameters, ...program.frozen], network));
}

/** All weights by their names in a checkpoint, with their moving averages where there are some; undefined if the optimizer averages none. */
export function averageStore(
  program: TrainingProgram,
  network: Network,
  { averaged }: Optimizer,
  weights: TensorStore,
): TensorStore | undefined {
  if (!averaged) return undefined;
  const names = tensorNames(network);
  const average = storeOf(program, new Map([...averaged].map(([name, tensor]) => [names.get(name) ?? name, tensor])));
  const own = new Set(average.tensors.map(({ name }) => name));
  return { ...weights, read: (name, into) => (own.has(name) ? average : weights).read(name, into) };
}

/** An optimizer's state by its names in a checkpoint, such as `velocity.conv1.weight`. */
export function optimizerStore(program: TrainingProgram, network: Network, { state }: Optimizer): TensorStore {
  const names = tensorNames(network);
  const tensors = state.map(
    ({ name, parameter, tensor }) => [`${name}.${names.get(parameter) ?? parameter}`, tensor] as const,
  );
  return storeOf(program, new Map(tensors));
}

/** Bytes of a store's values. */
export function bytesOf(store: TensorStore): number {
  return store.tensors.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
}

/** Tensors in the network's order. */
function weightsByName(parameters: readonly Parameter[], network: Network): ReadonlyMap<string, Tensor> {
  const tensors = new Map(parameters.map(({ name, value }) => [name, value]));
  const stored = [...tensorNames(network)].flatMap(([name, storedName]) => {
    const tensor = tensors.get(name);
    return tensor ? [[storedName, tensor] as const] : [];
  });
  return new Map(stored);
}

function storeOf(program: TrainingProgram, tensors: ReadonlyMap<string, Tensor>): TensorStore {
  return { ...sinkOf(program, tensors), read: (name, into) => program.read(find(tensors, name), into) };
}

function sinkOf(program: Program, tensors: ReadonlyMap<string, Tensor>): TensorSink {
  return {
    tensors: [...tensors].map(([name, { shape }]) => ({ name, shape })),
    scratch: (length) => program.scratch(length),
    write: (name, values) => program.write(find(tensors, name), values),
    memoryOf: (name) => program.memoryOf?.(find(tensors, name)),
  };
}

function find(tensors: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`${name}: not in this store`);
  return tensor;
}
