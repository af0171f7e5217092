/** First step of preprocessing, which can be cached: colour channels and size. */
import { type Image, isSameSize, lumaOf, wholeOf } from "../image.ts";
import { createResizer } from "../resize/resize.ts";
import type { Filter } from "../resize/taps.ts";
import { type Fit, frameKeyOf, frameOf, keepsAll } from "./fit.ts";

/** All preprocessing before random augmentation and normalization. Part of a `Preprocessing`. */
export interface Fitting {
  /** Height and width of the network's input. */
  readonly size: readonly [height: number, width: number];
  /** 1: colour becomes luma. 3: unchanged; grey is repeated only in the input. */
  readonly channels: 1 | 3;
  /** Method of fitting an image to `size`. */
  readonly fit: Fit;
  /** Interpolation of resizing. */
  readonly resize: Filter;
}

/**
 * First step of a `Preprocessing`: colour channels, then the fit's size. The result is all that is needed of an image and can be stored
 * instead of it: fitting it again returns it unchanged. Otherwise its data is valid until the next call.
 */
export type Fitter = (image: Image) => Image;

/** Creates a fitter with memory of its own. It throws ShapeError if an image's bytes do not match its size. */
export function createFitter({ size: [height, width], channels, fit, resize }: Fitting): Fitter {
  const size = { width, height };
  const resizer = createResizer(resize);
  const luma = growing();
  const fitted = growing();
  return (image) => {
    const coloured = image.channels > channels ? toLuma(image, luma(image.width * image.height)) : image;
    const { scaled, kept } = frameOf(fit, size, coloured);
    if (isSameSize(scaled, coloured) && isSameSize(kept, coloured)) return coloured;
    const length = kept.width * kept.height * coloured.channels;
    const data = fitted(length);
    resizer(coloured, wholeOf(coloured), scaled, kept, data);
    return imageOf(kept, coloured.channels, data, length);
  };
}

/**
 * The fitting applied before images are cached. If the fit keeps images unchanged, their colours are kept too, so that one pack serves all
 * networks; the remaining work is done on reading.
 */
export function keepingOf(fitting: Fitting): Fitting {
  return keepsAll(fitting.fit) ? { ...fitting, channels: 3, resize: "bilinear" } : fitting;
}

/** Equal for fittings with the same first step. */
export function storageKey({ size: [height, width], channels, fit, resize }: Fitting): string {
  return `${frameKeyOf(fit, { width, height })}-${channels}-${resize}`;
}

/** Returns a function that provides a reusable buffer of at least the given length. */
export function growing(): (length: number) => Uint8ClampedArray {
  let data = new Uint8ClampedArray(0);
  return (length) => {
    if (data.length < length) data = new Uint8ClampedArray(length);
    return data;
  };
}

/** An image in the first bytes of such a buffer. */
export function imageOf(
  { width, height }: Pick<Image, "width" | "height">,
  channels: 1 | 3,
  memory: Uint8ClampedArray,
  length = width * height * channels,
): Image {
  return { width, height, channels, data: new Uint8Array(memory.buffer, memory.byteOffset, length) };
}

/** Converts an image to luma. */
function toLuma({ width, height, data: rgb }: Image, luma: Uint8ClampedArray): Image {
  const pixels = width * height;
  for (let i = 0, j = 0; i < pixels; i++, j += 3) {
    luma[i] = lumaOf(rgb[j] as number, rgb[j + 1] as number, rgb[j + 2] as number);
  }
  return imageOf({ width, height }, 1, luma);
}
