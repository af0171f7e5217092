import { buildWeighted } from "./buildWeighted.ts";
import { type Builder, whole } from "./op.ts";

/** Inner product. On plain inputs the library uses one weight layout for all three directions. */
export const buildLinear: Builder<"linear"> = (context, op, input, next) => {
  const { outFeatures } = op.options;
  return buildWeighted(context, {
    op,
    next,
    input,
    src: context.plan.session.plain(input.dims, context.format),
    weightDims: [outFeatures, input.dims[1] as number],
    outputDims: [context.batchSize, outFeatures],
    window: undefined,
    part: whole,
  });
};
