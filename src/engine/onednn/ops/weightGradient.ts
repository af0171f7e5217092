/** Format, layouts and parts of weight gradients. */
import type { Desc, MemoryFormat, PrimitiveDesc, WeightedOp } from "../native/oneDnn.ts";
import { batchPart } from "../parts.ts";
import type { Plan, Value } from "../plan.ts";
import { forwardOf, orDirect, outputLayout, type Weighted } from "./convOrLinear.ts";
import { fastest } from "./fastest.ts";
import type { BuildContext } from "./op.ts";

/** Plan of computing the gradients of weights and bias, which are always f32. */
export interface WeightGradient {
  /** Primitive for one part. */
  readonly primitiveDesc: PrimitiveDesc;
  /** Layouts of the whole batch. */
  readonly layouts: Layouts;
  /** Number of equal parts of the batch, whose gradients are summed. */
  readonly parts: number;
}

type Layouts = Pick<WeightedOp, "src" | "dst">;

const PARTS = [2, 4, 8] as const;

/**
 * Uses the existing layouts, unless the library only has plain loops for them, which are a thousand times slower. Then uses layouts of the library's
 * choice, or parts of the batch. The first layer of `alexnet-fashion` needs the former in 2.6 on AVX2, and the latter in 3.12 beyond 108 images, since
 * 3.12 confuses the sizes of some tensors.
 */
export function weightGradientOf(context: BuildContext, weighted: Weighted, forward: PrimitiveDesc): WeightGradient {
  return fastest(context.plan, candidates(context, weighted, forward));
}

/** Inputs and outputs of a weight gradient. */
interface Ends {
  readonly input: Value;
  readonly gradient: Value;
  readonly weight: Value;
  readonly bias: Value;
}

/** Adds the steps of a weight gradient to a plan, profiled as `work`. */
export function addWeightGradient(
  plan: Plan,
  work: string,
  { primitiveDesc, layouts, parts }: WeightGradient,
  { input, gradient, weight, bias }: Ends,
): void {
  const src = plan.inLayout(input, layouts.src);
  const diffDst = plan.inLayout(gradient, layouts.dst);
  for (let part = 0; part < parts; part++) {
    const ofPart = (whole: Value) => (part === 0 ? whole : plan.value(whole.dims, whole.desc));
    const [diffWeights, diffBias] = [ofPart(weight), ofPart(bias)] as const;
    plan.add(work, primitiveDesc, [
      ["src", batchPart(plan.session, src, part, parts)],
      ["diffDst", batchPart(plan.session, diffDst, part, parts)],
      ["diffWeights", diffWeights],
      ["diffBias", diffBias],
    ]);
    if (part === 0) continue;
    plan.accumulate(weight, diffWeights);
    plan.accumulate(bias, diffBias);
  }
}

function* candidates(context: BuildContext, weighted: Weighted, forward: PrimitiveDesc): Generator<WeightGradient> {
  const { plan, format, batchSize } = context;
  const { window, next, input, outputDims } = weighted;
  const { session } = plan;
  const dst = next ? plan.layout(forward, "dst") : outputLayout(session, weighted, format);
  const lying = wholeBatch(plan, weighted, { src: plan.layout(forward, "src"), dst }, forward);
  const parts = PARTS.filter((count) => window && next && batchSize % count === 0);
  if (format === "bf16" && wastesTiles(plan, weighted, lying)) {
    const f32 = f32Form(context, weighted);
    for (const count of [1, ...parts]) yield inParts(plan, weighted, f32, count);
  }
  yield lying;
  if (!window) return;
  const [src, anyDst] = [session.any(input.dims, format), session.any(outputDims, format)] as const;
  yield wholeBatch(plan, weighted, { src, dst }, forward);
  yield wholeBatch(plan, weighted, { src, dst: anyDst }, forward);
  for (const count of parts) yield inParts(plan, weighted, { format, layouts: lying.layouts }, count);
}

/** The library chooses layouts that are `any`. */
function wholeBatch(plan: Plan, weighted: Weighted, layouts: Layouts, forward: PrimitiveDesc): WeightGradient {
  const primitiveDesc = backwardOf(plan, weighted, layouts, forward);
  const chosen = { src: plan.layout(primitiveDesc, "src"), dst: plan.layout(primitiveDesc, "diffDst") };
  return { primitiveDesc, layouts: chosen, parts: 1 };
}

/**
 * AMX multiplies bf16 numbers in pairs of channels: a single channel wastes half, and the conversion to that form costs more than the products.
 * For 128 images of 227×227 the gradient of conv1 takes 85 ms (oneDNN 2.6; 55 in 3.7) where f32 takes 27 ms and the copies 11 ms.
 */
function wastesTiles({ session }: Plan, { window, next, input }: Weighted, { primitiveDesc }: WeightGradient): boolean {
  return Boolean(window && next) && input.dims[1] === 1 && /amx/.test(session.implementation(primitiveDesc));
}

/** Format and layouts of the multiplied tensors. */
interface Form {
  readonly format: MemoryFormat;
  readonly layouts: Layouts;
}

function f32Form(context: BuildContext, weighted: Weighted): Form {
  const { plan } = context;
  const free = (dims: readonly number[]) => plan.session.any(dims, "f32");
  const inF32 = { ...weighted, src: free(weighted.input.dims), weights: free(weighted.weightDims) };
  const forward = forwardOf({ ...context, format: "f32" }, inF32);
  return { format: "f32", layouts: { src: plan.layout(forward, "src"), dst: plan.layout(forward, "dst") } };
}

/** Computes the gradient in parts. The batch is the outermost axis of every layout, so a part has the layout of the whole. */
export function inParts(plan: Plan, weighted: Weighted, { format, layouts }: Form, parts: number): WeightGradient {
  const { session } = plan;
  const { input, weightDims, outputDims, window } = weighted;
  const first = (whole: Desc, [n = 0, ...dims]: readonly number[]) =>
    session.slice(whole, [n / parts, ...dims], [0, ...dims.map(() => 0)]);
  const part = { src: first(layouts.src, input.dims), dst: first(layouts.dst, outputDims) };
  const { bias } = parametersOf(plan, weighted);
  const descs = { ...part, weights: session.any(weightDims, format), bias };
  const forward = orDirect(window, (allowed) => session.weightedForward(descs, allowed, true, undefined));
  return { primitiveDesc: backwardOf(plan, weighted, part, forward), layouts, parts };
}

function parametersOf({ session }: Plan, { weightDims, outputDims }: Weighted): Pick<WeightedOp, "weights" | "bias"> {
  return { weights: session.any(weightDims, "f32"), bias: session.plain(outputDims.slice(1, 2), "f32") };
}

function backwardOf(plan: Plan, weighted: Weighted, layouts: Layouts, forward: PrimitiveDesc): PrimitiveDesc {
  const descs = { ...layouts, ...parametersOf(plan, weighted) };
  return orDirect(weighted.window, (window) => plan.session.weightedBackwardWeights(descs, window, forward));
}
