/** Bilinear and bicubic resizing, bit-identical to Pillow's. */
import { ShapeError } from "../../errors.ts";
import type { Image, PixelSize, Rectangle } from "../image.ts";
import { createPasses, type Passes, type TapRange } from "./passes.ts";
import { type Filter, rememberTaps, type Taps } from "./taps.ts";

/**
 * Resizes the `window` of an image to the size `scaled` and writes the part `kept` of the result to `target`, with interleaved channels.
 * Pixels outside the window have no effect.
 *
 * Throws ShapeError if the image's bytes do not match its size, a rectangle is out of bounds, or the target is too small.
 */
export type Resizer = (
  image: Image,
  window: Rectangle,
  scaled: PixelSize,
  kept: Rectangle,
  target: Uint8ClampedArray,
) => void;

/**
 * Creates a resizer that is bit-identical to Pillow's `Image.resize` on 8-bit images: half-pixel centres, a support that widens when
 * shrinking (antialiasing), first rows, then columns, each rounded to 8 bits. Weights are computed once per image size.
 */
export function createResizer(filter: Filter, passes: Passes = createPasses()): Resizer {
  const taps = rememberTaps(filter);
  return (image, window, scaled, kept, target) => {
    check(image, window, scaled, kept, target);
    const across = rangeOf(taps(window.width, scaled.width, kept.left, kept.width), kept.left, kept.width);
    const down = rangeOf(taps(window.height, scaled.height, kept.top, kept.height), kept.top, kept.height);
    const { starts, count } = down.taps;
    const before = starts[down.first] as number;
    const rows = (starts[down.first + down.size - 1] as number) + count - before;
    const { left } = window;
    passes({ image, left, top: window.top + before, rows, across, down: { ...down, before }, target });
  };
}

/** The taps of `size` outputs from `from` on. */
const rangeOf = (taps: Taps, from: number, size: number): TapRange => ({ taps, first: from - taps.first, size });

function check(
  { width, height, channels, data }: Image,
  window: Rectangle,
  scaled: PixelSize,
  kept: Rectangle,
  target: Uint8ClampedArray,
): void {
  if (data.length !== width * height * channels) {
    throw new ShapeError(
      `resize: source: expected ${width * height * channels} bytes for an image of ${channels}×${height}×${width}, got ${data.length}`,
    );
  }
  checkPart("window", window, { width, height });
  checkPart("kept part", kept, scaled);
  const room = kept.width * kept.height * channels;
  if (target.length < room)
    throw new ShapeError(`resize: target: expected room for ${room} bytes, got ${target.length}`);
}

function checkPart(what: string, { left, top, width, height }: Rectangle, whole: PixelSize): void {
  const fits = left >= 0 && top >= 0 && left + width <= whole.width && top + height <= whole.height;
  if (fits && width > 0 && height > 0) return;
  throw new ShapeError(
    `resize: ${what}: expected a part of ${whole.width}×${whole.height} pixels, got ${width}×${height} at ${left}, ${top}`,
  );
}
