/** Steps of a plan that exchange data with other processes. The plan of a single process has none. */
import type { Communicator } from "../communicator.ts";
import type { EngineTensor } from "./engineTensor.ts";
import { batchPart } from "./parts.ts";
import type { Plan, Value } from "./plan.ts";
import type { TensorMemory } from "./tensors.ts";

/** Adds a step that gathers the rows of all processes. Shapes: [rows, …] → [batchSize, …], in row order. */
export function addGather(plan: Plan, communicator: Communicator, own: Value): Value {
  if (communicator.size === 1) return own;
  const [rows = 0, ...rest] = own.dims;
  const dims = [rows * communicator.size, ...rest];
  const all = plan.value(dims, plan.session.plain(dims, "f32"));
  let views: { readonly own: Float32Array; readonly all: Float32Array } | undefined;
  plan.addCall(() => {
    views ??= { own: plan.view(own), all: plan.view(all) };
    communicator.gather(views.own, views.all);
    communicator.wait();
  }, [own, all]);
  return all;
}

/** This process's rows of a gathered value's gradient. */
export function ownRows(plan: Plan, { rank, size }: Communicator, gradient: Value): Value {
  return size === 1 ? gradient : batchPart(plan.session, gradient, rank, size);
}

/** Adds a step that starts to sum gradients over all processes, while later steps compute. */
export function addSums(
  plan: Plan,
  communicator: Communicator,
  memory: TensorMemory,
  gradients: readonly EngineTensor[],
): void {
  if (communicator.size === 1 || gradients.length === 0) return;
  let views: readonly Float32Array[] | undefined;
  plan.addCall(() => {
    views ??= gradients.map((gradient) => memory.valuesOf(gradient));
    for (const view of views) communicator.sum(view);
  }, []);
}

/** Adds a step that waits for all sums. */
export function addWait(plan: Plan, communicator: Communicator): void {
  if (communicator.size > 1) plan.addCall(() => communicator.wait(), []);
}
