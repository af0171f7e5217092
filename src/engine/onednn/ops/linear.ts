import type { Builder } from "./op.ts";
import { buildWeighted } from "./weighted.ts";

/** Inner product. On plain inputs the library uses one weight layout for all three directions. */
export const buildLinear: Builder<"linear"> = (context, op, input, next) => {
  const { outFeatures } = op.options;
  const weightDims = [outFeatures, input.dims[1] as number];
  const outputDims = [context.batchSize, outFeatures];
  const dst = context.plan.session.plain(outputDims);
  return buildWeighted(context, { op, next, input, src: input.desc, dst, weightDims, outputDims, window: undefined });
};
