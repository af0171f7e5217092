/** Flattens feature maps to one row. */
import { z } from "zod";
import { sizeOf } from "../shape.ts";
import { keptInEightBits, type LayerKind, noParameters, outputsFollowInput, reachesSamePlace } from "./layer.ts";

/**
 * Maps in a row: element [c, y, x] becomes element c·H·W + y·W + x.
 *
 * Shapes: [N, C, H, W] → [N, C·H·W].
 */
export const flattenKind: LayerKind<"flatten"> = {
  kind: "flatten",
  options: z.strictObject({}),
  outputShape: (_name, _options, input) => [sizeOf(input)],
  parameters: noParameters,
  describe: (_options, input) => ({
    label: "flatten",
    kernel: "",
    sizeFormulas: [`${input.join(" × ")} = ${sizeOf(input)}`],
  }),
  reach: reachesSamePlace,
  keeps: { reads: "neither", noteBytes: 0, inPlace: true, order: "other" },
  inEightBits: keptInEightBits,
  withOutputs: outputsFollowInput,
  onnx: (_op, input, graph) => graph.node("Flatten", [input], { axis: { int: 1 } }),
};
