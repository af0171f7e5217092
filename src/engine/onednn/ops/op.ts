/** Interface between the oneDNN engine and its kinds of operations. */
import type { AnyOp, DropoutDraws, Op, OpKind } from "../../engine.ts";
import type { ConvolutionAlgorithm } from "../configuredOneDnn.ts";
import type { Desc, MemoryFormat, NumberFormat } from "../native/oneDnn.ts";
import type { Plan, Value } from "../plan.ts";

/** One of `count` equal parts. */
export interface Part {
  readonly index: number;
  readonly count: number;
}

export const whole: Part = { index: 0, count: 1 };

/** Build context of operations without weights, in f32, bf16 and int8 programs. */
export interface OpContext {
  readonly plan: Plan;
  readonly batchSize: number;
  readonly training: boolean;
  /** Number format of activations and their gradients. */
  readonly format: MemoryFormat;
  /** The layout of an operation's input; undefined if the library chooses it. */
  inputLayout(op: AnyOp, input: Value): Desc | undefined;
  /** The run in progress: dropout masks, mode, and number of this process's images. */
  readonly run: { draws: DropoutDraws; isTraining: boolean; count: number };
}

/** Build context shared by all operations of a program in f32 or bf16. */
export interface BuildContext extends OpContext {
  /** Number format of activations, their gradients, and multiplied weights. */
  readonly format: NumberFormat;
  /** Excludes algorithms that round more than direct convolution. */
  readonly exact: boolean;
  /** Algorithm of all convolutions that support it; chosen by the rule if absent. */
  readonly algorithm: ConvolutionAlgorithm | undefined;
  /** The widest instruction set that the library uses. */
  readonly instructionSet: string;
  /** True if products of bf16 numbers are faster than those of f32 numbers. */
  readonly isBf16Faster: boolean;
  /** Records the algorithm of a convolution. */
  chose(operation: string, algorithm: string): void;
  /** True if training does not change the parameters of this operation. */
  isFrozen(operation: string): boolean;
  /**
   * A part of an operation's parameter or running statistic, which consists of `part.count` parts of that layout, and a view of the whole. In training,
   * also the part of its gradient, unless it is frozen or a statistic.
   */
  parameter(
    operation: string,
    role: "weight" | "bias" | "running_mean" | "running_var",
    dims: readonly number[],
    desc: Desc,
    part: Part,
  ): { value: Value; gradient: Value | undefined; values: () => Float32Array };
}

/** An operation whose forward steps are in the plan, and a function to add its backward steps. */
export interface Built {
  readonly output: Value;
  /** Number of operations of the chain that it computes: 2 if the next one is fused into it. */
  readonly covers: number;
  /**
   * Adds the backward steps, from the gradient of `output`, whose memory may be overwritten. Returns the gradient of the input, or
   * undefined if it is not needed.
   */
  backward(outputGradient: Value, needsInputGradient: boolean): Value | undefined;
}

/** Adds an operation to a plan. `next` is the following operation, for fusing. */
export type Builder<K extends OpKind, C extends OpContext = BuildContext> = (
  context: C,
  op: Op<K>,
  input: Value,
  next: AnyOp | undefined,
) => Built;

/** An operation without steps. */
export function passThrough(input: Value): Built {
  return { output: input, covers: 1, backward: (gradient) => gradient };
}
