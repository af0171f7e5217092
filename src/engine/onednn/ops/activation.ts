/** ReLU, tanh and sigmoid, fused into the layer before where that is possible. */
import type { AnyOp } from "../../engine.ts";
import type { Activation } from "../native/oneDnn.ts";
import type { Plan, Value } from "../plan.ts";
import type { Builder } from "./op.ts";

const activations: readonly string[] = ["relu", "tanh", "sigmoid"] satisfies readonly Activation[];

/** The activation that a convolution or linear layer can compute along with its own result: that of the next operation. */
export function fusable(next: AnyOp | undefined): Activation | undefined {
  return next && activations.includes(next.kind) ? (next.kind as Activation) : undefined;
}

/** Turns the gradient of an activation's output into that of its input, in place. */
export function addActivationBackward(plan: Plan, activation: Activation, output: Value, gradient: Value): Value {
  const inPlace = plan.inLayout(gradient, output.desc);
  plan.add("activation", plan.session.activationBackward(activation, inPlace.desc, output.desc), [
    ["dst", output],
    ["diffDst", inPlace],
    ["diffSrc", inPlace],
  ]);
  return inPlace;
}

/** An activation that stands alone, behind an operation that cannot fuse it. */
function builder<K extends Activation>(activation: K): Builder<K> {
  return ({ plan, training }, _op, input) => {
    const output = plan.value(input.dims, input.desc);
    plan.add("activation", plan.session.activationForward(activation, input.desc, training), [
      ["src", input],
      ["dst", output],
    ]);
    return {
      output,
      covers: 1,
      backward: (gradient, needed) => (needed ? addActivationBackward(plan, activation, output, gradient) : undefined),
    };
  };
}

export const buildRelu: Builder<"relu"> = builder("relu");
export const buildTanh: Builder<"tanh"> = builder("tanh");
export const buildSigmoid: Builder<"sigmoid"> = builder("sigmoid");
