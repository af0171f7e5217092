/** Description of a convolution or linear layer, and its forward primitive. */
import { UnimplementedError } from "../../../errors.ts";
import type { AnyOp, Op } from "../../engine.ts";
import type { ConvolutionWindow, Desc, MemoryFormat, PrimitiveDesc, Session } from "../native/oneDnn.ts";
import type { Value } from "../plan.ts";
import { fusable } from "./activations.ts";
import type { BuildContext, Part } from "./op.ts";

/** A convolution (with window) or inner product (without), with the activation after it fused. */
export interface Weighted {
  readonly op: Op<"conv2d"> | Op<"linear">;
  readonly next: AnyOp | undefined;
  readonly input: Value;
  /** Layout of the input: `any` to let the library choose. */
  readonly src: Desc;
  /** Layout of the multiplied weights: `any` to let the library choose. */
  readonly weights: Desc;
  readonly weightDims: readonly number[];
  readonly outputDims: readonly number[];
  readonly window: ConvolutionWindow;
  /** Part of the operation's parameters. */
  readonly part: Part;
}

/** The forward primitive: it chooses the layouts. */
export function forwardOf({ plan, training, format }: BuildContext, weighted: Weighted): PrimitiveDesc {
  const { session } = plan;
  const { next, window, src, weights, outputDims } = weighted;
  const descs = {
    src,
    weights,
    bias: session.plain(outputDims.slice(1, 2), "f32"),
    // The loss reads the end of the chain in f32 for any format of the products.
    dst: outputLayout(plan.session, weighted, next ? format : "f32"),
  };
  return session.weightedForward(descs, window, training, fusable(next));
}

/** True if the library has the forward primitive. */
export function hasForward(context: BuildContext, weighted: Weighted): boolean {
  return orUnimplemented(() => forwardOf(context, weighted)) !== undefined;
}

/** Layout of an output. Inner products keep row order, for which the library has one weight layout in all three directions. */
export function outputLayout(session: Session, { window, outputDims }: Weighted, format: MemoryFormat): Desc {
  return window ? session.any(outputDims, format) : session.plain(outputDims, format);
}

/** The library's convolution in one direction: by the requested algorithm if available, else direct. */
export function orDirect(window: ConvolutionWindow, make: (window: ConvolutionWindow) => PrimitiveDesc): PrimitiveDesc {
  if (window?.algorithm !== "winograd") return make(window);
  return orUnimplemented(() => make(window)) ?? make({ ...window, algorithm: "direct" });
}

function orUnimplemented(make: () => PrimitiveDesc): PrimitiveDesc | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof UnimplementedError) return undefined;
    throw error;
  }
}
