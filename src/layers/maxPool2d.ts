import { z } from "zod";
import { ShapeError } from "../errors.ts";
import { featureMap, outputExtent } from "../shape.ts";
import { type LayerKind, noParameters, outputsFollowInput } from "./layer.ts";
import { windowAttributes } from "./onnxGraph.ts";

/**
 * The largest value of each window; padding never wins. The gradient goes to the first largest in row order.
 *
 * Shapes: [N, C, H, W] → [N, C, H′, W′]. Throws ShapeError if the window exceeds the padded input or the padding exceeds half the window.
 * Source: Krizhevsky et al. 2012, §3.4: window 3, stride 2, so that windows overlap.
 */
export const maxPool2dKind: LayerKind<"maxPool2d"> = {
  kind: "maxPool2d",
  options: z.strictObject({
    kernelSize: z.int().positive(),
    stride: z.int().positive(),
    padding: z.int().nonnegative().default(0),
  }),
  outputShape(name, options, input) {
    const [channels] = featureMap(name, input);
    if (options.padding * 2 > options.kernelSize) {
      throw new ShapeError(`${name}: padding ${options.padding} exceeds half of window ${options.kernelSize}`);
    }
    return [channels, outputExtent(name, input, 1, options), outputExtent(name, input, 2, options)];
  },
  parameters: noParameters,
  withOutputs: outputsFollowInput,
  onnx: ({ options: { kernelSize, stride, padding } }, input, graph) =>
    graph.node("MaxPool", [input], windowAttributes(kernelSize, stride, padding)),
};
