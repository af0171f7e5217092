/** Steps of a plan that exchange data with other processes. The plan of a single process has none. */
import type { Communicator, Gather } from "../communicator.ts";
import type { EngineTensor } from "./engineTensor.ts";
import type { Desc, NumberFormat } from "./native/oneDnn.ts";
import type { Built } from "./ops/op.ts";
import { batchPart, channelPart } from "./parts.ts";
import type { Plan, Value } from "./plan.ts";
import type { TensorMemory } from "./tensors.ts";

/** Activations to gather. */
export interface Gathered {
  readonly plan: Plan;
  readonly communicator: Communicator;
  readonly gather: Gather;
  /** This process's part. */
  readonly input: Value;
  /** Format of the whole. */
  readonly format: NumberFormat;
  /** Layout of the whole that the next operation reads; default: row order. */
  layoutOf(whole: Value): Desc | undefined;
}

/** Adds the exchange of activations, and their gradients' in the backward pass. */
export function buildGather(gathered: Gathered): Built {
  return builders[gathered.gather.axis](gathered);
}

const builders: Readonly<Record<Gather["axis"], (gathered: Gathered) => Built>> = {
  batch: gatherRows,
  features: gatherFeatures,
};

/** [rows, …] → [batchSize, …], in row order, so that the parts make the whole. */
function gatherRows({ plan, communicator, gather, input, format }: Gathered): Built {
  const { session } = plan;
  const { rank, size } = communicator;
  const [rows = 0, ...rest] = input.dims;
  const dims = [rows * size, ...rest];
  const own = plan.inLayout(input, session.plain(input.dims, format));
  const output = plan.value(dims, session.plain(dims, format));
  addExchange(plan, communicator, own, output, 1);
  return {
    output,
    covers: 0,
    backward(gradient, needed) {
      if (!needed) return undefined;
      if (gather.gradient === "own") return batchPart(session, plan.inLayout(gradient, output.desc), rank, size);
      const all = plan.inLayout(gradient, session.plain(dims, "f32"));
      const sum = plan.value(input.dims, session.plain(input.dims, "f32"));
      addScatterSum(plan, communicator, all, 1, sum);
      return sum;
    },
  };
}

/** [N, C / parts, …] → [N, C, …]. The parts are exchanged in the layout of the input, then copied to their channels. */
function gatherFeatures({ plan, communicator, gather, input, format, layoutOf }: Gathered): Built {
  const { session } = plan;
  const { rank, size } = communicator;
  const [n = 0, channels = 0, ...map] = input.dims;
  const dims = [n, channels * size, ...map];
  const parts = plan.parts(input.dims, input.desc, size);
  addExchange(plan, communicator, input, parts[0] as Value, size);
  const plain = session.plain(dims, format);
  const inRowOrder = plan.value(dims, plain);
  // Layouts in blocks of channels cannot be cut everywhere.
  const output = { ...inRowOrder, desc: layoutOf(inRowOrder) ?? plain };
  for (const [i, part] of parts.entries()) plan.copy(part, channelPart(session, output, i, size));
  return {
    output,
    covers: 0,
    backward(gradient, needed) {
      if (!needed) return undefined;
      const whole = plan.inLayout(gradient, output.desc);
      if (gather.gradient === "own") return plan.inLayout(channelPart(session, whole, rank, size), input.desc);
      // Sums are in f32 for any format of the activations.
      const layout = format === "f32" ? input.desc : session.plain(input.dims, "f32");
      const terms = plan.parts(input.dims, layout, size);
      for (const [i, term] of terms.entries()) plan.copy(channelPart(session, whole, i, size), term);
      const sum = plan.value(input.dims, layout);
      addScatterSum(plan, communicator, terms[0] as Value, size, sum);
      return sum;
    },
  };
}

/** Adds a step that gathers `own` of all processes into `count` values from `all` on. */
function addExchange(plan: Plan, communicator: Communicator, own: Value, all: Value, count: number): void {
  let views: { readonly own: Uint8Array; readonly all: Uint8Array } | undefined;
  plan.addCall(() => {
    views ??= { own: plan.bytesOf(own), all: plan.bytesOf(all, count) };
    communicator.gather(views.own, views.all);
    communicator.wait();
  }, [own, all]);
}

/** Adds a step that sums part i of `count` f32 values from `all` on over all processes, in process i. */
function addScatterSum(plan: Plan, communicator: Communicator, all: Value, count: number, own: Value): void {
  const numbers = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
    new Float32Array(buffer, byteOffset, byteLength / 4);
  let views: { readonly all: Float32Array; readonly own: Float32Array } | undefined;
  plan.addCall(() => {
    views ??= { all: numbers(plan.bytesOf(all, count)), own: numbers(plan.bytesOf(own)) };
    communicator.scatterSum(views.all, views.own);
    communicator.wait();
  }, [all, own]);
}

/** Adds a step that starts to sum gradients over all processes, while later steps compute. */
export function addSums(
  plan: Plan,
  communicator: Communicator,
  memory: TensorMemory,
  gradients: readonly EngineTensor[],
): void {
  if (gradients.length === 0) return;
  let views: readonly Float32Array[] | undefined;
  plan.addCall(() => {
    views ??= gradients.map((gradient) => memory.valuesOf(gradient));
    for (const view of views) communicator.sum(view);
  }, []);
}

/** Adds a step that waits for all sums. */
export function addWait(plan: Plan, communicator: Communicator): void {
  plan.addCall(() => communicator.wait(), []);
}
