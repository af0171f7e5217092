/** Activations: ReLU, tanh and sigmoid. */
import * as z from "zod/mini";
import type { OpKind } from "../engine/engine.ts";
import {
  computedInInt8,
  type LayerKind,
  neverRandom,
  noParameters,
  outputsFollowInput,
  reachesSamePlace,
  sameOptions,
  sameShape,
} from "./layer.ts";

/** Members shared by all activations. The derivative is a function of the output. */
const activation = {
  order: "increasing",
  outputShape: sameShape,
  parameters: noParameters,
  scaleAndShift: undefined,
  reach: reachesSamePlace,
  keeps: { reads: "output", noteBytes: 0, memory: "inPlace" },
  randomness: neverRandom,
  deterministic: sameOptions,
  withOutputs: outputsFollowInput,
} satisfies Partial<LayerKind<OpKind>>;

/**
 * f(x) = max(0, x); its derivative at 0 is 0.
 *
 * Shapes: any, kept. Source: Krizhevsky et al. 2012, §3.1.
 */
export const reluKind: LayerKind<"relu"> = {
  ...activation,
  kind: "relu",
  options: z.strictObject({}),
  describe: () => ({ label: "ReLU", kernel: "max(0, x)", sizeFormulas: [] }),
  inInt8: () => "clamped",
  onnx: (_op, input, graph) => graph.node("Relu", [input]),
};

/**
 * f(x) = tanh(x).
 *
 * Shapes: any, kept. Source: the saturating unit that Krizhevsky et al. 2012, §3.1, compare ReLU with.
 */
export const tanhKind: LayerKind<"tanh"> = {
  ...activation,
  kind: "tanh",
  options: z.strictObject({}),
  describe: () => ({ label: "tanh", kernel: "tanh x", sizeFormulas: [] }),
  inInt8: computedInInt8,
  onnx: (_op, input, graph) => graph.node("Tanh", [input]),
};

/**
 * f(x) = 1 / (1 + e^−x).
 *
 * Shapes: any, kept. Source: the saturating unit that Krizhevsky et al. 2012, §3.1, compare ReLU with.
 */
export const sigmoidKind: LayerKind<"sigmoid"> = {
  ...activation,
  kind: "sigmoid",
  options: z.strictObject({}),
  describe: () => ({ label: "sigmoid", kernel: "1 ÷ (1 + e^−x)", sizeFormulas: [] }),
  inInt8: computedInInt8,
  onnx: (_op, input, graph) => graph.node("Sigmoid", [input]),
};
