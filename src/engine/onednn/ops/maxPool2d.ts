/** Max pooling from primitives. */
import type { Builder } from "./op.ts";
import { buildPool } from "./pool.ts";

/** Max pooling. */
export const buildMaxPool2d: Builder<"maxPool2d"> = (context, op, input) =>
  buildPool(context, "max", input, [context.batchSize, ...op.outputShape], op.options);
