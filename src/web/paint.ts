/** Images and feature maps painted on canvases. */
import type { Image } from "../image/image.ts";
import { h } from "./dom.ts";

/** A canvas with an image, one pixel for each of its own. */
export function paintImage({ width, height, channels, data }: Image, canvas = h("canvas")): HTMLCanvasElement {
  Object.assign(canvas, { width, height });
  const pixels = new ImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * p + c] = data[p * channels + (channels === 3 ? c : 0)] as number;
    pixels.data[4 * p + 3] = 255;
  }
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  return canvas;
}

/** Values of a map, and the range that all maps of its layer share. */
export interface PaintedMap {
  readonly values: Float32Array;
  readonly width: number;
  readonly height: number;
  readonly range: Range;
}

/** Smallest and largest value of a layer. */
export interface Range {
  readonly least: number;
  readonly greatest: number;
}

/** The range of values. */
export function rangeOf(values: Float32Array): Range {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return { least, greatest };
}

/** Black is 0 and white the layer's largest output; if some outputs are negative, middle grey is 0, as in `alexnet activations`. */
export function levelIn({ least, greatest }: Range): (value: number) => number {
  const largest = Math.max(Math.abs(least), Math.abs(greatest)) || 1;
  return least < 0 ? (value) => 127.5 * (1 + value / largest) : (value) => (255 * value) / largest;
}

/** A canvas with a feature map, one pixel for each value. */
export function paintMap({ values, width, height, range }: PaintedMap, canvas = h("canvas")): HTMLCanvasElement {
  const level = levelIn(range);
  const data = new Uint8ClampedArray(values.length);
  for (const [i, value] of values.entries()) data[i] = level(value);
  return paintImage({ width, height, channels: 1, data: new Uint8Array(data.buffer) }, canvas);
}

/** Colours of a class activation, from transparent to orange, over an image of any size. */
export function paintActivation(values: Float32Array, width: number, height: number): HTMLCanvasElement {
  const canvas = h("canvas", { width, height, class: "smooth" });
  const pixels = new ImageData(width, height);
  for (const [p, value] of values.entries()) pixels.data.set([255, 150, 0, 215 * value], 4 * p);
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  return canvas;
}
