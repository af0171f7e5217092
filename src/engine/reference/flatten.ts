/** Flattening in loops, forward beside backward. */
import { noParameterGradients, type Operation } from "./operation.ts";

/** y = x, read as one row: maps already lie that way. Shapes: [C, H, W] → [C·H·W]. */
export const flatten: Operation<"flatten"> = {
  forward: (_op, { input, output }) => output.set(input),
  inputGradient: (_op, { outputGradient, inputGradient }) => inputGradient.set(outputGradient),
  parameterGradients: noParameterGradients,
};
