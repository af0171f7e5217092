import { z } from "zod";
import { featureMap } from "../shape.ts";
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
  withOutputs: outputsFollowInput,
};
