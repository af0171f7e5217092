import { z } from "zod";
import { featureMap } from "../shape.ts";
import { type LayerKind, noParameters, outputsFollowInput, reachesSamePlace } from "./layer.ts";

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
    size: z
      .int()
      .positive()
      .refine((size) => size % 2 === 1, "expected an odd number: a channel and as many neighbours on each side")
      .default(5),
    alpha: z.number().positive().default(1e-4),
    beta: z.number().positive().default(0.75),
    k: z.number().positive().default(2),
  }),
  outputShape: (name, _options, input) => featureMap(name, input),
  parameters: noParameters,
  describe: ({ size }) => ({ label: "LRN", kernel: `over ${size} channels`, sizeFormulas: [] }),
  reach: reachesSamePlace,
  // The sum of squares and its power.
  keeps: { reads: "input", noteBytes: 8, inPlace: false, order: "other" },
  withOutputs: outputsFollowInput,
};
