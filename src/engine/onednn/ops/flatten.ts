/** Flattening from primitives. */
import type { Value } from "../plan.ts";
import type { Builder } from "./op.ts";

/**
 * A copy in row order. Inner products could read maps as they lie, but choose slower weight layouts for them, a different one for each
 * direction: the copy of a few megabytes saves reorders of all weights.
 */
export const buildFlatten: Builder<"flatten"> = ({ plan, batchSize, format }, op, input) => {
  const { session } = plan;
  const maps = session.plain(input.dims, format);
  const flatDims = [batchSize, ...op.outputShape];
  const flat = (value: Value): Value => ({ ...value, dims: flatDims, desc: session.plain(flatDims, format) });
  return {
    output: flat(plan.inLayout(input, maps)),
    covers: 1,
    backward(gradient, needed) {
      if (!needed) return undefined;
      const inRowOrder = plan.inLayout(gradient, session.plain(flatDims, format));
      return plan.inLayout({ ...inRowOrder, dims: input.dims, desc: maps }, input.desc);
    },
  };
};
