/** Local response normalisation from primitives. */
import type { Builder } from "./op.ts";

/** Normalisation over neighbouring channels; training keeps the denominators. */
export const buildLocalResponseNorm: Builder<"localResponseNorm"> = ({ plan, training }, op, input) => {
  const { session } = plan;
  const forward = session.lrnForward(input.desc, op.options, training);
  const output = plan.value(input.dims, input.desc);
  const workspace = plan.workspace(forward);
  plan.add("localResponseNorm", forward, [["src", input], ["dst", output], ...workspace]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = plan.inLayout(outputGradient, input.desc);
      const inputGradient = plan.value(input.dims, input.desc);
      const backward = session.lrnBackward(input.desc, input.desc, op.options, forward);
      plan.add("localResponseNorm", backward, [
        ["src", input],
        ["diffDst", gradient],
        ["diffSrc", inputGradient],
        ...workspace,
      ]);
      return inputGradient;
    },
  };
};
