/** Pooling: maximum, average, and adaptive average. */
import * as z from "zod/mini";
import type { OpKind, PoolWindow } from "../engine/engine.ts";
import { ShapeError } from "../errors.ts";
import { positiveInt, wholeNumber } from "../schema.ts";
import { featureMap, outputExtent, type Shape, type Window } from "../shape.ts";
import {
  computedInInt8,
  keptInInt8,
  type LayerKind,
  neverRandom,
  noParameters,
  outputsFollowInput,
  reachesWindow,
  sameOptions,
  windowFormulas,
} from "./layer.ts";
import type { OnnxAttributes } from "./onnxGraph.ts";

/** Members shared by all pools. */
const pool = {
  scaleAndShift: undefined,
  parameters: noParameters,
  randomness: neverRandom,
  deterministic: sameOptions,
  withOutputs: outputsFollowInput,
} satisfies Partial<LayerKind<OpKind>>;

/** Options of a pooling window. */
const windowOptions = {
  kernelSize: positiveInt,
  stride: positiveInt,
  padding: z._default(wholeNumber, 0),
  endPadding: z.optional(wholeNumber),
};

/**
 * Maximum of each window; padding is never the maximum. The gradient goes to the first maximum in row order.
 *
 * Shapes: [N, C, H, W] → [N, C, H′, W′]. Throws ShapeError if the window exceeds the padded input, or the padding exceeds half the window.
 * Source: Krizhevsky et al. 2012, §3.4: window 3, stride 2, so that windows overlap.
 */
export const maxPool2dKind: LayerKind<"maxPool2d"> = {
  ...pool,
  kind: "maxPool2d",
  options: z.strictObject(windowOptions),
  order: "largest",
  outputShape: poolShape,
  describe: (options, input) => ({
    label: "max pooling",
    kernel: `max of ${options.kernelSize}×${options.kernelSize}`,
    stride: options.stride,
    padding: options.padding,
    sizeFormulas: windowFormulas(input, options),
  }),
  reach: reachesWindow,
  // The position of the maximum in its window.
  keeps: { reads: "neither", noteBytes: 1, memory: "new" },
  inInt8: keptInInt8,
  onnx: ({ options }, input, graph) => graph.node("MaxPool", [input], poolAttributes(options)),
};

/**
 * Mean of each window: over its pixels inside the map or, with `countIncludePad`, over all its pixels, padding being 0.
 *
 * Shapes: [N, C, H, W] → [N, C, H′, W′]. Throws ShapeError if the window exceeds the padded input, or the padding exceeds half the window.
 * Source: LeCun et al. 1998, the subsampling that Krizhevsky et al. 2012, §3.4, replace; PyTorch's `nn.AvgPool2d`.
 */
export const averagePool2dKind: LayerKind<"averagePool2d"> = {
  ...pool,
  kind: "averagePool2d",
  options: z.strictObject({ ...windowOptions, countIncludePad: z._default(z.boolean(), false) }),
  order: "other",
  outputShape: poolShape,
  describe: (options, input) => ({
    label: "average pooling",
    kernel: `mean of ${options.kernelSize}×${options.kernelSize}`,
    stride: options.stride,
    padding: options.padding,
    sizeFormulas: windowFormulas(input, options),
  }),
  reach: reachesWindow,
  keeps: { reads: "neither", noteBytes: 0, memory: "new" },
  inInt8: computedInInt8,
  onnx({ options }, input, graph) {
    const include = { count_include_pad: { int: Number(options.countIncludePad) } };
    return graph.node("AveragePool", [input], { ...poolAttributes(options), ...include });
  },
};

/**
 * output[c, y, x] = mean of input[c, ⌊y·H/S⌋ … ⌈(y+1)·H/S⌉ − 1, ⌊x·W/S⌋ … ⌈(x+1)·W/S⌉ − 1] with S the output size. Window sizes vary if H or W is
 * not a multiple of S; windows repeat pixels if it is smaller.
 *
 * Shapes: [N, C, H, W] → [N, C, outputSize, outputSize]. Source: torchvision's AlexNet, `nn.AdaptiveAvgPool2d((6, 6))`.
 */
