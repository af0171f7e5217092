import { z } from "zod";
import { type LayerKind, noParameters, outputsFollowInput, sameShape } from "./layer.ts";

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
  withOutputs: outputsFollowInput,
  onnx: (_op, input, graph) => graph.node("Relu", [input]),
};
