/** Activations as loops, forward and backward. */
import type { OpKind } from "../engine.ts";
import { noParameterGradients, type Operation } from "./operation.ts";
import { map, map2 } from "./vector.ts";

/**
 * y = max(0, x); dx = dy where x > 0, else 0.
 *
 * Source: Krizhevsky et al. 2012, §3.1.
 */
const relu: Operation<"relu"> = {
  forward: (_op, { input, output }) => map(output, input, (x) => Math.max(0, x)),
  inputGradient: (_op, { input, outputGradient, inputGradient }) =>
    map2(inputGradient, input, outputGradient, (x, dy) => (x > 0 ? dy : 0)),
  parameterGradients: noParameterGradients,
};

/** y = tanh x; dx = dy · (1 − y²). */
const tanh: Operation<"tanh"> = {
  forward: (_op, { input, output }) => map(output, input, Math.tanh),
  inputGradient: (_op, { output, outputGradient, inputGradient }) =>
    map2(inputGradient, output, outputGradient, (y, dy) => dy * (1 - y * y)),
  parameterGradients: noParameterGradients,
};

/** y = 1 / (1 + e⁻ˣ); dx = dy · y · (1 − y). */
const sigmoid: Operation<"sigmoid"> = {
  forward: (_op, { input, output }) => map(output, input, (x) => 1 / (1 + Math.exp(-x))),
  inputGradient: (_op, { output, outputGradient, inputGradient }) =>
    map2(inputGradient, output, outputGradient, (y, dy) => dy * y * (1 - y)),
  parameterGradients: noParameterGradients,
};

export const activations = { relu, tanh, sigmoid } satisfies { readonly [K in OpKind]?: Operation<K> };
