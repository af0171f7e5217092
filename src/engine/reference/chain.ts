/** A chain of operations with its parameters. */
import { learned } from "../../learned.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import type { AnyOp, Op, OpKind } from "../engine.ts";
import { batchNorm2dStatistics } from "./batchNorm2d.ts";
import type { Backward, Draw, Forward, Statistics } from "./operation.ts";
import { operations } from "./operations.ts";

const none = new Float64Array(0);

/** A parameter or running statistic, in f64. */
export interface ChainParameter {
  readonly name: string;
  readonly shape: Shape;
  readonly values: Float64Array;
  readonly isStatistic?: true;
}

/** Random numbers of the image in a row. */
type DrawOf = (row: number) => Draw;

/** Statistics over the batch, by kind; other kinds compute each image on its own. */
const statistics: { readonly [K in OpKind]?: Statistics<K> } = { batchNorm2d: batchNorm2dStatistics };

function statisticsOf<K extends OpKind>(kind: K): Statistics<K> | undefined {
  return statistics[kind] as Statistics<K> | undefined;
}

/** A network's parameters and activations in f64, and its forward pass. */
export class Chain {
  readonly ops: readonly AnyOp[];
  /** Weight, bias and running statistics of each operation; empty for operations without parameters. */
  readonly parameters: readonly (readonly ChainParameter[])[];
  /** activations[row][i] is the input of operation i; the last is the network's output. */
  readonly activations: readonly (readonly Float64Array[])[];
  readonly #frozen: readonly string[];
  /** Numbers that the images of a batch share in each operation. */
  readonly #shared: readonly Float64Array[];

  /** Statistics of operations in `frozen` are the running ones in training too. */
  constructor(ops: readonly AnyOp[], inputShape: Shape, rows: number, frozen: readonly string[] = []) {
    this.ops = ops;
    this.parameters = ops.map(zeroParameters);
    const sizes = [inputShape, ...ops.map((op) => op.outputShape)].map(sizeOf);
    this.activations = Array.from({ length: rows }, () => sizes.map((size) => new Float64Array(size)));
    this.#frozen = frozen;
    this.#shared = ops.map((op) => new Float64Array(statisticsOf<OpKind>(op.kind)?.size(op) ?? 0));
  }

  /** Computes the activations of one image, a batch of its own, in `row`; returns the last. The image has the network's input size. */
  forward(row: number, image: ArrayLike<number>, draw: Draw): Float64Array {
    const activations = this.activations[row] as readonly Float64Array[];
    (activations[0] as Float64Array).set(image);
    this.forwardFrom(0, [row], () => draw);
    return activations[this.ops.length] as Float64Array;
  }

  /** Computes operation `first` and those after it for the images of a batch, whose earlier activations are in `rows`. */
  forwardFrom(first: number, rows: readonly number[], drawOf: DrawOf): void {
    for (let i = first; i < this.ops.length; i++) {
      const op = this.ops[i] as AnyOp;
      this.#prepare(op, i, rows, drawOf);
      for (const row of rows) forward(op, this.pass(row, i, drawOf(row)));
    }
  }

  #prepare<K extends OpKind>(op: Op<K>, i: number, rows: readonly number[], drawOf: DrawOf): void {
    const own = statisticsOf(op.kind);
    if (!own) return;
    const running = this.#running(i);
    const shared = this.#shared[i] as Float64Array;
    if (this.usesBatch(op, drawOf(rows[0] as number))) own.ofBatch(op, this.#inputs(i, rows), running, shared);
    else own.ofRunning(op, running, shared);
  }

  /** Before the backward pass of operation i: sums over the gradients of its output in all images. */
  prepareBackward<K extends OpKind>(
    op: Op<K>,
    i: number,
    rows: readonly number[],
    draw: Draw,
    outputGradients: readonly Float64Array[],
  ): void {
    if (!this.usesBatch(op, draw)) return;
    statisticsOf(op.kind)?.ofGradients(op, this.#inputs(i, rows), outputGradients, this.#shared[i] as Float64Array);
  }

  /** True if statistics of an operation are those of the batch. */
  usesBatch({ name }: Op, { training }: Draw): boolean {
    return training && !this.#frozen.includes(name);
  }

  #inputs(i: number, rows: readonly number[]): readonly Float64Array[] {
    return rows.map((row) => this.activations[row]?.[i] as Float64Array);
  }

