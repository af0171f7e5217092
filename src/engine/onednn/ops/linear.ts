import type { Builder } from "./op.ts";
import { buildWeighted } from "./weighted.ts";

/** Inner product, over feature maps as they lie if nothing flattened them. */
export const buildLinear: Builder<"linear"> = (context, op, input, next) => {
  const { outFeatures } = op.options;
  const weightDims = [outFeatures, ...input.dims.slice(1)];
  const outputDims = [context.batchSize, outFeatures];
  const dst = context.plan.session.plain(outputDims);
  return buildWeighted(context, { op, next, input, src: input.desc, dst, weightDims, outputDims, window: undefined });
};
