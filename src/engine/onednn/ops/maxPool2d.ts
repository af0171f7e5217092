import type { Builder } from "./op.ts";

/** Max pooling; training remembers where each maximum was. */
export const buildMaxPool2d: Builder<"maxPool2d"> = ({ plan, batchSize, training }, op, input) => {
  const { session } = plan;
  const dims = [batchSize, ...op.outputShape];
  const forward = session.poolForward("max", input.desc, session.any(dims), op.options, training);
  const output = plan.value(dims, plan.layout(forward, "dst"));
  const workspaceDesc = session.query(forward, "workspace");
  const workspace = workspaceDesc ? [["workspace", plan.value([], workspaceDesc)] as const] : [];
  plan.add(forward, [["src", input], ["dst", output], ...workspace]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = plan.inLayout(outputGradient, output.desc);
      const inputGradient = plan.value(input.dims, input.desc);
      const backward = session.poolBackward("max", input.desc, output.desc, op.options, forward);
      plan.add(backward, [["diffDst", gradient], ["diffSrc", inputGradient], ...workspace]);
      return inputGradient;
    },
  };
};
