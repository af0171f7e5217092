/** Bilinear and bicubic resizing, bit-identical to Pillow's. */
import { ShapeError } from "../../errors.ts";
import type { Image, PixelSize, Rectangle } from "../image.ts";
import { blendAcross, blendDown } from "./blend.ts";
import type { SourceRows, Strip } from "./rows.ts";
import { type Filter, precisionBits, rememberTaps, type Taps } from "./taps.ts";

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
export function createResizer(filter: Filter): Resizer {
  const taps = rememberTaps(filter);
  let between = new Uint8ClampedArray(0);
  return (image, window, scaled, kept, target) => {
    check(image, window, scaled, kept, target);
    const across = taps(window.width, scaled.width);
    const down = taps(window.height, scaled.height);
    const firstRow = down.starts[kept.top] as number;
    const rows = (down.starts[kept.top + kept.height - 1] as number) + down.count - firstRow;
    const length = kept.width * image.channels;
    if (between.length < rows * length) between = new Uint8ClampedArray(rows * length);
    const source = { image, left: window.left, top: window.top + firstRow, rows };
    const strip = { data: between, firstRow, rows, length, channels: image.channels };
    if (across.areBlends) blendAcross(source, across, kept.left, strip);
    else resizeAcross(source, across, kept.left, strip);
    if (down.areBlends) blendDown(strip, down, kept.top, kept.height, target);
    else resizeDown(strip, down, kept.top, kept.height, target);
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

// Sums stay below 2^31. The targets clamp them to 0 … 255, which only negative weights require.
// Copied, because a constant of another module costs a load in inner loops, a fifth of the time.
const bits = precisionBits;
/** Added before the shift to round to nearest. */
const half = 1 << (bits - 1);

/** The source's rows to rows as wide as the strip, whose first column is output `first` of the taps. */
function resizeAcross(source: SourceRows, taps: Taps, first: number, strip: Strip): void {
  if (strip.channels === 3) resizeColours(source, taps, first, strip);
  else for (let channel = 0; channel < strip.channels; channel++) resizeChannel(source, channel, taps, first, strip);
}

function resizeChannel(
  { image, left, top, rows }: SourceRows,
  channel: number,
  { count, starts, weights }: Taps,
  first: number,
  { data: target, length, channels }: Strip,
): void {
  const { data: source, width } = image;
  const columns = length / channels;
  for (let y = 0; y < rows; y++) {
    const from = ((top + y) * width + left) * channels + channel;
    let to = y * length + channel;
    for (let x = 0; x < columns; x++) {
      let position = from + (starts[first + x] as number) * channels;
      const end = (first + x + 1) * count;
      let sum = half;
      for (let w = (first + x) * count; w < end; w++) {
        sum += Math.imul(source[position] as number, weights[w] as number);
        position += channels;
      }
      target[to] = sum >> bits;
      to += channels;
    }
  }
}

/** `resizeChannel` of three channels at once: each weight is read once. */
function resizeColours(
  { image, left, top, rows }: SourceRows,
  { count, starts, weights }: Taps,
  first: number,
  { data: target, length }: Strip,
): void {
  const { data: source, width } = image;
  const columns = length / 3;
  for (let y = 0; y < rows; y++) {
    const from = ((top + y) * width + left) * 3;
    let to = y * length;
    for (let x = 0; x < columns; x++) {
      let position = from + (starts[first + x] as number) * 3;
      const end = (first + x + 1) * count;
      let [red, green, blue] = [half, half, half];
      for (let w = (first + x) * count; w < end; w++) {
        const weight = weights[w] as number;
        red += Math.imul(source[position] as number, weight);
        green += Math.imul(source[position + 1] as number, weight);
        blue += Math.imul(source[position + 2] as number, weight);
        position += 3;
      }
      target[to] = red >> bits;
      target[to + 1] = green >> bits;
      target[to + 2] = blue >> bits;
      to += 3;
    }
  }
}

/** Resizes the strip vertically to `height` rows, the first of which is output `first` of the taps. */
function resizeDown(
  strip: Strip,
  { count, starts, weights }: Taps,
  first: number,
  height: number,
  target: Uint8ClampedArray,
): void {
  const { firstRow, length } = strip;
  const sums = new Int32Array(length);
  for (let y = 0; y < height; y++) {
    const start = (starts[first + y] as number) - firstRow;
    sums.fill(half);
    for (let t = 0; t < count; t += 4) addFourRows(strip, start + t, weights, (first + y) * count + t, count - t, sums);
    const to = y * length;
    for (let i = 0; i < length; i++) target[to + i] = (sums[i] as number) >> bits;
  }
}

/** Adds rows `row` to `row + 3` times their weights, from `weights[at]` on, of which only `left` are there. */
function addFourRows(
  { data: source, rows, length }: Strip,
  row: number,
  weights: Int32Array,
  at: number,
  left: number,
  sums: Int32Array,
): void {
  const weight0 = weights[at] as number;
  const weight1 = left > 1 ? (weights[at + 1] as number) : 0;
  const weight2 = left > 2 ? (weights[at + 2] as number) : 0;
  const weight3 = left > 3 ? (weights[at + 3] as number) : 0;
  // A row without a weight counts nothing, but must exist.
  const row0 = row * length;
  const row1 = Math.min(row + 1, rows - 1) * length;
  const row2 = Math.min(row + 2, rows - 1) * length;
  const row3 = Math.min(row + 3, rows - 1) * length;
  for (let i = 0; i < length; i++) {
    sums[i] =
      (sums[i] as number) +
      Math.imul(source[row0 + i] as number, weight0) +
      Math.imul(source[row1 + i] as number, weight1) +
      Math.imul(source[row2 + i] as number, weight2) +
      Math.imul(source[row3 + i] as number, weight3);
  }
}
