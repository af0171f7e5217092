/** Locally connected layer: a convolution with a kernel of its own for each output position. */
import * as z from "zod/mini";
import { positiveInt, wholeNumber } from "../schema.ts";
import { featureMap, outputExtent } from "../shape.ts";
import { type LayerKind, neverRandom, notInInt8, reachesWindow, sameOptions, windowFormulas } from "./layer.ts";
import { windowAttributes } from "./onnxGraph.ts";

/**
 * output[o, y, x] = bias[o, y, x] + Σ weight[o, y, x, i, ky, kx] · input[i, y·stride − padding + ky, x·stride − padding + kx].
 *
 * Shapes: [N, C, H, W] → [N, outChannels, H′, W′]; weight [outChannels · H′ · W′, C, kernelSize, kernelSize] and bias [outChannels · H′ · W′], whose rows
 * are the outputs in order. Throws ShapeError if the window exceeds the padded input.
 * Source: Krizhevsky's cuda-convnet, layers of type `local`, in its networks for CIFAR-10.
 */
export const localConv2dKind: LayerKind<"localConv2d"> = {
  kind: "localConv2d",
  options: z.strictObject({
    outChannels: positiveInt,
    kernelSize: positiveInt,
    stride: z._default(positiveInt, 1),
    padding: z._default(wholeNumber, 0),
  }),
  order: "other",
  outputShape(name, options, input) {
    featureMap(name, input);
    return [options.outChannels, outputExtent(name, input, 1, options), outputExtent(name, input, 2, options)];
  },
  parameters(name, options, input) {
    const { outChannels, kernelSize } = options;
    const [channels] = featureMap(name, input);
    const [height, width] = [outputExtent(name, input, 1, options), outputExtent(name, input, 2, options)];
    const outputs = outChannels * height * width;
    const fans = { fanIn: channels * kernelSize ** 2, fanOut: outChannels * kernelSize ** 2 };
    return [
      { name: "weight", shape: [outputs, channels, kernelSize, kernelSize], ...fans },
      { name: "bias", shape: [outputs], ...fans },
    ];
  },
  describe: (options, input) => ({
    label: "locally connected",
    kernel: `${options.outChannels} of ${options.kernelSize}×${options.kernelSize}×${input[0] ?? 0}, unshared`,
    stride: options.stride,
    padding: options.padding,
    sizeFormulas: windowFormulas(input, options),
  }),
  reach: reachesWindow,
  keeps: { reads: "input", noteBytes: 0, memory: "new" },
  randomness: neverRandom,
  deterministic: sameOptions,
  inInt8: notInInt8,
  scaleAndShift: undefined,
  withOutputs: (options, outChannels) => ({ ...options, outChannels }),
  // ONNX has no such operator. The windows of each position are gathered as rows, and multiplied by its kernels:
  // [P, N, window] · [P, window, outChannels] for P positions.
  onnx({ name, options, inputShape, outputShape, parameters: [weight, bias] }, input, graph) {
    const { padding } = options;
    const [channels, height, width] = featureMap(name, inputShape);
    const [outChannels, outHeight, outWidth] = featureMap(name, outputShape);
    const positions = outHeight * outWidth;
    const indices = (role: string, shape: readonly number[], value: (i: number) => number) =>
      graph.constant(role, shape, () =>
        Int32Array.from({ length: shape.reduce((product, extent) => product * extent, 1) }, (_, i) => value(i)),
      );
    const ones = () => graph.constant("ones", [channels, 1, 1, 1], () => new Float32Array(channels).fill(1));
    const padded = padding
      ? graph.node("Conv", [input, ones()], { ...windowAttributes(1, 1, padding), group: { int: channels } }, "padded")
      : input;
    const flat = graph.node("Flatten", [padded], { axis: { int: 1 } }, "flat");
    const extents = [channels, height + 2 * padding, width + 2 * padding] as const;
    const window = windowIndices(options, extents, outHeight, outWidth);
    const shape = [positions, window.length / positions];
    const places = indices("places", shape, (i) => window[i] as number);
    const windows = graph.node("Gather", [flat, places], { axis: { int: 1 } }, "windows");
    const rows = graph.node("Transpose", [windows], { perm: { ints: [1, 0, 2] } }, "rows");
    const kernels = graph.node("Flatten", [weight?.name ?? ""], { axis: { int: 1 } }, "kernels");
    const byPosition = (i: number) => (i % outChannels) * positions + Math.floor(i / outChannels);
    const order = indices("order", [positions, outChannels], byPosition);
    const ofPosition = graph.node("Gather", [kernels, order], { axis: { int: 0 } }, "kernelsOfPosition");
    const columns = graph.node("Transpose", [ofPosition], { perm: { ints: [0, 2, 1] } }, "columns");
    const product = graph.node("MatMul", [rows, columns], {}, "product");
    const sums = graph.node("Transpose", [product], { perm: { ints: [1, 2, 0] } }, "sums");
    const outputs = indices("outputs", [outChannels, positions], (i) => i);
    const biases = graph.node("Gather", [bias?.name ?? "", outputs], { axis: { int: 0 } }, "biases");
    const plane = indices("plane", [outHeight, outWidth], (i) => i);
    const biased = graph.node("Add", [sums, biases], {}, "biased");
    return graph.node("Gather", [biased, plane], { axis: { int: 2 } });
  },
};

/** Indices of the inputs of each position's window in the flattened padded map. */
function windowIndices(
  { kernelSize, stride }: { readonly kernelSize: number; readonly stride: number },
  [channels, height, width]: readonly [number, number, number],
  outHeight: number,
  outWidth: number,
): readonly number[] {
  const range = (length: number) => Array.from({ length }, (_, i) => i);
  const ofWindow = range(channels).flatMap((c) =>
    range(kernelSize).flatMap((y) => range(kernelSize).map((x) => (c * height + y) * width + x)),
  );
  return range(outHeight).flatMap((row) =>
    range(outWidth).flatMap((column) => ofWindow.map((i) => i + stride * (row * width + column))),
  );
}
