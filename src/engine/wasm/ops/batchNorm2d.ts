/** Batch normalization: by statistics of the batch in training, by running statistics otherwise. */
import { requireSeveral } from "../../runningStatistics.ts";
import { type FeatureMap, noBorders, operand } from "../featureMap.ts";
import { sumsBytes } from "../kernels/batchNorm.ts";
import { vectorLayout } from "../weights.ts";
import { type BuildContext, type Builder, mapOf } from "./op.ts";

export const buildBatchNorm2d: Builder<"batchNorm2d"> = (context, op, input, site) => {
  const { plan, kernels, batchSize } = context;
  const { eps, momentum, affine } = op.options;
  const { channels, height, width, pixelBytes: laneBytes } = input;
  const layout = vectorLayout(channels);
  const parameter = (role: Parameters<BuildContext["parameter"]>[1]) => context.parameter(op.name, role, layout);
  const constant = (value: number) => plan.table(new Float32Array(layout.length).fill(value, 0, channels));
  const vector = () => ({ buffer: plan.buffer(laneBytes), offset: 0 });
  const sums = (terms: number) => ({ buffer: plan.buffer(sumsBytes(batchSize, terms, laneBytes)), offset: 0 });
  const [weight, bias] = affine
    ? [parameter("weight"), parameter("bias")]
    : [1, 0].map((value) => ({ value: constant(value), gradient: undefined }));
  const [runningMean, runningVariance] = [parameter("running_mean").value, parameter("running_var").value];
  const usesBatch = context.usesBatchStatistics(op.name);
  const [r, scale] = [vector(), vector()];
  const mean = usesBatch ? vector() : runningMean;
  const map = { ...operand("x", input), ...extentsOf(input) };
  const channel = { laneBytes, positions: height * width };
  const weightValue = weight?.value ?? 0;
  const ofScale = {
    weight: weightValue,
    r,
    scale,
    runningVariance,
    eps: { float: eps },
    momentum: { float: momentum },
  };
  const own = { ...map, ...operand("z", input) };
  const work = "batchNorm";
  if (usesBatch) {
    context.scratch(2 * laneBytes);
    context.checkTraining((images) => requireSeveral(op.name, images * height * width));
    const total = sums(1);
    plan.add(work, kernels.normSums, { ...own, mean: runningMean, sums: total });
    plan.add(work, kernels.normMean, { ...channel, sums: total, mean, runningMean, momentum: { float: momentum } });
    const squares = sums(1);
    plan.add(work, kernels.normSquares, { ...own, mean, sums: squares });
    plan.add(work, kernels.normScale, { ...channel, sums: squares, ...ofScale, fixed: 0 });
  } else plan.add(work, kernels.normScale, { ...channel, sums: 0, ...ofScale, fixed: 1 });
  const output = mapOf(context, input, site.outputBorders(1), input.lanes);
  const vectors = { mean, scale, shift: bias?.value ?? 0, factor: 0 };
  plan.add(work, kernels.normApply, { ...own, ...operand("y", output), ...vectors });
  return {
    output,
    covers: 1,
    gradientBorders: noBorders,
    backward(gradient) {
      const target = () => mapOf(context, input, site.inputGradientBorders, input.lanes);
      if (!usesBatch) {
        const zeros = constant(0);
        const result = target();
        plan.add(work, kernels.normApply, {
          ...operand("x", gradient),
          ...operand("z", gradient),
          ...extentsOf(input),
          ...operand("y", result),
          ...{ mean: zeros, scale, shift: zeros, factor: 0 },
        });
        return result;
      }
      const both = { ...map, ...operand("z", gradient) };
      const total = sums(2);
      const [slope, offset] = [vector(), vector()];
      plan.add(work, kernels.normGradientSums, { ...both, mean, sums: total });
      plan.add(work, kernels.normGradients, {
        ...channel,
        ...{ sums: total, r, scale, slope, offset },
        weightGradient: weight?.gradient ?? vector(),
        biasGradient: bias?.gradient ?? vector(),
      });
      if (!site.needsInputGradient) return undefined;
      const result = target();
      const factors = { mean, scale: slope, shift: offset, factor: scale };
      plan.add(work, kernels.normApplyGradient, { ...both, ...operand("y", result), ...factors });
      return result;
    },
  };
};

function extentsOf({ height, width, pixelBytes }: FeatureMap) {
  return { rows: height, columns: width, laneBytes: pixelBytes };
}
