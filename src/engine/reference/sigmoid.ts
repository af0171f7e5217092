/** Sigmoid in loops, forward beside backward. */
import { noParameterGradients, type Operation } from "./operation.ts";
import { map, map2 } from "./vector.ts";

/** y = 1 / (1 + e⁻ˣ); dx = dy · y · (1 − y). */
export const sigmoid: Operation<"sigmoid"> = {
  forward: (_op, { input, output }) => map(output, input, (x) => 1 / (1 + Math.exp(-x))),
  inputGradient: (_op, { output, outputGradient, inputGradient }) =>
    map2(inputGradient, output, outputGradient, (y, dy) => dy * y * (1 - y)),
  parameterGradients: noParameterGradients,
};
