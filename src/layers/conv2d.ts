/** Convolution with groups. */
import * as z from "zod/mini";
import { ShapeError } from "../errors.ts";
import { positiveInt, wholeNumber } from "../schema.ts";
import { featureMap, outputExtent } from "../shape.ts";
import { computedInInt8, type LayerKind, neverRandom, reachesWindow, sameOptions, windowFormulas } from "./layer.ts";
import { windowAttributes } from "./onnxGraph.ts";

/**
 * output[o, y, x] = bias[o] + Σ weight[o, i, ky, kx] · input[i, y·stride − padding + ky, x·stride − padding + kx],
 * summed over the input channels of o's group.
 *
 * Shapes: [N, C, H, W] → [N, outChannels, H′, W′]; weight [outChannels, C / groups, kernelSize, kernelSize].
 * Throws ShapeError if the number of groups does not divide both channel counts, or the window exceeds the padded input.
 * Source: Krizhevsky et al. 2012, §3.5; two groups are the paper's two GPUs in layers where they do not communicate.
 */
export const conv2dKind: LayerKind<"conv2d"> = {
  kind: "conv2d",
  options: z.strictObject({
    outChannels: positiveInt,
    kernelSize: positiveInt,
    stride: z._default(positiveInt, 1),
    padding: z._default(wholeNumber, 0),
    groups: z._default(positiveInt, 1),
  }),
  order: "other",
  outputShape(name, options, input) {
    featureMap(name, input);
    return [options.outChannels, outputExtent(name, input, 1, options), outputExtent(name, input, 2, options)];
  },
  parameters(name, { outChannels, kernelSize, groups }, input) {
    const [channels] = featureMap(name, input);
    if (channels % groups !== 0 || outChannels % groups !== 0) {
      throw new ShapeError(
        `${name}: ${groups} groups do not divide ${channels} input and ${outChannels} output channels`,
      );
    }
    const fanIn = (channels / groups) * kernelSize ** 2;
    const fanOut = (outChannels / groups) * kernelSize ** 2;
    return [
      { name: "weight", shape: [outChannels, channels / groups, kernelSize, kernelSize], fanIn, fanOut },
      { name: "bias", shape: [outChannels], fanIn, fanOut },
    ];
  },
  describe: (options, input) => ({
    label: "convolution",
    kernel: `${options.outChannels} of ${options.kernelSize}×${options.kernelSize}×${(input[0] ?? 0) / options.groups}`,
    stride: options.stride,
    padding: options.padding,
    groups: options.groups,
    sizeFormulas: windowFormulas(input, options),
  }),
  reach: reachesWindow,
  keeps: { reads: "input", noteBytes: 0, memory: "new" },
  randomness: neverRandom,
  deterministic: sameOptions,
  scaleAndShift: undefined,
  inInt8: computedInInt8,
  withOutputs: (options, outChannels) => ({ ...options, outChannels }),
  onnx({ options, parameters }, input, graph) {
    const { kernelSize, stride, padding, groups } = options;
    const attributes = { ...windowAttributes(kernelSize, stride, padding), group: { int: groups } };
    return graph.node("Conv", [input, ...parameters.map(({ name }) => name)], attributes);
  },
};
