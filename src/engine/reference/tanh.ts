/** Tanh in loops, forward beside backward. */
import { noParameterGradients, type Operation } from "./operation.ts";
import { map, map2 } from "./vector.ts";

/** y = tanh x; dx = dy · (1 − y²). */
export const tanh: Operation<"tanh"> = {
  forward: (_op, { input, output }) => map(output, input, Math.tanh),
  inputGradient: (_op, { output, outputGradient, inputGradient }) =>
    map2(inputGradient, output, outputGradient, (y, dy) => dy * (1 - y * y)),
  parameterGradients: noParameterGradients,
};
