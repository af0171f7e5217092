import { z } from "zod";
import { featureMap, type Window } from "../shape.ts";
import { type LayerKind, noParameters, outputsFollowInput } from "./layer.ts";

/**
 * output[c, y, x] = mean of input[c, ⌊y·H/S⌋ … ⌈(y+1)·H/S⌉ − 1, ⌊x·W/S⌋ … ⌈(x+1)·W/S⌉ − 1] with S the output size: windows of
 * whatever size gives S×S, uneven if H or W is no multiple of S, repeating pixels if it is smaller.
 *
 * Shapes: [N, C, H, W] → [N, C, outputSize, outputSize]. Source: torchvision's AlexNet, `nn.AdaptiveAvgPool2d((6, 6))`.
 */
export const adaptiveAveragePool2dKind: LayerKind<"adaptiveAveragePool2d"> = {
  kind: "adaptiveAveragePool2d",
  options: z.strictObject({ outputSize: z.int().positive() }),
  outputShape(name, { outputSize }, input) {
    const [channels] = featureMap(name, input);
    return [channels, outputSize, outputSize];
  },
  parameters: noParameters,
  describe: ({ outputSize }) => ({
    label: "average pooling",
    kernel: `mean to ${outputSize}×${outputSize}`,
    sizeFormulas: [`${outputSize}, whatever comes in`],
  }),
  reach: ({ outputSize }, [, height = 1, width = 1]) => [
    largestWindow(height, outputSize),
    largestWindow(width, outputSize),
  ],
  keeps: { reads: "neither", noteBytes: 0, inPlace: false, order: "other" },
  withOutputs: outputsFollowInput,
};

/** Windows may differ by a pixel or two; the largest is what an output can see. They are as far apart as the output divides the input, rounded. */
function largestWindow(extent: number, outputSize: number): Window {
  let kernelSize = 0;
  for (let y = 0; y < outputSize; y++) {
    const [from, to] = [Math.floor((y * extent) / outputSize), Math.ceil(((y + 1) * extent) / outputSize)];
    kernelSize = Math.max(kernelSize, to - from);
  }
  return { kernelSize, stride: Math.max(1, Math.round(extent / outputSize)), padding: 0 };
}
