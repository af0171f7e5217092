/** Linear layer in loops, forward beside backward. */
import type { Operation } from "./operation.ts";
import { addScaled, dot } from "./vector.ts";

/**
 * y[o] = b[o] + Σᵢ w[o, i] · x[i];
 * dx[i] = Σₒ dy[o] · w[o, i]; dw[o, i] = dy[o] · x[i]; db[o] = dy[o].
 *
 * Shapes: x [I], y [O], w [O, I], b [O]. Source: Krizhevsky et al. 2012, §3.5.
 */
export const linear: Operation<"linear"> = {
  forward(_op, { input, output, weight, bias }) {
    const inputs = input.length;
    bias.forEach((b, o) => {
      output[o] = b + dot(weight, o * inputs, 1, input, 0, 1, inputs);
    });
  },
  inputGradient(_op, { outputGradient, inputGradient, weight }) {
    const inputs = inputGradient.length;
    inputGradient.fill(0);
    outputGradient.forEach((dy, o) => {
      addScaled(inputGradient, 0, 1, dy, weight, o * inputs, 1, inputs);
    });
  },
  parameterGradients(_op, { input, outputGradient, weightGradient, biasGradient }) {
    const inputs = input.length;
    outputGradient.forEach((dy, o) => {
      addScaled(weightGradient, o * inputs, 1, dy, input, 0, 1, inputs);
    });
    addScaled(biasGradient, 0, 1, 1, outputGradient, 0, 1, outputGradient.length);
  },
};
