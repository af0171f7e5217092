/** Interface of a kind of operation in the reference engine. */
import type { Op, OpKind } from "../engine.ts";

/** Forward pass of one image, in f64: [C, H, W] row by row, or [features]. */
export interface Forward {
  readonly input: Float64Array;
  readonly output: Float64Array;
  /** Empty for kinds without parameters. */
  readonly weight: Float64Array;
  readonly bias: Float64Array;
  /** Numbers that the images of a batch share; empty for kinds without statistics. */
  readonly shared: Float64Array;
  /** Training or evaluation, and the random numbers of the image. */
  readonly draw: Draw;
}

/** Backward pass of one image. The output's gradient is given; the rest is computed. */
export interface Backward extends Forward {
  readonly outputGradient: Float64Array;
  readonly inputGradient: Float64Array;
  readonly weightGradient: Float64Array;
  readonly biasGradient: Float64Array;
}

export interface Draw {
  readonly training: boolean;
  readonly seed: number;
  readonly counter: number;
}

/**
 * Arithmetic of one kind of operation on one image. In formulas, dX is the derivative of the loss with respect to X.
 */
export interface Operation<K extends OpKind> {
  /** output ← f(input). */
  forward(op: Op<K>, pass: Forward): void;
  /** inputGradient ← ∂f/∂input · outputGradient. */
  inputGradient(op: Op<K>, pass: Backward): void;
  /** Adds this image's contribution to weightGradient and biasGradient. */
  parameterGradients(op: Op<K>, pass: Backward): void;
}

/** Statistics of one kind of operation over the images of a batch. Passes of single images read them as `shared`. */
export interface Statistics<K extends OpKind> {
  /** Number of values in `shared`. */
  size(op: Op<K>): number;
  /** Before the forward pass: computes `shared` from the inputs of all images, and updates the running statistics, which follow the parameters. */
  ofBatch(op: Op<K>, inputs: readonly Float64Array[], running: readonly Float64Array[], shared: Float64Array): void;
  /** The same at evaluation: from the running statistics. */
  ofRunning(op: Op<K>, running: readonly Float64Array[], shared: Float64Array): void;
  /** Before the backward pass through statistics of the batch: adds sums over the gradients of all images to `shared`. */
  ofGradients(
    op: Op<K>,
    inputs: readonly Float64Array[],
    outputGradients: readonly Float64Array[],
    shared: Float64Array,
  ): void;
}

/** For kinds without parameters. */
export function noParameterGradients(): void {}
