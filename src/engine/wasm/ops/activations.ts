/** Activations, and ReLU fused into the operation before it. */
import type { AnyOp, OpKind } from "../../engine.ts";
import type { FeatureMap } from "../featureMap.ts";
import { operand } from "../featureMap.ts";
import { addRows, type BuildContext, type Builder, mapOf } from "./op.ts";

/** Activations whose forward pass another kernel can end with. */
const fusableKinds: Partial<Record<OpKind, true>> = { relu: true };

/** True if the next operation is computed at the end of this one. */
export function isFused(next: AnyOp | undefined): boolean {
  return next !== undefined && fusableKinds[next.kind] === true;
}

/** Converts the gradient of ReLU's output to that of its input, in place. */
export function addReluBackward(context: BuildContext, output: FeatureMap, gradient: FeatureMap): void {
  addRows(context, "activation", "reluBackward", gradient, gradient, output);
}

/** An activation with kernels of the names `forward` and `backward`. `atZero` is its value at 0, which padded channels then have. */
function activation(forward: "relu" | "tanh" | "sigmoid", atZero: number): Builder<"relu" | "tanh" | "sigmoid"> {
  return (context, _op, input, site) => {
    const output = mapOf(context, input, site.outputBorders(1), input.lanes);
    addRows(context, "activation", forward, input, output);
    if (atZero !== 0 && output.lanes > output.channels) addClearedLanes(context, output);
    return {
      output,
      covers: 1,
      gradientBorders: site.inputGradientBorders,
      backward(gradient) {
        if (!site.needsInputGradient) return undefined;
        addRows(context, "activation", `${forward}Backward`, gradient, gradient, output);
        return gradient;
      },
    };
  };
}

/** Sets the padded channels to 0, as every reader expects them. */
export function addClearedLanes({ plan, kernels }: BuildContext, map: FeatureMap): void {
  plan.add("padding", kernels.clearLanes, {
    ...operand("y", map),
    rows: map.height,
    columns: map.width,
    first: 4 * map.channels,
  });
}

export const activationBuilders = {
  relu: activation("relu", 0),
  tanh: activation("tanh", 0),
  sigmoid: activation("sigmoid", 0.5),
};
