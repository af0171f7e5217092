/** Local response normalisation, across channels or within each. */
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
  reachesWindow,
  sameOptions,
} from "./layer.ts";
import { type OnnxGraph, windowAttributes } from "./onnxGraph.ts";

/**
 * output[c] = input[c] / (k + alpha / size · Σ input[j]²)^beta, summed over the `size` channels j around c at the same position
 * (fewer at the first and last channels). With `region: "withinChannel"` the sum is over the `size`×`size` positions around the value in
 * its own channel, and alpha is divided by size²; positions outside count as zeros.
 *
 * Shapes: [N, C, H, W], unchanged. Source: Krizhevsky et al. 2012, §3.3. The printed formula does not divide alpha by `size`; the
 * authors' program, Caffe, PyTorch, ONNX and oneDNN do. Within a channel: BVLC Caffe, src/caffe/layers/lrn_layer.cpp.
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
    // Optional, so that files of networks without it are unchanged.
    region: z.optional(z.literal("withinChannel")),
  }),
  order: "other",
  outputShape: (name, _options, input) => featureMap(name, input),
  parameters: noParameters,
  describe: ({ size, region }) => ({
    label: "LRN",
    kernel: region ? `over ${size}×${size} positions` : `over ${size} channels`,
    sizeFormulas: [],
  }),
  reach: ({ size, region }) =>
    region ? reachesWindow({ kernelSize: size, stride: 1, padding: (size - 1) / 2 }) : reachesSamePlace(),
  // The sum of squares and its power.
  keeps: { reads: "input", noteBytes: 8, memory: "new" },
  randomness: neverRandom,
  deterministic: sameOptions,
  scaleAndShift: undefined,
  inInt8: computedInInt8,
  withOutputs: outputsFollowInput,
  onnx(op, input, graph) {
    const { size, alpha, beta, k, region } = op.options;
    if (region) return withinChannel(op, input, graph);
    if (graph.lrn === "decomposed") return decomposed(op, input, graph);
    const attributes = { size: { int: size }, alpha: { float: alpha }, beta: { float: beta }, bias: { float: k } };
    return graph.node("LRN", [input], attributes);
  },
};

/** Composed of operators that every runtime has: the sum over neighbours, plus k, is a 1×1 convolution of the squares. */
function decomposed({ options, inputShape, name }: Op<"localResponseNorm">, input: string, graph: OnnxGraph): string {
  const { size, alpha, beta, k } = options;
  const [channels] = featureMap(name, inputShape);
  const weight = graph.constant("neighbours", [channels, channels, 1, 1], () => band(channels, size, alpha / size));
  const bias = graph.constant("k", [channels], () => new Float32Array(channels).fill(k));
  const sum = graph.node("Conv", [graph.node("Mul", [input, input]), weight, bias]);
  const divisor = graph.node("Pow", [sum, graph.constant("beta", [], () => Float32Array.of(beta))]);
  return graph.node("Div", [input, divisor]);
}

/** ONNX has no operator for it: the mean of squares that counts padding, times alpha, plus k. */
function withinChannel({ options }: Op<"localResponseNorm">, input: string, graph: OnnxGraph): string {
  const { size, alpha, beta, k } = options;
  const scalar = (role: string, value: number) => graph.constant(role, [], () => Float32Array.of(value));
  const window = { ...windowAttributes(size, 1, (size - 1) / 2), count_include_pad: { int: 1 } };
  const mean = graph.node("AveragePool", [graph.node("Mul", [input, input])], window);
  const sum = graph.node("Add", [graph.node("Mul", [mean, scalar("alpha", alpha)]), scalar("k", k)]);
  return graph.node("Div", [input, graph.node("Pow", [sum, scalar("beta", beta)])]);
}

/** [channels, channels]: `value` if two channels are within one window of `size`, else 0. */
function band(channels: number, size: number, value: number): Float32Array {
  const reach = (size - 1) / 2;
  const matrix = new Float32Array(channels * channels);
  for (let c = 0; c < channels; c++) {
    matrix.fill(value, c * channels + Math.max(0, c - reach), c * channels + Math.min(channels, c + reach + 1));
  }
  return matrix;
}