export const adaptiveAveragePool2dKind: LayerKind<"adaptiveAveragePool2d"> = {
  ...pool,
  kind: "adaptiveAveragePool2d",
  options: z.strictObject({ outputSize: positiveInt }),
  order: "other",
  outputShape(name, { outputSize }, input) {
    const [channels] = featureMap(name, input);
    return [channels, outputSize, outputSize];
  },
  describe: ({ outputSize }) => ({
    label: "average pooling",
    kernel: `mean to ${outputSize}×${outputSize}`,
    sizeFormulas: [`${outputSize} for any input size`],
  }),
  reach: ({ outputSize }, [, height = 1, width = 1]) => [
    largestWindow(height, outputSize),
    largestWindow(width, outputSize),
  ],
  keeps: { reads: "neither", noteBytes: 0, memory: "new" },
  inInt8: ({ outputSize }, [, height, width]) => (height === outputSize && width === outputSize ? "kept" : "computed"),
  onnx({ name, options: { outputSize }, inputShape }, input, graph) {
    const [, height, width] = featureMap(name, inputShape);
    if (height === outputSize && width === outputSize) return input;
    if (height % outputSize === 0 && width % outputSize === 0) {
      const window = { ints: [height / outputSize, width / outputSize] };
      return graph.node("AveragePool", [input], { kernel_shape: window, strides: window });
    }
    // Varying windows: the mean over rows, then over columns, each a product with a constant matrix.
    const rows = graph.constant("rows", [outputSize, height], () => windowWeights(height, outputSize));
    const columns = graph.constant("columns", [width, outputSize], () =>
      transposed(windowWeights(width, outputSize), width),
    );
    return graph.node("MatMul", [graph.node("MatMul", [rows, input]), columns]);
  },
};

/**
 * Output shape of a pool. Throws ShapeError if the window exceeds the padded input, the padding exceeds half the window, or a window could start in
 * the padding after the map.
 */
function poolShape(name: string, options: PoolWindow, input: Shape): Shape {
  const [channels] = featureMap(name, input);
  const { kernelSize, padding, endPadding = padding } = options;
  if (padding * 2 > kernelSize) {
    throw new ShapeError(`${name}: padding ${padding} exceeds half of window ${kernelSize}`);
  }
  if (endPadding >= kernelSize) throw new ShapeError(`${name}: end padding ${endPadding} fills window ${kernelSize}`);
  return [channels, outputExtent(name, input, 1, options), outputExtent(name, input, 2, options)];
}

/** Attributes of an ONNX node for a pooling window. */
function poolAttributes({ kernelSize, stride, padding, endPadding = padding }: PoolWindow): OnnxAttributes {
  return {
    kernel_shape: { ints: [kernelSize, kernelSize] },
    strides: { ints: [stride, stride] },
    pads: { ints: [padding, padding, endPadding, endPadding] },
  };
}

/** Start and end of adaptive window i on an axis of `extent` pixels. */
function adaptiveWindow(i: number, extent: number, outputSize: number): readonly [start: number, end: number] {
  return [Math.floor((i * extent) / outputSize), Math.ceil(((i + 1) * extent) / outputSize)];
}

/** Window sizes may differ by a pixel or two: this is the largest. The stride is the extent divided by the output size, rounded. */
function largestWindow(extent: number, outputSize: number): Window {
  let kernelSize = 0;
  for (let i = 0; i < outputSize; i++) {
    const [start, end] = adaptiveWindow(i, extent, outputSize);
    kernelSize = Math.max(kernelSize, end - start);
  }
  return { kernelSize, stride: Math.max(1, Math.round(extent / outputSize)), padding: 0 };
}

/** [outputSize, extent]: weight of each pixel in the mean of each window on one axis. */
function windowWeights(extent: number, outputSize: number): Float32Array {
  const matrix = new Float32Array(outputSize * extent);
  for (let i = 0; i < outputSize; i++) {
    const [start, end] = adaptiveWindow(i, extent, outputSize);
    matrix.fill(1 / (end - start), i * extent + start, i * extent + end);
  }
  return matrix;
}

function transposed(matrix: Float32Array, columns: number): Float32Array {
  const rows = matrix.length / columns;
  return matrix.map((_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)] as number);
}
