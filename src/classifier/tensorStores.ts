import type { TensorStore } from "../checkpoint/tensorStore.ts";
import type { Program, Tensor } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import type { SgdTarget } from "../training/sgd.ts";

/** A program's weights by their names in a checkpoint. */
export function weightStore(program: Program, network: Network): TensorStore {
  const names = tensorNames(network);
  return storeOf(program, new Map(program.parameters.map(({ name, value }) => [names.get(name) ?? name, value])));
}

/** An optimizer's state by its names in a checkpoint: `velocity.` and the weight's name. */
export function velocityStore(program: Program, network: Network, targets: readonly SgdTarget[]): TensorStore {
  const names = tensorNames(network);
  const nameOf = new Map(program.parameters.map(({ name, value }) => [value, names.get(name) ?? name]));
  const velocities = targets.flatMap(({ value, velocity }) =>
    velocity ? [[`velocity.${nameOf.get(value)}`, velocity] as const] : [],
  );
  return storeOf(program, new Map(velocities));
}

function storeOf(program: Program, tensors: ReadonlyMap<string, Tensor>): TensorStore {
  const find = (name: string): Tensor => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${name}: not in this store`);
    return tensor;
  };
  return {
    tensors: [...tensors].map(([name, { shape }]) => ({ name, shape })),
    scratch: (length) => program.scratch(length),
    read: (name, into) => program.read(find(name), into),
    write: (name, values) => program.write(find(name), values),
  };
}
