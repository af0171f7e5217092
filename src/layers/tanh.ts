/** Hyperbolic tangent. */
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
 * f(x) = tanh(x).
 *
 * Shapes: any, kept. Source: the saturating unit that Krizhevsky et al. 2012, §3.1, compare ReLU with.
 */
export const tanhKind: LayerKind<"tanh"> = {
  kind: "tanh",
  options: z.strictObject({}),
  outputShape: sameShape,
  parameters: noParameters,
  describe: () => ({ label: "tanh", kernel: "tanh x", sizeFormulas: [] }),
  reach: reachesSamePlace,
  keeps: keepsOutput,
  inEightBits: computedInEightBits,
  withOutputs: outputsFollowInput,
  onnx: (_op, input, graph) => graph.node("Tanh", [input]),
};
