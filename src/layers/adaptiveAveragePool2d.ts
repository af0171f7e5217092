/** Average pooling to a given size. */
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
  inEightBits: ({ outputSize }, [, height, width]) =>
    height === outputSize && width === outputSize ? "kept" : "computed",
  withOutputs: outputsFollowInput,
  onnx({ name, options: { outputSize }, inputShape }, input, graph) {
    const [, height, width] = featureMap(name, inputShape);
    if (height === outputSize && width === outputSize) return input;
    if (height % outputSize === 0 && width % outputSize === 0) {
      const window = { ints: [height / outputSize, width / outputSize] };
      return graph.node("AveragePool", [input], { kernel_shape: window, strides: window });
    }
    // Uneven windows: the mean over rows, then the mean over columns, each a product with a constant matrix.
    const rows = graph.constant("rows", [outputSize, height], () => shares(height, outputSize));
    const columns = graph.constant("columns", [width, outputSize], () => transposed(shares(width, outputSize), width));
    return graph.node("MatMul", [graph.node("MatMul", [rows, input]), columns]);
  },
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

/** [size, extent]: each pixel's share in the mean of each window along one axis. */
function shares(extent: number, size: number): Float32Array {
  const matrix = new Float32Array(size * extent);
  for (let i = 0; i < size; i++) {
    const [start, end] = [Math.floor((i * extent) / size), Math.ceil(((i + 1) * extent) / size)];
    matrix.fill(1 / (end - start), i * extent + start, i * extent + end);
  }
  return matrix;
}

function transposed(matrix: Float32Array, columns: number): Float32Array {
  const rows = matrix.length / columns;
  return matrix.map((_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)] as number);
}
