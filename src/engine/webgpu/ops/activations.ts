/** Activations on their own, and ReLU fused into the operation before it. */
import type { AnyOp, OpKind, OpOptions } from "../../engine.ts";
import { type Activation, activationHelpers, activations } from "../kernels/elements.ts";
import { addElements, addGradient, type Builder, mapOf, read, sizeOfMap, write } from "./op.ts";

type ActivationKind = keyof typeof activations;

/** Activations that another kernel can end with. */
const fusableKinds: Partial<Record<OpKind, true>> = { relu: true };

/** True if the next operation is computed at the end of this one. */
export function isFused(next: AnyOp | undefined): boolean {
  return next !== undefined && fusableKinds[next.kind] === true;
}

function builderOf<K extends ActivationKind>(kind: K): Builder<K> {
  const table: { readonly [N in ActivationKind]: (options: OpOptions[N]) => Activation } = activations;
  return (context, { options }, input) => {
    const { forward, backward } = table[kind](options);
    const output = mapOf(context, input);
    addElements(context, "activation", [read("xs", input.buffer), write("ys", output.buffer)], {
      each: sizeOfMap(input),
      body: `let x = xs[i]; ys[i] = ${forward};`,
      helpers: activationHelpers,
    });
    return {
      output,
      covers: 1,
      backward: (gradient) =>
        addGradient(context, "activation", input, [read("ys", output.buffer), read("dys", gradient.buffer)], {
          body: `let y = ys[i]; let dy = dys[i]; let sum = ${backward};`,
        }),
    };
  };
}

export const activationBuilders = Object.fromEntries(
  (Object.keys(activations) as ActivationKind[]).map((kind) => [kind, builderOf(kind)]),
) as unknown as { readonly [K in ActivationKind]: Builder<K> };
