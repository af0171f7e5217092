/** A chain of operations with its parameters. */
import { type Shape, sizeOf } from "../../shape.ts";
import type { AnyOp, Op, OpKind } from "../engine.ts";
import type { Backward, Draw, Forward } from "./operation.ts";
import { operations } from "./operations.ts";

const none = new Float64Array(0);

/** A parameter, in f64. */
export interface ChainParameter {
  readonly name: string;
  readonly shape: Shape;
  readonly values: Float64Array;
}

/** A network's parameters and activations in f64, and its forward pass. */
export class Chain {
  readonly ops: readonly AnyOp[];
  /** Weight and bias of each operation; empty for operations without parameters. */
  readonly parameters: readonly (readonly ChainParameter[])[];
  /** activations[row][i] is the input of operation i; the last is the network's output. */
  readonly activations: readonly (readonly Float64Array[])[];

  constructor(ops: readonly AnyOp[], inputShape: Shape, rows: number) {
    this.ops = ops;
    this.parameters = ops.map(zeroParameters);
    const sizes = [inputShape, ...ops.map((op) => op.outputShape)].map(sizeOf);
    this.activations = Array.from({ length: rows }, () => sizes.map((size) => new Float64Array(size)));
  }

  /** Computes one image's activations in `row`, and returns the last. The image has the network's input size. */
  forward(row: number, image: ArrayLike<number>, draw: Draw): Float64Array {
    return this.forwardFrom(row, 0, image, draw);
  }

  /** The same, but computes only operation `first` and those after it again. The earlier activations of the row must be those of the image. */
  forwardFrom(row: number, first: number, image: ArrayLike<number>, draw: Draw): Float64Array {
    const activations = this.activations[row] as readonly Float64Array[];
    if (first === 0) (activations[0] as Float64Array).set(image);
    for (let i = first; i < this.ops.length; i++) forward(this.ops[i] as AnyOp, this.pass(row, i, draw));
    return activations[this.ops.length] as Float64Array;
  }

  /** Input and output of operation i for one image. */
  pass(row: number, i: number, draw: Draw): Forward {
    const activations = this.activations[row] as readonly Float64Array[];
    const [weight = none, bias = none] = this.parameters[i]?.map((parameter) => parameter.values) ?? [];
    return { input: activations[i] as Float64Array, output: activations[i + 1] as Float64Array, weight, bias, draw };
  }
}

/** The gradients of a chain, and its backward pass. */
export class GradientChain {
  readonly #chain: Chain;
  /** Gradients of the parameters, in the chain's order: sums over the images since `clear`. Frozen operations have none. */
  readonly parameters: readonly (readonly ChainParameter[])[];
  /** #activations[i] is the gradient of the input of operation i, for one image at a time. */
  readonly #activations: readonly Float64Array[];
  /** No operation before this one is trained. */
  readonly #lowest: number;

  /** With `input`, gradients reach the image; otherwise the first trained operation. Operations in `frozen` are not trained. */
  constructor(chain: Chain, reach: "input" | "parameters", frozen: readonly string[] = []) {
    this.#chain = chain;
    this.parameters = chain.ops.map((op) => (frozen.includes(op.name) ? [] : zeroParameters(op)));
    this.#activations = (chain.activations[0] ?? []).map((activation) => new Float64Array(activation.length));
    const learner = chain.ops.findIndex((op) => op.parameters.length > 0 && !frozen.includes(op.name));
    this.#lowest = reach === "input" ? -1 : learner < 0 ? chain.ops.length : learner;
  }

  /** Size in bytes of the activations' gradients. */
  get activationBytes(): number {
    return this.#activations.reduce((bytes, gradient) => bytes + gradient.byteLength, 0);
  }

  clear(): void {
    for (const { values } of this.parameters.flat()) values.fill(0);
  }

  /**
   * Adds the parameter gradients of the image in `row`, given the gradient of its output. Returns the gradient of the image, valid until the next
   * call, and only if gradients reach the input.
   */
  backward(row: number, draw: Draw, outputGradient: ArrayLike<number>): Float64Array {
    const { ops } = this.#chain;
    (this.#activations[ops.length] as Float64Array).set(outputGradient);
    for (let i = ops.length - 1; i >= Math.max(0, this.#lowest); i--) {
      const op = ops[i] as AnyOp;
      const pass = this.#pass(row, i, draw);
      if (this.parameters[i]?.length) parameterGradients(op, pass);
      if (i > this.#lowest) inputGradient(op, pass);
    }
    return this.#activations[0] as Float64Array;
  }

  #pass(row: number, i: number, draw: Draw): Backward {
    const [weightGradient = none, biasGradient = none] = this.parameters[i]?.map((gradient) => gradient.values) ?? [];
    return {
      ...this.#chain.pass(row, i, draw),
      inputGradient: this.#activations[i] as Float64Array,
      outputGradient: this.#activations[i + 1] as Float64Array,
      weightGradient,
      biasGradient,
    };
  }
}

function zeroParameters(op: AnyOp): readonly ChainParameter[] {
  return op.parameters.map(({ name, shape }) => ({ name, shape, values: new Float64Array(sizeOf(shape)) }));
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
