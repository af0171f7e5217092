/** Batch normalization: by statistics of the batch in training, by running statistics otherwise. */
import { requireSeveral } from "../../runningStatistics.ts";
import { type FeatureMap, noBorders, operand } from "../featureMap.ts";
import { sumsBytes } from "../kernels/batchNorm.ts";
import type { Place } from "../plan.ts";
import { vectorLayout } from "../weights.ts";
import { type BuildContext, type Builder, mapOf, type StoredAddresses } from "./op.ts";

/** An operation with its vectors of one number per channel. */
interface Norm {
  readonly context: BuildContext;
  readonly input: FeatureMap;
  readonly weight: StoredAddresses;
  readonly bias: StoredAddresses;
  /** Statistics of the pass: those of the batch in training, or the running ones. */
  readonly mean: Place | number;
  /** 1 / √(variance + eps), and weight times it. */
  readonly r: Place;
  readonly scale: Place;
}

const WORK = "batchNorm";

export const buildBatchNorm2d: Builder<"batchNorm2d"> = (context, op, input, site) => {
  const { plan, kernels } = context;
  const { eps, momentum, affine } = op.options;
  const layout = vectorLayout(input.channels);
  const parameter = (role: Parameters<BuildContext["parameter"]>[1]) => context.parameter(op.name, role, layout);
  const fixed = (value: number) => ({ value: constant(context, input, value), gradient: undefined });
  const weight = affine ? parameter("weight") : fixed(1);
  const bias = affine ? parameter("bias") : fixed(0);
  const [runningMean, runningVariance] = [parameter("running_mean").value, parameter("running_var").value];
  const usesBatch = context.usesBatchStatistics(op.name);
  const mean = usesBatch ? vector(context, input) : runningMean;
  const norm: Norm = { context, input, weight, bias, mean, r: vector(context, input), scale: vector(context, input) };
  const sums = usesBatch ? addSums(norm, { op: op.name, runningMean, momentum }) : 0;
  plan.add(WORK, kernels.normScale, {
    ...channelArguments(input),
    ...{ sums, fixed: Number(!usesBatch), weight: weight.value, r: norm.r, scale: norm.scale, runningVariance },
    ...{ eps: { float: eps }, momentum: { float: momentum } },
  });
  const output = mapOf(context, input, site.outputBorders(1), input.lanes);
  plan.add(WORK, kernels.normApply, {
    ...mapArguments(input, input),
    ...operand("y", output),
    ...{ mean, scale: norm.scale, shift: bias.value, factor: 0 },
  });
  return {
    output,
    covers: 1,
    gradientBorders: noBorders,
    backward(gradient) {
      const target = () => mapOf(context, input, site.inputGradientBorders, input.lanes);
      if (!usesBatch) return addScaled(norm, gradient, target());
      const factors = addGradients(norm, gradient);
      return site.needsInputGradient ? addInputGradient(norm, gradient, factors, target()) : undefined;
    },
  };
};

/** Adds the sums of training: the mean of the batch, and the squares of the deviations from it, which it returns. */
function addSums(
  { context, input, mean }: Norm,
  { op, runningMean, momentum }: { readonly op: string; readonly runningMean: number; readonly momentum: number },
): Place {
  const { plan, kernels, scratch, checkTraining } = context;
  scratch(2 * input.pixelBytes);
  checkTraining((images) => requireSeveral(op, images * input.height * input.width));
  const [total, squares] = [newSums(context, input, 1), newSums(context, input, 1)];
  const map = mapArguments(input, input);
  plan.add(WORK, kernels.normSums, { ...map, mean: runningMean, sums: total });
  const ofMean = { sums: total, mean, runningMean, momentum: { float: momentum } };
  plan.add(WORK, kernels.normMean, { ...channelArguments(input), ...ofMean });
  plan.add(WORK, kernels.normSquares, { ...map, mean, sums: squares });
  return squares;
}

/** Adds the gradients of weight and bias. Returns slope and offset of the input's gradient, see `batchNormKernels`. */
function addGradients({ context, input, weight, bias, mean, r, scale }: Norm, gradient: FeatureMap) {
  const { plan, kernels } = context;
  const sums = newSums(context, input, 2);
  const factors = { slope: vector(context, input), offset: vector(context, input) };
  plan.add(WORK, kernels.normGradientSums, { ...mapArguments(input, gradient), mean, sums });
  plan.add(WORK, kernels.normGradients, {
    ...channelArguments(input),
    ...{ sums, r, scale, ...factors },
    weightGradient: weight.gradient ?? vector(context, input),
    biasGradient: bias.gradient ?? vector(context, input),
  });
  return factors;
}

function addInputGradient(
  { context: { plan, kernels }, input, mean, scale }: Norm,
  gradient: FeatureMap,
  { slope, offset }: ReturnType<typeof addGradients>,
  target: FeatureMap,
): FeatureMap {
  plan.add(WORK, kernels.normApplyGradient, {
    ...mapArguments(input, gradient),
    ...operand("y", target),
    ...{ mean, scale: slope, shift: offset, factor: scale },
  });
  return target;
}

/** The gradient of the input for given statistics: that of the output times the scale. */
function addScaled({ context, input, scale }: Norm, gradient: FeatureMap, target: FeatureMap): FeatureMap {
  const zeros = constant(context, input, 0);
  context.plan.add(WORK, context.kernels.normApply, {
    ...mapArguments(gradient, gradient),
    ...operand("y", target),
    ...{ mean: zeros, scale, shift: zeros, factor: 0 },
  });
  return target;
}

function mapArguments(x: FeatureMap, z: FeatureMap) {
  const { height: rows, width: columns, pixelBytes: laneBytes } = x;
  return { ...operand("x", x), ...operand("z", z), rows, columns, laneBytes };
}

function channelArguments({ height, width, pixelBytes: laneBytes }: FeatureMap) {
  return { laneBytes, positions: height * width };
}

/** A constant for each channel; padded ones are 0. */
function constant({ plan }: BuildContext, { channels }: FeatureMap, value: number): number {
  return plan.table(new Float32Array(vectorLayout(channels).length).fill(value, 0, channels));
}

/** A number for each channel. */
function vector({ plan }: BuildContext, { pixelBytes }: FeatureMap): Place {
  return { buffer: plan.buffer(pixelBytes), offset: 0 };
}

/** Sums of each image and channel. */
function newSums({ plan, batchSize }: BuildContext, { pixelBytes }: FeatureMap, terms: number): Place {
  return { buffer: plan.buffer(sumsBytes(batchSize, terms, pixelBytes)), offset: 0 };
}
