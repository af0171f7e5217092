import { z } from "zod";
import { type LayerKind, noParameters, outputsFollowInput, sameShape } from "./layer.ts";

/**
 * f(x) = tanh(x).
 *
 * Shapes: any, kept. Source: the saturating unit that Krizhevsky et al. 2012, §3.1, compare ReLU with.
 */
export const tanhKind: LayerKind<"tanh"> = {
  kind: "tanh",
  description: "Squashes to −1 … 1: the usual unit before ReLU, slow to learn since it saturates (§3.1).",
  options: z.strictObject({}),
  outputShape: sameShape,
  parameters: noParameters,
  withOutputs: outputsFollowInput,
};
