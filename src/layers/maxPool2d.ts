/** Max pooling, overlapping or not. */
import { z } from "zod";
import {
  keptInEightBits,
  type LayerKind,
  noParameters,
  outputsFollowInput,
  reachesWindow,
  windowFormulas,
} from "./layer.ts";
import { poolAttributes, poolOptions, poolShape } from "./pool.ts";

/**
 * The largest value of each window; padding never wins. The gradient goes to the first largest in row order.
 *
 * Shapes: [N, C, H, W] → [N, C, H′, W′]. Throws ShapeError if the window exceeds the padded input or the padding exceeds half the window.
 * Source: Krizhevsky et al. 2012, §3.4: window 3, stride 2, so that windows overlap.
 */
export const maxPool2dKind: LayerKind<"maxPool2d"> = {
  kind: "maxPool2d",
  options: z.strictObject(poolOptions),
  outputShape: poolShape,
  parameters: noParameters,
  describe: (options, input) => ({
    label: "max pooling",
    kernel: `max of ${options.kernelSize}×${options.kernelSize}`,
    stride: options.stride,
    padding: options.padding,
    sizeFormulas: windowFormulas(input, options),
  }),
  reach: reachesWindow,
  // Where in its window the largest value was.
  keeps: { reads: "neither", noteBytes: 1, inPlace: false, order: "largest" },
  inEightBits: keptInEightBits,
  withOutputs: outputsFollowInput,
  onnx: ({ options }, input, graph) => graph.node("MaxPool", [input], poolAttributes(options)),
};
