/** Builders of the WebAssembly engine by kind of operation, including the short ones. */
import { ShapeError } from "../../../errors.ts";
import { dropoutBits, randomStream } from "../../../random.ts";
import type { Op, OpKind } from "../../engine.ts";
import { type Borders, extentsOf, type FeatureMap, noBorders, operand } from "../featureMap.ts";
import { marginBytes, normScratch } from "../kernels/norm.ts";
import { activationBuilders, addClearedLanes } from "./activations.ts";
import { buildBatchNorm2d } from "./batchNorm2d.ts";
import { buildLocalConv2d, localBorders } from "./localConv2d.ts";
import { type BuildContext, type Builder, type Built, mapOf, passThrough, type Site } from "./op.ts";
import { poolBuilders } from "./pools.ts";
import { weightedBuilders } from "./weighted.ts";
import { convolutionBorders } from "./window.ts";

/** Maps lie as channels-last rows, so a linear layer reads them as they are: its weights are in their order. */
const buildFlatten: Builder<"flatten"> = (_context, _op, input, site) => passThrough(input, site);

const buildLocalResponseNorm: Builder<"localResponseNorm"> = (context, op, input, site) => {
  const { plan, kernels, batchSize, training } = context;
  const { size, alpha, beta, k, region } = op.options;
  const groups = region ? 1 : (op.options.groups ?? 1);
  requireWholeVectors(op.name, input.channels / groups, groups);
  const output = mapOf(context, input, site.outputBorders(1), input.lanes);
  const half = (size - 1) / 2;
  const strength = alpha / (region ? size * size : size);
  const sRow = input.width * input.pixelBytes;
  const sImage = input.height * sRow;
  const dense = () => ({ buffer: plan.buffer(batchSize * sImage), offset: 0 });
  const s = training && site.needsInputGradient ? dense() : 0;
  // A pixel ends with a part of a group where its lanes after the channels do not fill one.
  const groupBytes = 16 * Math.ceil(input.channels / groups / 4);
  context.scratch(normScratch(input.pixelBytes, half, Math.ceil(input.pixelBytes / groupBytes)));
  const common = {
    ...operand("x", input),
    s,
    t: 0,
    sImage,
    sRow,
    rows: input.height,
    columns: input.width,
    laneBytes: input.pixelBytes,
    half,
    within: Number(region !== undefined),
    k: { float: k },
    alpha: { float: strength },
    beta: { float: beta },
    groupBytes,
    gapBytes: marginBytes(half),
    quarters: Number.isInteger(4 * beta) && beta >= 0 ? 4 * beta : -1,
  };
  plan.add("localResponseNorm", kernels.norm, { ...common, ...operand("y", output) });
  // With k = 0, padded channels would be 0 · ∞.
  if (k === 0 && output.lanes > output.channels) addClearedLanes(context, output);
  return {
    output,
    covers: 1,
    gradientBorders: noBorders,
    backward(gradient) {
      const target = mapOf(context, input, site.inputGradientBorders, input.lanes);
      const backward = { ...common, ...operand("y", target), t: dense() };
      plan.add("localResponseNorm", kernels.normTerms, { ...backward, ...operand("z", gradient) });
      plan.add("localResponseNorm", kernels.normBackward, { ...backward, strength: { float: 2 * beta * strength } });
      if (k === 0 && target.lanes > target.channels) addClearedLanes(context, target);
      return target;
    },
  };
};

/** Throws ShapeError for groups that vectors of four channels do not fill. */
function requireWholeVectors(name: string, channels: number, groups: number): void {
  if (groups === 1 || channels % 4 === 0) return;
  throw new ShapeError(
    `${name}: expected groups of a multiple of 4 channels with the WebAssembly engine, got ${channels}; use another engine`,
  );
}

const buildDropout: Builder<"dropout"> = (context, op, input, site) => {
  const { probability, activeAtEvaluation } = op.options;
  const { plan, kernels, training } = context;
  if (probability === 0 || (!training && !activeAtEvaluation)) return passThrough(input, site);
  const output = mapOf(context, input, site.outputBorders(1), input.lanes);
  const { channels, height, width } = input;
  const { bits, threshold } = dropoutBits(probability);
  context.scratch(8 * Math.ceil((channels * height * width * bits) / 64) + 8);
  const mask = {
    channels,
    rows: height,
    columns: width,
    key: randomStream(0, `dropout:${op.name}`).key1,
    always: Number(activeAtEvaluation),
    bits,
    threshold,
    factors: plan.table(Float32Array.of(0, 1 / (1 - probability))),
  };
  plan.add("dropout", kernels.dropout, { ...operand("x", input), ...operand("y", output), ...mask });
  return {
    output,
    covers: 1,
    gradientBorders: site.inputGradientBorders,
    backward(gradient) {
      plan.add("dropout", kernels.dropout, { ...operand("x", gradient), ...operand("y", gradient), ...mask });
      return gradient;
    },
  };
};

/** Builders of all kinds; an omission does not compile. */
const builders: { readonly [K in OpKind]: Builder<K> } = {
  ...activationBuilders,
  ...poolBuilders,
  ...weightedBuilders,
  localConv2d: buildLocalConv2d,
  flatten: buildFlatten,
  localResponseNorm: buildLocalResponseNorm,
  batchNorm2d: buildBatchNorm2d,
  dropout: buildDropout,
};

export function build<K extends OpKind>(context: BuildContext, op: Op<K>, input: FeatureMap, site: Site): Built {
  return builders[op.kind](context, op, input, site);
}

/** Zeros that an operation reads around its input, by kind; others read none. */
const borders: { readonly [K in OpKind]?: (op: Op<K>) => Borders } = {
  conv2d: convolutionBorders,
  localConv2d: localBorders,
};

export function inputBorders<K extends OpKind>(op: Op<K>): Borders {
  return borders[op.kind]?.(op) ?? noBorders;
}

/** Values of a pixel of the input images: as they are for a convolution that has no use for whole vectors. */
const inputLanes: { readonly [K in OpKind]?: (op: Op<K>) => number | undefined } = {
  conv2d: ({ options, inputShape }) => (options.groups === 1 ? extentsOf(inputShape).channels : undefined),
};

export function lanesOfInput<K extends OpKind>(op: Op<K>): number | undefined {
  return inputLanes[op.kind]?.(op);
}
