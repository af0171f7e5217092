/** ReLU in loops, forward beside backward. */
import { noParameterGradients, type Operation } from "./operation.ts";
import { map, map2 } from "./vector.ts";

/**
 * y = max(0, x); dx = dy where x > 0, else 0.
 *
 * Source: Krizhevsky et al. 2012, §3.1.
 */
export const relu: Operation<"relu"> = {
  forward: (_op, { input, output }) => map(output, input, (x) => Math.max(0, x)),
  inputGradient: (_op, { input, outputGradient, inputGradient }) =>
    map2(inputGradient, input, outputGradient, (x, dy) => (x > 0 ? dy : 0)),
  parameterGradients: noParameterGradients,
};
