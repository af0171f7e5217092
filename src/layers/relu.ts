/** ReLU: max(0, x). */
import { z } from "zod";
import { keepsOutput, type LayerKind, noParameters, outputsFollowInput, reachesSamePlace, sameShape } from "./layer.ts";

/**
 * f(x) = max(0, x); its derivative at 0 is 0.
 *
 * Shapes: any, kept. Source: Krizhevsky et al. 2012, §3.1.
 */
export const reluKind: LayerKind<"relu"> = {
  kind: "relu",
  options: z.strictObject({}),
  outputShape: sameShape,
  parameters: noParameters,
  describe: () => ({ label: "ReLU", kernel: "max(0, x)", sizeFormulas: [] }),
  reach: reachesSamePlace,
  keeps: keepsOutput,
  inEightBits: () => "clamped",
  withOutputs: outputsFollowInput,
  onnx: (_op, input, graph) => graph.node("Relu", [input]),
};
