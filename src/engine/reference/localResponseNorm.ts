/** Local response normalisation in loops, forward beside backward. */
import type { Op } from "../engine.ts";
import { noParameterGradients, type Operation } from "./operation.ts";

/**
 * y[c] = x[c] · s[c]^−beta with s[c] = k + alpha / size · Σ x[j]², the sum over the channels j with |j − c| ≤ (size − 1) / 2;
 * dx[c] = dy[c] · s[c]^−beta − 2 · alpha · beta / size · x[c] · Σ dy[j] · x[j] · s[j]^(−beta − 1), over the same channels.
 *
 * Shapes: [C, H, W], kept; each place by itself. Source: Krizhevsky et al. 2012, §3.3, with alpha divided as their program does.
 */
export const localResponseNorm: Operation<"localResponseNorm"> = {
  forward(op, { input, output }) {
    const scale = scales(op, input);
    for (let e = 0; e < input.length; e++) output[e] = (input[e] as number) * (scale[e] as number) ** -op.options.beta;
  },
  inputGradient(op, { input, outputGradient, inputGradient }) {
    const { size, alpha, beta } = op.options;
    const scale = scales(op, input);
    const inhibition = scale.map((s, e) => (outputGradient[e] as number) * (input[e] as number) * s ** (-beta - 1));
    const neighbours = sumOverChannels(op, inhibition);
    for (let e = 0; e < input.length; e++) {
      const own = (outputGradient[e] as number) * (scale[e] as number) ** -beta;
      const others = ((2 * alpha * beta) / size) * (input[e] as number) * (neighbours[e] as number);
      inputGradient[e] = own - others;
    }
  },
  parameterGradients: noParameterGradients,
};

function scales(op: Op<"localResponseNorm">, input: Float64Array): Float64Array {
  const { size, alpha, k } = op.options;
  const squares = input.map((x) => x * x);
  return sumOverChannels(op, squares).map((sum) => k + (alpha / size) * sum);
}

/** At each element the sum over the channels around its own, fewer at the ends. */
function sumOverChannels(op: Op<"localResponseNorm">, values: Float64Array): Float64Array {
  const [channels = 0] = op.inputShape;
  const plane = values.length / channels;
  const half = Math.floor((op.options.size - 1) / 2);
  const sums = new Float64Array(values.length);
  for (let c = 0; c < channels; c++) {
    const last = Math.min(channels - 1, c + half);
    for (let j = Math.max(0, c - half); j <= last; j++) {
      for (let p = 0; p < plane; p++) {
        const e = c * plane + p;
        sums[e] = (sums[e] as number) + (values[j * plane + p] as number);
      }
    }
  }
  return sums;
}
