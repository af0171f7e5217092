/** A chain of operations in segments, between which several processes exchange activations. */
import { learned } from "../../learned.ts";
import type { Shape } from "../../shape.ts";
import { alone, type BatchRows, type Communicator, firstRows, type Gather, ownCount } from "../communicator.ts";
import type { CompileRequest } from "../engine.ts";
import { Chain, GradientChain } from "./chain.ts";
import type { Draw } from "./operation.ts";

/** The random numbers of a row of the batch. */
export type RowDraw = (row: number) => Draw;

/** Consecutive operations without an exchange between them. */
export interface Segment {
  readonly chain: Chain;
  /** Rows of the batch that this process computes. */
  readonly rows: BatchRows;
  /** Exchange of the output; undefined if this process continues with its own. */
  readonly gather: Gather | undefined;
}

/** Cuts a request's chain at its gathers. Each chain has memory for its rows; without `keepsRows`, for one image at a time. */
export function segmentsOf(
  { ops, inputShape, batchSize, communicator = alone, gathers = [], frozen = [] }: CompileRequest,
  keepsRows: boolean,
): readonly Segment[] {
  const segments: Segment[] = [];
  let [start, shape]: [number, Shape] = [0, inputShape];
  let rows = firstRows(communicator, gathers, batchSize);
  const cut = (end: number, gather: Gather | undefined) => {
    const own = ops.slice(start, end);
    segments.push({ chain: new Chain(own, shape, keepsRows ? rows.count : 1, frozen), rows, gather });
    if (gather?.axis === "batch") rows = { first: 0, count: batchSize };
    [start, shape] = [end, ops[end]?.inputShape ?? []];
  };
  for (const [i, { name }] of ops.entries()) {
    const gather = gathers.find(({ before }) => before === name);
    if (gather) cut(i, gather);
  }
  cut(
    ops.length,
    gathers.find(({ before }) => before === undefined),
  );
  return segments;
}

/** Output of the chain for the first `count` images of the batch, of which this process passes in its rows. Shape: [batchSize, …]. */
export function forwardSegments(
  segments: readonly Segment[],
  communicator: Communicator,
  images: Float32Array,
  count: number,
  draw: RowDraw,
): Float64Array {
  let outputs: Float64Array = new Float64Array(0);
  let inputs: Float32Array | Float64Array = images;
  for (const { chain, rows, gather } of segments) {
    const [inputSize, outputSize] = sizesOf(chain);
    outputs = new Float64Array(rows.count * outputSize);
    const own = ownCount(rows, count);
    // All images together if there is memory for them, so that they can share statistics.
    for (let first = 0; first < own; first += chain.activations.length) {
      const memory = chain.activations.slice(0, own - first);
      for (const [i, activations] of memory.entries()) {
        activations[0]?.set(inputs.subarray((first + i) * inputSize, (first + i + 1) * inputSize));
      }
      chain.forwardFrom(0, [...memory.keys()], (i) => draw(rows.first + first + i));
      for (const [i, activations] of memory.entries()) {
        outputs.set(activations.at(-1) as Float64Array, (first + i) * outputSize);
      }
    }
    if (gather) outputs = gathered(gather, communicator, outputs, rows.count);
    inputs = outputs;
  }
  return outputs;
}

/** Sizes of a chain's input and output for one image. */
function sizesOf({ activations }: Chain): readonly [input: number, output: number] {
  const [row = []] = activations;
  return [row[0]?.length ?? 0, row.at(-1)?.length ?? 0];
}

/** Gradients of segments, in their order. */
export class GradientSegments {
  readonly #segments: readonly Segment[];
  readonly #communicator: Communicator;
  readonly #chains: readonly GradientChain[];
  /** The lowest segment with a gradient. */
  readonly #lowest: number;
  readonly #batchSize: number;

