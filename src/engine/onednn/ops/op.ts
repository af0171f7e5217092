/** Members that every kind has in the oneDNN engine. */
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

/** Shared surroundings of all operations of a program. */
export interface BuildContext {
  readonly plan: Plan;
  readonly batchSize: number;
  readonly training: boolean;
  /** Number format of activations, their gradients, and weights as they are multiplied. */
  readonly format: MemoryFormat;
  /** No algorithm that rounds more than direct convolution. */
  readonly exact: boolean;
  /** Algorithm of all convolutions that have it; by the rule if absent. */
  readonly algorithm: ConvolutionAlgorithm | undefined;
  /** The widest that the library uses. */
  readonly instructionSet: string;
  /** The layout that an operation takes its input in, if that is not the library's choice. */
  inputLayout(op: AnyOp, input: Value): Desc | undefined;
  /** Enters the algorithm that a convolution was given. */
  chose(operation: string, algorithm: string): void;
  /** True if training does not change the parameters of this operation. */
  isFrozen(operation: string): boolean;
  /**
   * A part of an operation's parameter, which is made of `count` parts of that layout, and the same of its gradient in training, unless it is
   * frozen.
   */
  parameter(
    operation: string,
    role: "weight" | "bias",
    dims: readonly number[],
    desc: Desc,
    part: Part,
  ): { value: Value; gradient: Value | undefined };
  /** Dropout masks of the run in progress. */
  readonly run: { draws: DropoutDraws; dropoutActive: boolean };
}

/** The format of a convolution's maps outside of int8, which builds its own. Throws Error for an integer format. */
export function realFormat({ format }: Pick<BuildContext, "format">): NumberFormat {
  if (format === "f32" || format === "bf16") return format;
  throw new Error(`convolution: expected maps in f32 or bf16, got ${format}`);
}

/** An operation's forward steps, added to the plan, and how to add its backward steps. */
export interface Built {
  readonly output: Value;
  /** Number of operations of the chain that this covers: 2 if the next one is fused into it. */
  readonly covers: number;
  /**
   * Adds the backward steps, from the gradient of `output`, whose memory may be overwritten. Returns the gradient of the input, or
   * undefined if it is not needed.
   */
  backward(outputGradient: Value, needsInputGradient: boolean): Value | undefined;
}

/** Adds an operation to a plan. `next` is the operation after it, for fusing. */
export type Builder<K extends OpKind> = (
  context: BuildContext,
  op: Op<K>,
  input: Value,
  next: AnyOp | undefined,
) => Built;

/** An operation that does nothing. */
export function passThrough(input: Value): Built {
  return { output: input, covers: 1, backward: (gradient) => gradient };
}
