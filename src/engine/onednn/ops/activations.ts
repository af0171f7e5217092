/** Activations from primitives, fused into the preceding layer if possible. */
import type { AnyOp, Op, OpKind, OpOptions } from "../../engine.ts";
import type { Activation } from "../native/oneDnn.ts";
import type { Plan, Value } from "../plan.ts";
import type { Builder, Built, OpContext } from "./op.ts";

/** The library's function for each activation. */
const functions = {
  relu: () => ({ name: "relu", alpha: 0 }),
  tanh: () => ({ name: "tanh", alpha: 0 }),
  sigmoid: () => ({ name: "sigmoid", alpha: 0 }),
} as const satisfies { readonly [K in OpKind]?: (options: OpOptions[K]) => Activation };

type ActivationKind = keyof typeof functions;

const allFunctions: { readonly [K in OpKind]?: (options: OpOptions[K]) => Activation } = functions;

function activationOf<K extends OpKind>({ kind, options }: Op<K>): Activation | undefined {
  return allFunctions[kind]?.(options);
}

/** The activation that a convolution or linear layer can fuse: that of the next operation. */
export function fusable(next: AnyOp | undefined): Activation | undefined {
  return next && activationOf<OpKind>(next);
}

/** Converts the gradient of an activation's output to that of its input, in place. */
export function addActivationBackward(plan: Plan, activation: Activation, output: Value, gradient: Value): Value {
  const inPlace = plan.inLayout(gradient, output.desc);
  plan.add("activation", plan.session.activationBackward(activation, inPlace.desc, output.desc), [
    ["dst", output],
    ["diffDst", inPlace],
    ["diffSrc", inPlace],
  ]);
  return inPlace;
}

/** An activation after an operation that cannot fuse it, in the layout of the next operation, so that its output is stored once. */
function buildActivation<K extends OpKind>(
  context: OpContext,
  op: Op<K>,
  given: Value,
  next: AnyOp | undefined,
): Built {
  const { plan, training } = context;
  const activation = activationOf(op);
  if (!activation) throw new Error(`${op.name}: ${op.kind} is not an activation`);
  const layout = next && context.inputLayout(next, given);
  const input = layout ? plan.inLayout(given, layout) : given;
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
}

export const activationBuilders = Object.fromEntries(
  Object.keys(functions).map((kind) => [kind, buildActivation]),
) as unknown as { readonly [K in ActivationKind]: Builder<K, OpContext> };
