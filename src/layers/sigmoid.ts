/** Logistic function. */
import { z } from "zod";
import {
  computedInEightBits,
  keepsOutput,
  type LayerKind,
  noParameters,
  outputsFollowInput,
  reachesSamePlace,
  sameShape,
} from "./layer.ts";

/**
 * f(x) = 1 / (1 + e^−x).
 *
 * Shapes: any, kept. Source: the saturating unit that Krizhevsky et al. 2012, §3.1, compare ReLU with.
 */
export const sigmoidKind: LayerKind<"sigmoid"> = {
  kind: "sigmoid",
  options: z.strictObject({}),
  outputShape: sameShape,
  parameters: noParameters,
  describe: () => ({ label: "sigmoid", kernel: "1 ÷ (1 + e^−x)", sizeFormulas: [] }),
  reach: reachesSamePlace,
  keeps: keepsOutput,
  inEightBits: computedInEightBits,
  withOutputs: outputsFollowInput,
  onnx: (_op, input, graph) => graph.node("Sigmoid", [input]),
};
