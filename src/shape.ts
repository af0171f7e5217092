/** Tensor shapes, and the feature-map formula. */
import { ShapeError } from "./errors.ts";

/** Extents without the batch: `[channels, height, width]` of a feature map or `[features]` of a vector. */
export type Shape = readonly number[];

/** Number of elements; 1 for the empty shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** `96×55×55`. */
export function formatShape(shape: Shape): string {
  return shape.join("×");
}

/** Whether two shapes have the same axes. */
export function equalShapes(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/**
 * The feature-map formula: ⌊(W − K + 2P) / S⌋ + 1, with W the input's extent, K the window, P the padding on each
 * side (2P is the sum of both where they differ), S the stride.
 *
 * Throws ShapeError if the window exceeds the padded input.
 */
export function outputExtent(name: string, input: Shape, axis: number, window: Window): number {
  const padded = (input[axis] ?? 0) + window.padding + (window.endPadding ?? window.padding);
  if (window.kernelSize > padded) {
    throw new ShapeError(
      `${name}: window ${window.kernelSize} exceeds padded input ${padded} (input [${input.join(", ")}]); use a larger input size`,
    );
  }
  return Math.floor((padded - window.kernelSize) / window.stride) + 1;
}

/** A square sliding window, in pixels; `endPadding` is that at the bottom and on the right, if it differs. */
export interface Window {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  readonly endPadding?: number | undefined;
}

/**
 * Reads a shape as a feature map.
 *
 * Throws ShapeError if it has other than three axes.
 */
export function featureMap(name: string, shape: Shape): readonly [channels: number, height: number, width: number] {
  const [channels, height, width] = shape;
  if (shape.length !== 3 || channels === undefined || height === undefined || width === undefined) {
    throw new ShapeError(`${name}: expected an input [channels, height, width], got [${shape.join(", ")}]`);
  }
  return [channels, height, width];
}
