/** First step of preprocessing, which can be done ahead: colour channels and size. */
import { type Image, isSameSize, lumaOf, wholeOf } from "../image.ts";
import { createResizer } from "../resize/resize.ts";
import type { Filter } from "../resize/taps.ts";
import { type Fit, frameKeyOf, frameOf, keepsAll } from "./fit.ts";

/** Everything done to an image before random draws and scaling. Part of a `Preprocessing`. */
export interface Fitting {
  /** Height and width of the network's input. */
  readonly size: readonly [height: number, width: number];
  /** 1: colour becomes luma. 3: as it is; grey is repeated only in the input. */
  readonly channels: 1 | 3;
  readonly fit: Fit;
  readonly resize: Filter;
}

/**
 * The first step of a `Preprocessing`: colours, then the size that the fit wants. The result is all that is needed of a
 * image, so it can be kept in its place: what has been through it comes back as it is. Otherwise its data is valid until the next call.
 */
export type Fitter = (image: Image) => Image;

/** Makes one, with memory of its own. It throws ShapeError if an image's bytes do not fit its size. */
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
 * By what images are to be kept for a fitting: where it keeps them as they are, with their colours too, so that one pack serves all networks.
 * After that the fitting still has its own work to do on them.
 */
export function keepingOf(fitting: Fitting): Fitting {
  return keepsAll(fitting.fit) ? { ...fitting, channels: 3, resize: "bilinear" } : fitting;
}

/** Equal for fittings whose first step does the same to every image. */
export function storageKey({ size: [height, width], channels, fit, resize }: Fitting): string {
  return `${frameKeyOf(fit, { width, height })}-${channels}-${resize}`;
}

/** Memory that is kept, and replaced by larger when there is need. */
export function growing(): (length: number) => Uint8ClampedArray {
  let data = new Uint8ClampedArray(0);
  return (length) => {
    if (data.length < length) data = new Uint8ClampedArray(length);
    return data;
  };
}

/** The image in the first bytes of such memory. */
export function imageOf(
  { width, height }: Pick<Image, "width" | "height">,
  channels: 1 | 3,
  memory: Uint8ClampedArray,
  length = width * height * channels,
): Image {
  return { width, height, channels, data: new Uint8Array(memory.buffer, memory.byteOffset, length) };
}

/** Each pixel's luma. */
function toLuma({ width, height, data: rgb }: Image, luma: Uint8ClampedArray): Image {
  const pixels = width * height;
  for (let i = 0, j = 0; i < pixels; i++, j += 3) {
    luma[i] = lumaOf(rgb[j] as number, rgb[j + 1] as number, rgb[j + 2] as number);
  }
  return imageOf({ width, height }, 1, luma);
}
