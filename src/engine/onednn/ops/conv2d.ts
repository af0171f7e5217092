import type { Builder } from "./op.ts";
import { buildWeighted } from "./weighted.ts";

/** Convolution, direct algorithm: exact wherever f32 sums are. */
export const buildConv2d: Builder<"conv2d"> = (context, op, input, next) => {
  const { outChannels, kernelSize, groups, stride, padding } = op.options;
  const channels = (op.inputShape[0] as number) / groups;
  const filter = [channels, kernelSize, kernelSize];
  const weightDims = groups === 1 ? [outChannels, ...filter] : [groups, outChannels / groups, ...filter];
  const outputDims = [context.batchSize, ...op.outputShape];
  const { session } = context.plan;
  const src = session.any(input.dims);
  const dst = session.any(outputDims);
  return buildWeighted(context, { op, next, input, src, dst, weightDims, outputDims, window: { stride, padding } });
};
