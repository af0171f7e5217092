import type { Desc, NumberFormat, PrimitiveDesc, WeightedOp } from "../native/oneDnn.ts";
import type { Plan } from "../plan.ts";
import type { BuildContext } from "./op.ts";
import { forwardOf, orDirect, outputLayout, type Weighted } from "./weighted.ts";

/** The gradients of weights and bias, which are f32 whatever is multiplied: how they are computed. */
export interface WeightGradient {
  /** Of one part. */
  readonly backward: PrimitiveDesc;
  /** Layouts of the whole batch. */
  readonly layouts: Layouts;
  /** Equal parts of the batch, whose gradients are added up. */
  readonly parts: number;
}

type Layouts = Pick<WeightedOp, "src" | "dst">;

const PARTS = [1, 2, 4, 8] as const;

/**
 * As the numbers lie, unless the library has nothing but slow loops for that: 3.12 has for the first layer of `alexnet-fashion`, a thousand times
 * slower, if there are more than 108 images, for which it takes part of the sizes for others.
 */
export function weightGradientOf(context: BuildContext, weighted: Weighted, forward: PrimitiveDesc): WeightGradient {
  const { plan, format } = context;
  const { window, next, outputDims } = weighted;
  const dst = next ? plan.layout(forward, "dst") : outputLayout(plan.session, weighted, format);
  const backward = backwardOf(plan, weighted, { src: plan.layout(forward, "src"), dst }, forward);
  const layouts = { src: plan.layout(backward, "src"), dst: plan.layout(backward, "diffDst") };
  const whole = { backward, layouts, parts: 1 };
  if (!window || !next) return whole;
  const isSlow = ({ backward }: WeightGradient) => /^(ref|gemm)/.test(plan.session.implementation(backward));
  const wasteful = format === "bf16" && wastesTiles(plan, weighted, whole);
  if (!wasteful && !isSlow(whole)) return whole;
  const asItLies = { format, layouts };
  for (const form of wasteful ? [f32Form(context, weighted), asItLies] : [asItLies]) {
    for (const parts of PARTS.filter((count) => (outputDims[0] as number) % count === 0)) {
      const candidate = inParts(plan, weighted, form, parts);
      if (!isSlow(candidate)) return candidate;
    }
  }
  return whole;
}

/**
 * AMX multiplies bf16 numbers by pairs of channels: of a single channel half is lost, and to bring that into its form costs more than the products.
 * For 128 images of 227×227 the gradient of conv1 takes 85 ms (oneDNN 2.6; 55 in 3.7) where f32 takes 27 and the copies 11.
 */
function wastesTiles({ session }: Plan, { input }: Weighted, { backward }: WeightGradient): boolean {
  return input.dims[1] === 1 && /amx/.test(session.implementation(backward));
}

/** What is multiplied, in which format and layouts. */
interface Form {
  readonly format: NumberFormat;
  readonly layouts: Layouts;
}

function f32Form(context: BuildContext, weighted: Weighted): Form {
  const { plan } = context;
  const free = (dims: readonly number[]) => plan.session.any(dims, "f32");
  const inF32 = { ...weighted, src: free(weighted.input.dims), weights: free(weighted.weightDims) };
  const forward = forwardOf({ ...context, format: "f32" }, inF32);
  return { format: "f32", layouts: { src: plan.layout(forward, "src"), dst: plan.layout(forward, "dst") } };
}

function inParts(plan: Plan, weighted: Weighted, { format, layouts }: Form, parts: number): WeightGradient {
  const { session } = plan;
  const { input, weightDims, outputDims, window } = weighted;
  const first = (whole: Desc, [n = 0, ...dims]: readonly number[]) =>
    session.slice(whole, [n / parts, ...dims], [0, ...dims.map(() => 0)]);
  const part = { src: first(layouts.src, input.dims), dst: first(layouts.dst, outputDims) };
  const { bias } = parametersOf(plan, weighted);
  const descs = { ...part, weights: session.any(weightDims, format), bias };
  const forward = orDirect(window, (allowed) => session.weightedForward(descs, allowed, true, undefined));
  return { backward: backwardOf(plan, weighted, part, forward), layouts, parts };
}

function parametersOf({ session }: Plan, { weightDims, outputDims }: Weighted): Pick<WeightedOp, "weights" | "bias"> {
  return { weights: session.any(weightDims, "f32"), bias: session.plain(outputDims.slice(1, 2), "f32") };
}

function backwardOf(plan: Plan, weighted: Weighted, layouts: Layouts, forward: PrimitiveDesc): PrimitiveDesc {
  const descs = { ...layouts, ...parametersOf(plan, weighted) };
  return orDirect(weighted.window, (window) => plan.session.weightedBackwardWeights(descs, window, forward));
}
