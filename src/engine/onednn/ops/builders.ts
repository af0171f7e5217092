/** Builders of the oneDNN engine by kind of operation, including the short ones. */
import { fillDropoutMask, randomStream } from "../../../random.ts";
import type { OpKind } from "../../engine.ts";
import type { Value } from "../plan.ts";
import { activationBuilders } from "./activations.ts";
import { buildBatchNorm2d } from "./batchNorm2d.ts";
import { buildWeighted } from "./buildConvOrLinear.ts";
import { buildConv2d } from "./conv2d.ts";
import { buildLocalConv2d } from "./localConv2d.ts";
import { type Builder, type OpContext, passThrough, whole } from "./op.ts";
import { poolBuilders } from "./pools.ts";

/**
 * Inner product. On plain inputs the library uses one weight layout for all three directions. A single image multiplies a matrix by a vector and reads
 * all weights once: a quarter faster in row order than in blocks (fc6 in f32: 3.5 ms against 4.7, oneDNN 2.6).
 */
const buildLinear: Builder<"linear"> = (context, op, input, next) => {
  const { outFeatures } = op.options;
  const { batchSize, training, format } = context;
  const { session } = context.plan;
  const weightDims = [outFeatures, input.dims[1] as number];
  return buildWeighted(context, {
    op,
    next,
    input,
    src: session.plain(input.dims, format),
    weights: batchSize === 1 && !training ? session.plain(weightDims, format) : session.any(weightDims, format),
    weightDims,
    outputDims: [batchSize, outFeatures],
    window: undefined,
    part: whole,
  });
};

/**
 * A copy in row order. Inner products can read maps in any layout, but then choose slower weight layouts, a different one for each direction. The copy
 * of a few megabytes saves reorders of all weights.
 */
const buildFlatten: Builder<"flatten", OpContext> = ({ plan, batchSize, format }, op, input) => {
  const { session } = plan;
  const maps = session.plain(input.dims, format);
  const flatDims = [batchSize, ...op.outputShape];
  const flat = (value: Value): Value => ({ ...value, dims: flatDims, desc: session.plain(flatDims, format) });
  return {
    output: flat(plan.inLayout(input, maps)),
    covers: 1,
    backward(gradient, needed) {
      if (!needed) return undefined;
      const inRowOrder = plan.inLayout(gradient, session.plain(flatDims, format));
      return plan.inLayout({ ...inRowOrder, dims: input.dims, desc: maps }, input.desc);
    },
  };
};

/** Normalisation over neighbouring channels; training stores the denominators. */
const buildLocalResponseNorm: Builder<"localResponseNorm", OpContext> = ({ plan, training }, op, input) => {
  const { session } = plan;
  const forward = session.lrnForward(input.desc, op.options, training);
  const output = plan.value(input.dims, input.desc);
  const workspace = plan.workspace(forward);
  plan.add("localResponseNorm", forward, [["src", input], ["dst", output], ...workspace]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = plan.inLayout(outputGradient, input.desc);
      const inputGradient = plan.value(input.dims, input.desc);
      const backward = session.lrnBackward(input.desc, input.desc, op.options, forward);
      plan.add("localResponseNorm", backward, [
        ["src", input],
        ["diffDst", gradient],
        ["diffSrc", inputGradient],
        ...workspace,
      ]);
      return inputGradient;
    },
  };
};

/**
 * Multiplies by a mask drawn by JavaScript; a mask of ones if dropout is off. Elements are numbered in row order, so the mask does not depend on the
 * layout.
 */
const buildDropout: Builder<"dropout", OpContext> = ({ plan, training, run, batchSize }, op, input) => {
  const { probability, activeAtEvaluation } = op.options;
  if (probability === 0 || (!training && !activeAtEvaluation)) return passThrough(input);
  const { session } = plan;
  const mask = plan.value(input.dims, session.plain(input.dims, "f32"));
  const features = mask.dims.slice(1).reduce((product, extent) => product * extent, 1);
  const words = new Uint32Array((features + 1) >>> 1);
  let rows: readonly Float32Array[] | undefined;
  function draw(): void {
    rows ??= Array.from({ length: batchSize }, (_, r) => plan.view(mask).subarray(r * features, (r + 1) * features));
    const active = run.isTraining || activeAtEvaluation;
    const stream = randomStream(run.draws.seed, `dropout:${op.name}`);
    rows.forEach((row, r) => {
      if (active) fillDropoutMask(stream, run.draws.first + r, probability, words, row);
      else row.fill(1);
    });
  }
  plan.addCall(draw, [mask]);
  const maskInLayout = plan.inLayout(mask, input.desc);
  const output = plan.value(input.dims, input.desc);
  const multiply = session.elementwise(input.desc, input.desc, [{ operation: "multiply", operand: input.desc }]);
  plan.add("dropout", multiply, [
    ["src", input],
    ["operand0", maskInLayout],
    ["dst", output],
  ]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = plan.inLayout(outputGradient, input.desc);
      plan.add("dropout", multiply, [
        ["src", gradient],
        ["operand0", maskInLayout],
        ["dst", gradient],
      ]);
      return gradient;
    },
  };
};

/** Builders of the kinds without weights. */
export const weightlessBuilders = {
  ...activationBuilders,
  ...poolBuilders,
  flatten: buildFlatten,
  localResponseNorm: buildLocalResponseNorm,
  dropout: buildDropout,
} satisfies { readonly [K in OpKind]?: Builder<K, OpContext> };

/** The builder of each kind of operation; a missing one is a type error. */
export const builders: { readonly [K in OpKind]: Builder<K> } = {
  ...weightlessBuilders,
  batchNorm2d: buildBatchNorm2d,
  conv2d: buildConv2d,
  localConv2d: buildLocalConv2d,
  linear: buildLinear,
};
