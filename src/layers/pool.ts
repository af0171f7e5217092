/** Pooling windows. */
import { z } from "zod";
import type { PoolWindow } from "../engine/engine.ts";
import { ShapeError } from "../errors.ts";
import { featureMap, outputExtent, type Shape } from "../shape.ts";
import type { OnnxAttributes } from "./onnxGraph.ts";

/** The options of a pooling window. */
export const poolOptions = {
  kernelSize: z.int().positive(),
  stride: z.int().positive(),
  padding: z.int().nonnegative().default(0),
  endPadding: z.int().nonnegative().optional(),
};

/**
 * Throws ShapeError if the window exceeds the padded input, the padding exceeds half the window, or a window could begin in the padding behind
 * the map.
 */
export function poolShape(name: string, options: PoolWindow, input: Shape): Shape {
  const [channels] = featureMap(name, input);
  const { kernelSize, padding, endPadding = padding } = options;
  if (padding * 2 > kernelSize) {
    throw new ShapeError(`${name}: padding ${padding} exceeds half of window ${kernelSize}`);
  }
  if (endPadding >= kernelSize) throw new ShapeError(`${name}: end padding ${endPadding} fills window ${kernelSize}`);
  return [channels, outputExtent(name, input, 1, options), outputExtent(name, input, 2, options)];
}

/** A pooling window as attributes of an ONNX node. */
export function poolAttributes({ kernelSize, stride, padding, endPadding = padding }: PoolWindow): OnnxAttributes {
  return {
    kernel_shape: { ints: [kernelSize, kernelSize] },
    strides: { ints: [stride, stride] },
    pads: { ints: [padding, padding, endPadding, endPadding] },
  };
}
