/** List of the reference engine's kinds of operation, including the short ones: loops, forward and backward. */
import { fillDropoutMask, randomStream } from "../../random.ts";
import type { Op, OpKind } from "../engine.ts";
import { activations } from "./activations.ts";
import { batchNorm2d } from "./batchNorm2d.ts";
import { conv2d } from "./conv2d.ts";
import { localConv2d } from "./localConv2d.ts";
import { type Draw, noParameterGradients, type Operation } from "./operation.ts";
import { pools } from "./pools.ts";
import { addScaled, dot } from "./vector.ts";

/**
 * y[o] = b[o] + Σᵢ w[o, i] · x[i];
 * dx[i] = Σₒ dy[o] · w[o, i]; dw[o, i] = dy[o] · x[i]; db[o] = dy[o].
 *
 * Shapes: x [I], y [O], w [O, I], b [O]. Source: Krizhevsky et al. 2012, §3.5.
 */
const linear: Operation<"linear"> = {
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

/** y = x, read as one row; maps are already stored this way. Shapes: [C, H, W] → [C·H·W]. */
const flatten: Operation<"flatten"> = {
  forward: (_op, { input, output }) => output.set(input),
  inputGradient: (_op, { outputGradient, inputGradient }) => inputGradient.set(outputGradient),
  parameterGradients: noParameterGradients,
};

/**
 * y[c] = x[c] · s[c]^−beta with s[c] = k + alpha / size · Σ x[j]², summed over the channels j with |j − c| ≤ (size − 1) / 2;
 * dx[c] = dy[c] · s[c]^−beta − 2 · alpha · beta / size · x[c] · Σ dy[j] · x[j] · s[j]^(−beta − 1), over the same channels.
 *
 * Shapes: [C, H, W], unchanged; each position on its own. Source: Krizhevsky et al. 2012, §3.3, with alpha divided as in their program.
 */
const localResponseNorm: Operation<"localResponseNorm"> = {
  forward(op, { input, output }) {
    const scale = scales(op, input);
    for (let e = 0; e < input.length; e++) output[e] = (input[e] as number) * (scale[e] as number) ** -op.options.beta;
  },
  inputGradient(op, { input, outputGradient, inputGradient }) {
    const { beta } = op.options;
    const scale = scales(op, input);
    const inhibition = scale.map((s, e) => (outputGradient[e] as number) * (input[e] as number) * s ** (-beta - 1));
    const neighbours = sumOverNeighbours(op, inhibition);
    for (let e = 0; e < input.length; e++) {
      const own = (outputGradient[e] as number) * (scale[e] as number) ** -beta;
      const others = 2 * beta * strength(op) * (input[e] as number) * (neighbours[e] as number);
      inputGradient[e] = own - others;
    }
  },
  parameterGradients: noParameterGradients,
};

function scales(op: Op<"localResponseNorm">, input: Float64Array): Float64Array {
  const squares = input.map((x) => x * x);
  return sumOverNeighbours(op, squares).map((sum) => op.options.k + strength(op) * sum);
}

/** alpha over the number of neighbours in a whole window. */
function strength({ options: { size, alpha, region } }: Op<"localResponseNorm">): number {
  return alpha / (region ? size * size : size);
}

function sumOverNeighbours(op: Op<"localResponseNorm">, values: Float64Array): Float64Array {
  return op.options.region ? sumOverWindow(op, values) : sumOverChannels(op, values);
}

/** For each element, the sum over the square of positions around its own in its channel. */
function sumOverWindow({ inputShape, options }: Op<"localResponseNorm">, values: Float64Array): Float64Array {
  const [channels = 0, height = 0, width = 0] = inputShape;
  const half = (options.size - 1) / 2;
  return values.map((_, e) => {
    const [row, x] = [Math.floor(e / width), e % width];
    const [c, y] = [Math.floor(row / height), row % height];
    if (c >= channels) return 0;
    let sum = 0;
    for (let i = Math.max(0, y - half); i <= Math.min(height - 1, y + half); i++) {
      for (let j = Math.max(0, x - half); j <= Math.min(width - 1, x + half); j++) {
        sum += values[(c * height + i) * width + j] as number;
      }
    }
    return sum;
  });
}

/** For each element, the sum over the channels around its own, fewer at the first and last. */
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

/**
 * y = x · m; dx = dy · m. The mask m is a function of (seed, layer, counter), so the backward pass generates the same one.
 *
 * Source: Krizhevsky et al. 2012, §4.2, with the factor at test time moved to training (inverted dropout).
 */
const dropout: Operation<"dropout"> = {
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

/** Arithmetic of each kind of operation; an omission does not compile. */
export const operations: { readonly [K in OpKind]: Operation<K> } = {
  ...activations,
  ...pools,
  conv2d,
  localConv2d,
  linear,
  flatten,
  localResponseNorm,
  batchNorm2d,
  dropout,
};
