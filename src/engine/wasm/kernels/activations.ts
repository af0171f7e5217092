/** Activations: the formulas of their kernels, and all else that the engine knows of each. */

import type { Body, ModuleBuilder } from "../../../assembler/assembler.ts";
import { f32x4, type V128, v128, vector } from "../../../assembler/instructions.ts";
import type { OpKind, OpOptions } from "../../engine.ts";
import { expFunction } from "./exponential.ts";
import { rowKernel } from "./maps.ts";

/** Means of a formula: keeps a value that is used twice, and eˣ. */
interface Means {
  keep(value: V128): V128;
  exp(x: V128): V128;
}

/** An increasing function, whose derivative follows from its output. */
interface Activation<K extends OpKind> {
  forward(x: V128, constant: V128, means: Means): V128;
  /** The gradient of x from that of y. */
  backward(gradient: V128, y: V128, constant: V128, means: Means): V128;
  /** True if f(0) is not 0, so that padded channels must be set to 0. */
  readonly movesZero: boolean;
  /** Number in the formula. */
  constant(options: OpOptions[K]): number;
}

const one = vector(1);
const zero = vector(0);

/** y = max(0, x); dx = dy where y > 0, else 0. */
const relu: Activation<"relu"> = {
  forward: (x) => f32x4.max(x, zero),
  backward: (dy, y) => v128.and(dy, f32x4.gt(y, zero)),
  movesZero: false,
  constant: () => 0,
};

/** y = (1 − t) / (1 + t) with t = e^−2|x|, and the sign of x: exact to the last places on both sides; dx = dy · (1 − y²). */
const tanh: Activation<"tanh"> = {
  forward(given, _, { keep, exp }) {
    const x = keep(given);
    const size = keep(f32x4.max(x, f32x4.sub(zero, x)));
    const t = keep(exp(f32x4.sub(zero, f32x4.add(size, size))));
    const y = keep(f32x4.div(f32x4.sub(one, t), f32x4.add(one, t)));
    return v128.select(f32x4.sub(zero, y), y, f32x4.gt(zero, x));
  },
  backward(dy, given, _, { keep }) {
    const y = keep(given);
    return f32x4.mul(dy, f32x4.sub(one, f32x4.mul(y, y)));
  },
  movesZero: false,
  constant: () => 0,
};

/** y = 1 / (1 + e⁻ˣ); dx = dy · y · (1 − y). */
const sigmoid: Activation<"sigmoid"> = {
  forward: (x, _, { exp }) => f32x4.div(one, f32x4.add(one, exp(f32x4.sub(zero, x)))),
  backward(dy, given, _, { keep }) {
    const y = keep(given);
    return f32x4.mul(f32x4.mul(dy, y), f32x4.sub(one, y));
  },
  movesZero: true,
  constant: () => 0,
};

export const activations = { relu, tanh, sigmoid } satisfies { readonly [K in OpKind]?: Activation<K> };

export type ActivationKind = keyof typeof activations;

const byKind: { readonly [K in ActivationKind]: Activation<K> } = activations;

/** Number in an activation's formula. */
export function constantOf<K extends ActivationKind>(kind: K, options: OpOptions[K]): number {
  const { constant }: Activation<K> = byKind[kind];
  return constant(options);
}

/** Kernels of an activation, over the rows of maps: y ← f(x), and y ← the gradient of x from that of the output, with the output z. */
export type ActivationKernels = Readonly<Record<"forward" | "backward", ReturnType<typeof rowKernel>>>;

/** Kernels of each activation. */
export function activationKernels(module: ModuleBuilder): Readonly<Record<ActivationKind, ActivationKernels>> {
  const exp = expFunction(module);
  const meansOf = (body: Body): Means => ({ keep: (value) => body.local("v128", value), exp });
  const kernels = Object.entries(activations).map(([kind, { forward, backward }]) => [
    kind,
    {
      forward: rowKernel(module, (x, _, constant, body) => forward(x, constant, meansOf(body))),
      backward: rowKernel(module, (x, z, constant, body) => backward(x, z, constant, meansOf(body))),
    },
  ]);
  return Object.fromEntries(kernels) as Readonly<Record<ActivationKind, ActivationKernels>>;
}
