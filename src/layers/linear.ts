/** Fully connected layer, and the flatten layer before it. */
import * as z from "zod/mini";
import { ShapeError } from "../errors.ts";
import { positiveInt } from "../schema.ts";
import { sizeOf } from "../shape.ts";
import {
  computedInInt8,
  keptInInt8,
  type LayerKind,
  neverRandom,
  noParameters,
  outputsFollowInput,
  reachesSamePlace,
  sameOptions,
} from "./layer.ts";

/**
 * output[o] = bias[o] + Σ weight[o, i] · input[i].
 *
 * Shapes: [N, I] → [N, outFeatures]; weight [outFeatures, I]; I is determined by the previous layer.
 * Throws ShapeError if the input is not flat. Source: Krizhevsky et al. 2012, §3.5, the fully connected layers.
 */
export const linearKind: LayerKind<"linear"> = {
  kind: "linear",
  options: z.strictObject({ outFeatures: positiveInt }),
  order: "other",
  outputShape: (_name, { outFeatures }) => [outFeatures],
  parameters(name, { outFeatures }, input) {
    const [inFeatures] = input;
    if (input.length !== 1 || inFeatures === undefined) {
      throw new ShapeError(`${name}: expected a flat input, got [${input.join(", ")}]; add a flatten layer before it`);
    }
    const fans = { fanIn: inFeatures, fanOut: outFeatures };
    return [
      { name: "weight", shape: [outFeatures, inFeatures], ...fans },
      { name: "bias", shape: [outFeatures], ...fans },
    ];
  },
  describe: ({ outFeatures }, input) => ({
    label: "linear",
    kernel: `${outFeatures} of ${input[0] ?? 0}`,
    sizeFormulas: [`${outFeatures}, as chosen`],
  }),
  reach: () => "all",
  keeps: { reads: "input", noteBytes: 0, memory: "new" },
  randomness: neverRandom,
  deterministic: sameOptions,
  scaleAndShift: undefined,
  inInt8: computedInInt8,
  withOutputs: (_options, outFeatures) => ({ outFeatures }),
  onnx: ({ parameters }, input, graph) =>
    graph.node("Gemm", [input, ...parameters.map(({ name }) => name)], { transB: { int: 1 } }),
};

/**
 * Flattens maps: element [c, y, x] becomes element c·H·W + y·W + x.
 *
 * Shapes: [N, C, H, W] → [N, C·H·W].
 */
export const flattenKind: LayerKind<"flatten"> = {
  kind: "flatten",
  options: z.strictObject({}),
  order: "other",
  outputShape: (_name, _options, input) => [sizeOf(input)],
  parameters: noParameters,
  describe: (_options, input) => ({
    label: "flatten",
    kernel: "",
    sizeFormulas: [`${input.join(" × ")} = ${sizeOf(input)}`],
  }),
  reach: reachesSamePlace,
  keeps: { reads: "neither", noteBytes: 0, memory: "view" },
  randomness: neverRandom,
  deterministic: sameOptions,
  scaleAndShift: undefined,
  inInt8: keptInInt8,
  withOutputs: outputsFollowInput,
  onnx: (_op, input, graph) => graph.node("Flatten", [input], { axis: { int: 1 } }),
};
