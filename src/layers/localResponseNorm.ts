/** Local response normalisation across channels. */
import * as z from "zod/mini";
import type { Op } from "../engine/engine.ts";
import { positive, positiveInt } from "../schema.ts";
import { featureMap } from "../shape.ts";
import {
  computedInInt8,
  type LayerKind,
  neverRandom,
  noParameters,
  outputsFollowInput,
  reachesSamePlace,
  sameOptions,
} from "./layer.ts";
import type { OnnxGraph } from "./onnxGraph.ts";

/**
 * output[c] = input[c] / (k + alpha / size · Σ input[j]²)^beta, the sum over the `size` channels j around c at the same place
 * (fewer at the ends).
 *
 * Shapes: [N, C, H, W], kept. Source: Krizhevsky et al. 2012, §3.3. The printed formula does not divide alpha by `size`; the
 * authors' own program does, and so do Caffe, PyTorch, ONNX and oneDNN.
 */
export const localResponseNormKind: LayerKind<"localResponseNorm"> = {
  kind: "localResponseNorm",
  options: z.strictObject({
    size: z._default(
      positiveInt.check(
        z.refine((size) => size % 2 === 1, "expected an odd number: a channel and as many neighbours on each side"),
      ),
      5,
    ),
    alpha: z._default(positive, 1e-4),
    beta: z._default(positive, 0.75),
    k: z._default(positive, 2),
  }),
  order: "other",
  outputShape: (name, _options, input) => featureMap(name, input),
  parameters: noParameters,
  describe: ({ size }) => ({ label: "LRN", kernel: `over ${size} channels`, sizeFormulas: [] }),
  reach: reachesSamePlace,
  // The sum of squares and its power.
  keeps: { reads: "input", noteBytes: 8, memory: "new" },
  randomness: neverRandom,
  deterministic: sameOptions,
  inInt8: computedInInt8,
  withOutputs: outputsFollowInput,
  onnx(op, input, graph) {
    const { size, alpha, beta, k } = op.options;
    if (graph.lrn === "decomposed") return decomposed(op, input, graph);
    const attributes = { size: { int: size }, alpha: { float: alpha }, beta: { float: beta }, bias: { float: k } };
    return graph.node("LRN", [input], attributes);
  },
};

/** From operators that every runtime has: the sum over neighbours, with k, is a 1×1 convolution of the squares. */
function decomposed({ options, inputShape, name }: Op<"localResponseNorm">, input: string, graph: OnnxGraph): string {
  const { size, alpha, beta, k } = options;
  const [channels] = featureMap(name, inputShape);
  const weight = graph.constant("neighbours", [channels, channels, 1, 1], () => band(channels, size, alpha / size));
  const bias = graph.constant("k", [channels], () => new Float32Array(channels).fill(k));
  const sum = graph.node("Conv", [graph.node("Mul", [input, input]), weight, bias]);
  const divisor = graph.node("Pow", [sum, graph.constant("beta", [], () => Float32Array.of(beta))]);
  return graph.node("Div", [input, divisor]);
}

/** [channels, channels]: `value` where two channels are in one window of `size`, 0 elsewhere. */
function band(channels: number, size: number, value: number): Float32Array {
  const reach = (size - 1) / 2;
  const matrix = new Float32Array(channels * channels);
  for (let c = 0; c < channels; c++) {
    matrix.fill(value, c * channels + Math.max(0, c - reach), c * channels + Math.min(channels, c + reach + 1));
  }
  return matrix;
}