  /** Gradients reach the images if they are requested; otherwise the first trained operation. */
  constructor(
    segments: readonly Segment[],
    { batchSize, communicator = alone, inputGradient = false, frozen = [] }: CompileRequest,
  ) {
    this.#segments = segments;
    this.#communicator = communicator;
    this.#batchSize = batchSize;
    const learns = ({ chain }: Segment) =>
      chain.ops.some((op) => learned(op.parameters).length > 0 && !frozen.includes(op.name));
    const first = segments.findIndex(learns);
    this.#lowest = inputGradient ? 0 : first < 0 ? segments.length : first;
    this.#chains = segments.map(({ chain }, i) => {
      const passesOn = inputGradient || i > this.#lowest;
      return new GradientChain(chain, passesOn ? "input" : "parameters", frozen);
    });
  }

  /** Gradients of all parameters that are trained. */
  get parameters() {
    return this.#chains.flatMap(({ parameters }) => parameters.flat());
  }

  /** Size in bytes of the activations' gradients. */
  get activationBytes(): number {
    return this.#chains.reduce((bytes, chain) => bytes + chain.activationBytes, 0);
  }

  /**
   * Computes the parameter gradients of the first `count` images from the gradient of the output, [batchSize, …], and sums them over the processes that
   * divide the batch. Returns the gradient of this process's images, if gradients reach them.
   */
  backward(outputGradient: Float64Array, count: number, draw: RowDraw): Float64Array {
    let gradient = outputGradient;
    for (const chain of this.#chains) chain.clear();
    for (let s = this.#segments.length - 1; s >= this.#lowest; s--) {
      const { chain, rows, gather } = this.#segments[s] as Segment;
      const gradients = this.#chains[s] as GradientChain;
      const [inputSize, outputSize] = sizesOf(chain);
      if (gather) gradient = ownGradient(gather, this.#communicator, gradient, rows.count);
      const inputGradient = new Float64Array(rows.count * inputSize);
      const own = Array.from({ length: ownCount(rows, count) }, (_, r) => r);
      const outputs = gradient;
      gradients.backwardAll(
        own,
        (r) => draw(rows.first + r),
        (r) => outputs.subarray(r * outputSize, (r + 1) * outputSize),
      );
      for (const r of own) inputGradient.set(gradients.inputGradient(r), r * inputSize);
      if (rows.count < this.#batchSize) {
        for (const { values } of gradients.parameters.flat()) this.#communicator.sum(values);
      }
      gradient = inputGradient;
    }
    this.#communicator.wait();
    return gradient;
  }
}

/** Parts of all processes → the whole. */
function gathered({ axis }: Gather, communicator: Communicator, own: Float64Array, rows: number): Float64Array {
  const { size } = communicator;
  const all = new Float64Array(size * own.length);
  communicator.gather(own, all);
  communicator.wait();
  return axis === "batch" ? all : rearranged(all, size, rows, "whole");
}

/** Gradient of the whole → that of this process's part; `rows` are those of the part. */
function ownGradient(
  { axis, gradient: terms }: Gather,
  communicator: Communicator,
  gradient: Float64Array,
  rows: number,
): Float64Array {
  const { rank, size } = communicator;
  const parts = axis === "batch" ? gradient : rearranged(gradient, size, rows, "parts");
  const length = parts.length / size;
  if (terms === "own") return parts.slice(rank * length, (rank + 1) * length);
  const own = new Float64Array(length);
  communicator.scatterSum(parts, own);
  communicator.wait();
  return own;
}

/** [parts, rows, features of a part] ↔ [rows, features]. */
function rearranged(from: Float64Array, count: number, rows: number, to: "whole" | "parts"): Float64Array {
  const values = new Float64Array(from.length);
  const features = from.length / count / rows;
  for (let part = 0; part < count; part++) {
    for (let row = 0; row < rows; row++) {
      const [inParts, inWhole] = [(part * rows + row) * features, (row * count + part) * features];
      const [source, target] = to === "whole" ? [inParts, inWhole] : [inWhole, inParts];
      values.set(from.subarray(source, source + features), target);
    }
  }
  return values;
}
