/** Dropout in loops, forward beside backward. */
import { fillDropoutMask, randomStream } from "../../random.ts";
import type { Op } from "../engine.ts";
import { type Draw, noParameterGradients, type Operation } from "./operation.ts";

/**
 * y = x · m; dx = dy · m. The mask m is a function of (seed, layer, counter), so the way down draws the same one again.
 *
 * Source: Krizhevsky et al. 2012, §4.2, with the factor of the test moved to training (inverted dropout).
 */
export const dropout: Operation<"dropout"> = {
  forward: (op, { input, output, draw }) => multiplyByMask(op, draw, input, output),
  inputGradient: (op, { outputGradient, inputGradient, draw }) =>
    multiplyByMask(op, draw, outputGradient, inputGradient),
  parameterGradients: noParameterGradients,
};

function multiplyByMask(op: Op<"dropout">, draw: Draw, source: Float64Array, target: Float64Array): void {
  target.set(source);
  if (!draw.training && !op.options.activeAtEvaluation) return;
  const mask = new Float32Array(source.length);
  const words = new Uint32Array(Math.ceil(source.length / 2));
  fillDropoutMask(randomStream(draw.seed, `dropout:${op.name}`), draw.counter, op.options.probability, words, mask);
  mask.forEach((m, i) => {
    target[i] = (source[i] as number) * m;
  });
}
