/** Average pooling. */
import { z } from "zod";
import {
  computedInEightBits,
  type LayerKind,
  noParameters,
  outputsFollowInput,
  reachesWindow,
  windowFormulas,
} from "./layer.ts";
import { poolAttributes, poolOptions, poolShape } from "./pool.ts";

/**
 * The mean of each window: of its pixels inside the map, or with `countIncludePad` of all its pixels, padding being 0.
 *
 * Shapes: [N, C, H, W] → [N, C, H′, W′]. Throws ShapeError if the window exceeds the padded input or the padding exceeds half the window.
 * Source: LeCun et al. 1998, the subsampling that §3.4 of Krizhevsky et al. 2012 pools in place of; PyTorch's `nn.AvgPool2d`.
 */
export const averagePool2dKind: LayerKind<"averagePool2d"> = {
  kind: "averagePool2d",
  options: z.strictObject({ ...poolOptions, countIncludePad: z.boolean().default(false) }),
  outputShape: poolShape,
  parameters: noParameters,
  describe: (options, input) => ({
    label: "average pooling",
    kernel: `mean of ${options.kernelSize}×${options.kernelSize}`,
    stride: options.stride,
    padding: options.padding,
    sizeFormulas: windowFormulas(input, options),
  }),
  reach: reachesWindow,
  keeps: { reads: "neither", noteBytes: 0, inPlace: false, order: "other" },
  inEightBits: computedInEightBits,
  withOutputs: outputsFollowInput,
  onnx({ options }, input, graph) {
    const include = { count_include_pad: { int: Number(options.countIncludePad) } };
    return graph.node("AveragePool", [input], { ...poolAttributes(options), ...include });
  },
};
