/** Average pooling from primitives. */
import type { Builder } from "./op.ts";
import { buildPool } from "./pool.ts";

/** Average pooling. */
export const buildAveragePool2d: Builder<"averagePool2d"> = (context, op, input) => {
  const algorithm = op.options.countIncludePad ? "averageWithPadding" : "average";
  return buildPool(context, algorithm, input, [context.batchSize, ...op.outputShape], op.options);
};
