import type { Builder } from "./op.ts";
import { buildWeighted } from "./weighted.ts";

/** Inner product. On plain inputs the library uses one weight layout for all three directions. */
export const buildLinear: Builder<"linear"> = (context, op, input, next) => {
  const { outFeatures } = op.options;
  const weightDims = [outFeatures, input.dims[1] as number];
  const outputDims = [context.batchSize, outFeatures];
  const src = context.plan.session.plain(input.dims, context.format);
  return buildWeighted(context, { op, next, input, src, weightDims, outputDims, window: undefined });
};
