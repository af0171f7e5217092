/** Order of the axes of a chain's values, and images for vectors. */
import { type Shape, sizeOf, stridesOf } from "../shape.ts";
import { copyStrided } from "./values.ts";

/** A square image of one or three channels with this number of values. */
export function imageOf(features: number, inputSize: number | undefined): Shape | undefined {
  const sides = inputSize === undefined ? [1, 3].map((channels) => Math.sqrt(features / channels)) : [inputSize];
  const side = sides.find((each) => Number.isInteger(each) && each > 1 && Number.isInteger(features / each ** 2));
  return side === undefined ? undefined : [features / side ** 2, side, side];
}

/**
 * Shape of an image in the network's order of axes, and the place there of each axis of the file. An image without an axis of channels has one
 * channel.
 */
export function axesOfImage(image: Shape, isChannelsLast: boolean): [shape: Shape, axes: readonly number[]] {
  if (isChannelsLast)
    return [
      [image[2] as number, ...image.slice(0, 2)],
      [1, 2, 0],
    ];
  if (image.length === 2)
    return [
      [1, ...image],
      [1, 2],
    ];
  return [image, [...image.keys()]];
}

/** Extents other than 1. */
export function wideExtents(shape: Shape): Shape {
  return shape.filter((extent) => extent !== 1);
}

/** True for [height, width, channels] of one or three channels, and no such number of rows. */
export function looksChannelsLast([first, , last]: Shape): boolean {
  const isImage = (channels: number | undefined) => channels === 1 || channels === 3;
  return isImage(last) && !isImage(first);
}

/** True if the axes that are wider than 1 are in ascending order. */
export function isInOrder(axes: readonly number[], shape: Shape): boolean {
  const wide = axes.filter((axis) => shape[axis] !== 1);
  return wide.every((axis, i) => i === 0 || axis > (wide[i - 1] as number));
}

/** Place in row-major order of `shape` of each element, in row-major order of the reordered axes. */
export function orderOf(axes: readonly number[], shape: Shape): Int32Array {
  const strides = stridesOf(shape);
  const at = (list: readonly number[]) => axes.map((axis) => list[axis] as number);
  const order = new Int32Array(sizeOf(shape));
  const places = order.map((_, place) => place);
  copyStrided(places, order, { shape: at(shape), strides: at(strides), offset: 0 });
  return order;
}
