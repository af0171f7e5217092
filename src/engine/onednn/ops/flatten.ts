import type { Value } from "../plan.ts";
import { type Builder, passThrough } from "./op.ts";

/** Before a linear layer nothing: that reads maps in any layout. Otherwise a copy in row order. */
export const buildFlatten: Builder<"flatten"> = ({ plan, batchSize }, op, input, next) => {
  if (next?.kind === "linear") return passThrough(input);
  const { session } = plan;
  const maps = session.plain(input.dims);
  const flatDims = [batchSize, ...op.outputShape];
  const flat = (value: Value): Value => ({ ...value, dims: flatDims, desc: session.plain(flatDims) });
  return {
    output: flat(plan.inLayout(input, maps)),
    covers: 1,
    backward(gradient) {
      const inRowOrder = plan.inLayout(gradient, session.plain(flatDims));
      return plan.inLayout({ ...inRowOrder, dims: input.dims, desc: maps }, input.desc);
    },
  };
};
