/** Description of a convolution or linear layer, and its forward primitive. */
import { UnimplementedError } from "../../../errors.ts";
import type { AnyOp, Op } from "../../engine.ts";
import type { ConvolutionWindow, Desc, MemoryFormat, PrimitiveDesc, Session } from "../native/oneDnn.ts";
import type { Plan, Value } from "../plan.ts";
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

/** Slow implementations, the worst first: plain loops, and matrix products of copied windows. */
const slow = [/(^|_)ref/, /(^|:)gemm/];

/**
 * The first candidate with an optimized kernel, or else the best of them. The choice depends only on the request, the library and the processor, not on
 * a timing.
 */
export function fastest<C extends { readonly primitiveDesc: PrimitiveDesc }>(plan: Plan, candidates: Iterable<C>): C {
  const kept: C[] = [];
  const rank = ({ primitiveDesc }: C) => {
    const name = plan.session.implementation(primitiveDesc);
    const index = slow.findIndex((pattern) => pattern.test(name));
    return index < 0 ? slow.length : index;
  };
  for (const candidate of candidates) {
    if (rank(candidate) === slow.length) return candidate;
    kept.push(candidate);
  }
  const [first, ...others] = kept;
  if (!first) throw new Error("nothing to choose from");
  return others.reduce((best, next) => (rank(next) > rank(best) ? next : best), first);
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
