/** Common part of max and average pooling. */
import type { PoolAlgorithm, Window2d } from "../native/oneDnn.ts";
import type { Value } from "../plan.ts";
import type { BuildContext, Built } from "./op.ts";

/** Pooling over windows that are all alike. Training of max pooling remembers where each maximum was. */
export function buildPool(
  { plan, training, format }: BuildContext,
  algorithm: PoolAlgorithm,
  input: Value,
  outputDims: readonly number[],
  window: Window2d,
): Built {
  const { session } = plan;
  const forward = session.poolForward(algorithm, input.desc, session.any(outputDims, format), window, training);
  const output = plan.value(outputDims, plan.layout(forward, "dst"));
  const workspace = plan.workspace(forward);
  plan.add("pooling", forward, [["src", input], ["dst", output], ...workspace]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = plan.inLayout(outputGradient, output.desc);
      const inputGradient = plan.value(input.dims, input.desc);
      const backward = session.poolBackward(algorithm, input.desc, output.desc, window, forward);
      plan.add("pooling", backward, [["diffDst", gradient], ["diffSrc", inputGradient], ...workspace]);
      return inputGradient;
    },
  };
}
