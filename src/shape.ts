/** Tensor shapes and the feature-map formula. */
import { ShapeError } from "./errors.ts";

/** A window that is larger than its padded input, which a larger image may repair. */
export class WindowError extends ShapeError {}

/** Shape without the batch axis: `[channels, height, width]` of a feature map, or `[features]` of a vector. */
export type Shape = readonly number[];

/** Number of elements; 1 for the empty shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Strides of a row-major array, in elements. */
export function stridesOf(shape: Shape): readonly number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** Formats a shape: `96×55×55`. */
export function formatShape(shape: Shape): string {
  return shape.join("×");
}

/** True if two shapes have the same axes. */
export function equalShapes(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/**
 * The feature-map formula: ⌊(W − K + 2P) / S⌋ + 1, with input extent W, window K, padding P on each side (2P is the sum if the sides
 * differ) and stride S.
 *
 * Throws WindowError if the window exceeds the padded input.
 */
export function outputExtent(name: string, input: Shape, axis: number, window: Window): number {
  const padded = (input[axis] ?? 0) + window.padding + (window.endPadding ?? window.padding);
  if (window.kernelSize > padded) {
    throw new WindowError(
      `${name}: window ${window.kernelSize} exceeds padded input ${padded} (input [${input.join(", ")}])`,
    );
  }
  return Math.floor((padded - window.kernelSize) / window.stride) + 1;
}

/** A square sliding window in pixels; `endPadding` is the bottom and right padding if different. */
export interface Window {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  readonly endPadding?: number | undefined;
}

/**
 * Reads a shape as a feature map.
 *
 * Throws ShapeError unless it has three axes.
 */
export function featureMap(name: string, shape: Shape): readonly [channels: number, height: number, width: number] {
  const [channels, height, width] = shape;
  if (shape.length !== 3 || channels === undefined || height === undefined || width === undefined) {
    throw new ShapeError(`${name}: expected an input [channels, height, width], got [${shape.join(", ")}]`);
  }
  return [channels, height, width];
}
