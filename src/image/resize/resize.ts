/** Bilinear and bicubic resizing, bit-identical to Pillow's. */
import { ShapeError } from "../../errors.ts";
import type { Image, PixelSize, Rectangle } from "../image.ts";
import { blendAcross, blendDown, resizeAcross, resizeDown } from "./passes.ts";
import { type Filter, rememberTaps } from "./taps.ts";

/**
 * Resizes the `window` of a picture to the size `scaled`, of which it writes the part `kept` to `target`, pixel by pixel as
 * the picture's own. Nothing outside the window counts.
 *
 * Throws ShapeError if the picture's bytes do not fit its size, a rectangle does not lie in what it is part of, or the target has no room.
 */
export type Resizer = (
  image: Image,
  window: Rectangle,
  scaled: PixelSize,
  kept: Rectangle,
  target: Uint8ClampedArray,
) => void;

/**
 * Makes a resizer, equal to the bit to Pillow's `Image.resize` on 8-bit pictures: half-pixel centres, a support that widens when shrinking (so
 * nothing aliases), first rows, then columns, each rounded to 8 bits. Weights are computed once for all pictures of a size.
 */
export function createResizer(filter: Filter): Resizer {
  const taps = rememberTaps(filter);
  let between = new Uint8ClampedArray(0);
  return (image, window, scaled, kept, target) => {
    check(image, window, scaled, kept, target);
    const { channels } = image;
    const across = taps(window.width, scaled.width);
    const down = taps(window.height, scaled.height);
    const firstRow = down.starts[kept.top] as number;
    const rows = (down.starts[kept.top + kept.height - 1] as number) + down.count - firstRow;
    if (between.length < rows * kept.width) between = new Uint8ClampedArray(rows * kept.width);
    const source = { image, left: window.left, top: window.top + firstRow, rows };
    const strip = { data: between, firstRow, width: kept.width };
    for (let c = 0; c < channels; c++) {
      if (across.areBlends) blendAcross(source, c, across, kept.left, strip);
      else resizeAcross(source, c, across, kept.left, strip);
      const to = { data: target, channel: c, channels };
      if (down.areBlends) blendDown(strip, down, kept.top, kept.height, to);
      else resizeDown(strip, down, kept.top, kept.height, to);
    }
  };
}

function check(
  { width, height, channels, data }: Image,
  window: Rectangle,
  scaled: PixelSize,
  kept: Rectangle,
  target: Uint8ClampedArray,
): void {
  if (data.length !== width * height * channels) {
    throw new ShapeError(
      `resize: source: expected ${width * height * channels} bytes for a picture of ${channels}×${height}×${width}, got ${data.length}`,
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