  #running(i: number): readonly Float64Array[] {
    return (this.parameters[i] ?? []).filter(({ isStatistic }) => isStatistic).map(({ values }) => values);
  }

  /** Input and output of operation i for one image. */
  pass(row: number, i: number, draw: Draw): Forward {
    const activations = this.activations[row] as readonly Float64Array[];
    const [weight = none, bias = none] = learned(this.parameters[i] ?? []).map((parameter) => parameter.values);
    const [input, output] = [activations[i] as Float64Array, activations[i + 1] as Float64Array];
    return { input, output, weight, bias, shared: this.#shared[i] as Float64Array, draw };
  }
}

/** The gradients of a chain, and its backward pass. */
export class GradientChain {
  readonly #chain: Chain;
  /** Gradients of the parameters, in the chain's order: sums over the images since `clear`. Frozen operations have none. */
  readonly parameters: readonly (readonly ChainParameter[])[];
  /** Gradients of the output and the input of one operation for each image, in turns. */
  readonly #activations: readonly (readonly [Float64Array, Float64Array])[];
  /** No operation before this one is trained. */
  readonly #lowest: number;

  /** With `input`, gradients reach the image; otherwise the first trained operation. Operations in `frozen` are not trained. */
  constructor(chain: Chain, reach: "input" | "parameters", frozen: readonly string[] = []) {
    this.#chain = chain;
    this.parameters = chain.ops.map((op) => (frozen.includes(op.name) ? [] : learned(zeroParameters(op))));
    const largest = Math.max(...(chain.activations[0] ?? []).map(({ length }) => length));
    this.#activations = chain.activations.map(() => [new Float64Array(largest), new Float64Array(largest)]);
    const learner = this.parameters.findIndex((gradients) => gradients.length > 0);
    this.#lowest = reach === "input" ? -1 : learner < 0 ? chain.ops.length : learner;
  }

  /** Size in bytes of the activations' gradients. */
  get activationBytes(): number {
    return this.#activations.flat().reduce((bytes, gradient) => bytes + gradient.byteLength, 0);
  }

  clear(): void {
    for (const { values } of this.parameters.flat()) values.fill(0);
  }

  /** The backward pass of one image, a batch of its own, in `row`. Returns the gradient of the image as `backwardAll`. */
  backward(row: number, draw: Draw, outputGradient: ArrayLike<number>): Float64Array {
    this.backwardAll(
      [row],
      () => draw,
      () => outputGradient,
    );
    return this.inputGradient(row);
  }

  /** Adds the parameter gradients of the images of a batch in `rows`, given the gradients of their outputs. */
  backwardAll(rows: readonly number[], drawOf: DrawOf, outputGradient: (row: number) => ArrayLike<number>): void {
    const { ops } = this.#chain;
    for (const row of rows) this.#gradient(row, ops.length).set(outputGradient(row));
    for (let i = ops.length - 1; i >= Math.max(0, this.#lowest); i--) {
      const op = ops[i] as AnyOp;
      const outputGradients = rows.map((row) => this.#gradient(row, i + 1));
      this.#chain.prepareBackward(op, i, rows, drawOf(rows[0] as number), outputGradients);
      for (const row of rows) {
        const pass = this.#pass(row, i, drawOf(row));
        if (this.parameters[i]?.length) parameterGradients(op, pass);
        if (i > this.#lowest) inputGradient(op, pass);
      }
    }
  }

  /** Gradient of the image in `row`, valid until the next backward pass, and only if gradients reach the input. */
  inputGradient(row: number): Float64Array {
    return this.#gradient(row, 0);
  }

  /** Gradient of activation i of the image in `row`. */
  #gradient(row: number, i: number): Float64Array {
    const memory = this.#activations[row]?.[i % 2] as Float64Array;
    return memory.subarray(0, this.#chain.activations[row]?.[i]?.length);
  }

  #pass(row: number, i: number, draw: Draw): Backward {
    const [weightGradient = none, biasGradient = none] = this.parameters[i]?.map((gradient) => gradient.values) ?? [];
    return {
      ...this.#chain.pass(row, i, draw),
      inputGradient: this.#gradient(row, i),
      outputGradient: this.#gradient(row, i + 1),
      weightGradient,
      biasGradient,
    };
  }
}

function zeroParameters(op: AnyOp): readonly ChainParameter[] {
  return op.parameters.map((parameter) => ({ ...parameter, values: new Float64Array(sizeOf(parameter.shape)) }));
}

function forward<K extends OpKind>(op: Op<K>, pass: Forward): void {
  operations[op.kind].forward(op, pass);
}

function inputGradient<K extends OpKind>(op: Op<K>, pass: Backward): void {
  operations[op.kind].inputGradient(op, pass);
}

function parameterGradients<K extends OpKind>(op: Op<K>, pass: Backward): void {
  operations[op.kind].parameterGradients(op, pass);
}
