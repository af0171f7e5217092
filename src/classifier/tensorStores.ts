import type { TensorSink, TensorStore } from "../checkpoint/tensorStore.ts";
import type { Parameter, Program, Tensor, TrainingProgram } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import type { SgdTarget } from "../training/sgd.ts";

/** Takes a program's weights by their names in a checkpoint. */
export function weightSink(program: Program, network: Network): TensorSink {
  return sinkOf(program, weightsByName(program.parameters, network));
}

/** A program's weights, frozen ones too, by their names in a checkpoint. */
export function weightStore(program: TrainingProgram, network: Network): TensorStore {
  return storeOf(program, weightsByName([...program.parameters, ...program.frozen], network));
}

/** An optimizer's state by its names in a checkpoint: `velocity.` and the weight's name. */
export function velocityStore(program: TrainingProgram, network: Network, targets: readonly SgdTarget[]): TensorStore {
  const names = tensorNames(network);
  const nameOf = new Map(program.parameters.map(({ name, value }) => [value, names.get(name) ?? name]));
  const velocities = targets.flatMap(({ value, velocity }) =>
    velocity ? [[`velocity.${nameOf.get(value)}`, velocity] as const] : [],
  );
  return storeOf(program, new Map(velocities));
}

/** In the network's order. */
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
  };
}

function find(tensors: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`${name}: not in this store`);
  return tensor;
}
