/** Activations, and ReLU fused into the operation before it. */
import type { AnyOp, OpKind } from "../../engine.ts";
import type { FeatureMap } from "../featureMap.ts";
import { operand } from "../featureMap.ts";
import { type ActivationKind, activations, constantOf } from "../kernels/activations.ts";
import { addRows, type BuildContext, type Builder, mapOf } from "./op.ts";

/** Activations whose forward pass another kernel can end with. */
const fusableKinds: Partial<Record<OpKind, true>> = { relu: true };

/** True if the next operation is computed at the end of this one. */
export function isFused(next: AnyOp | undefined): boolean {
  return next !== undefined && fusableKinds[next.kind] === true;
}

/** Converts the gradient of ReLU's output to that of its input, in place. */
export function addReluBackward(context: BuildContext, output: FeatureMap, gradient: FeatureMap): void {
  const { backward } = context.kernels.activations.relu;
  addRows(context, "activation", backward, { x: gradient, y: gradient, z: output });
}

/** An activation on its own: a pass over the map. */
function builderOf<K extends ActivationKind>(kind: K): Builder<K> {
  const { movesZero } = activations[kind];
  return (context, op, input, site) => {
    const { forward, backward } = context.kernels.activations[kind];
    const constant = constantOf(kind, op.options);
    const output = mapOf(context, input, site.outputBorders(1), input.lanes);
    addRows(context, "activation", forward, { x: input, y: output, constant });
    if (movesZero && output.lanes > output.channels) addClearedLanes(context, output);
    return {
      output,
      covers: 1,
      gradientBorders: site.inputGradientBorders,
      backward(gradient) {
        addRows(context, "activation", backward, { x: gradient, y: gradient, z: output, constant });
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

export const activationBuilders = Object.fromEntries(
  (Object.keys(activations) as ActivationKind[]).map((kind) => [kind, builderOf(kind)]),
) as unknown as { readonly [K in ActivationKind]: Builder<K> };
