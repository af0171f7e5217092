/** Bilinear and bicubic resizing, bit-identical to Pillow's. */
import { ShapeError } from "../../errors.ts";
import type { Image, PixelSize, Rectangle } from "../image.ts";
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

/** Rows of an image from a column on. */
export interface SourceRows {
  readonly image: Image;
  readonly left: number;
  readonly top: number;
  readonly rows: number;
}

/** Rows of one channel, already resized horizontally, and the index of the first of them in the window. */
export interface Strip {
  readonly data: Uint8ClampedArray;
  readonly firstRow: number;
  readonly width: number;
}

/** One channel of the output. */
export interface Target {
  readonly data: Uint8ClampedArray;
  readonly channel: number;
  readonly channels: number;
}

/** Resizes a channel horizontally to the width of the strip, whose first column is output `first` of the taps. */
function resizeAcross(
  { image, left, top, rows }: SourceRows,
  channel: number,
  { count, starts, weights }: Taps,
  first: number,
  strip: Strip,
): void {
  const { data: source, channels: stride } = image;
  const { data: target, width } = strip;
  const sourceRow = image.width * stride;
  for (let y = 0; y < rows; y++) {
    const from = (top + y) * sourceRow + left * stride + channel;
    for (let x = 0; x < width; x++) {
      let position = from + (starts[first + x] as number) * stride;
      const end = (first + x + 1) * count;
      let sum = half;
      for (let w = (first + x) * count; w < end; w++) {
        sum += Math.imul(source[position] as number, weights[w] as number);
        position += stride;
      }
      target[y * width + x] = sum >> bits;
    }
  }
}

/** Resizes the strip vertically to `height` rows, the first of which is output `first` of the taps. */
function resizeDown(
  { data: source, firstRow, width }: Strip,
  { count, starts, weights }: Taps,
  first: number,
  height: number,
  { data: target, channel, channels }: Target,
): void {
  const sums = new Int32Array(width);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    for (let t = 0; t < count; t++) {
      const weight = weights[(first + y) * count + t] as number;
      const from = ((starts[first + y] as number) - firstRow + t) * width;
      for (let x = 0; x < width; x++) sums[x] = (sums[x] as number) + Math.imul(source[from + x] as number, weight);
    }
    let to = y * width * channels + channel;
    for (let x = 0; x < width; x++) {
      target[to] = (sums[x] as number) >> bits;
      to += channels;
    }
  }
}

/** `resizeAcross` for enlarging, where each pixel is a blend of two. */
function blendAcross(
  { image, left, top, rows }: SourceRows,
  channel: number,
  { starts, weights }: Taps,
  first: number,
  strip: Strip,
): void {
  const { data: source, channels: stride } = image;
  const { data: target, width } = strip;
  const sourceRow = image.width * stride;
  const origin = top * sourceRow + left * stride + channel;
  // Column by column, because all rows share a column's weights.
  for (let x = 0; x < width; x++) {
    const weight = weights[2 * (first + x) + 1] as number;
    let from = origin + (starts[first + x] as number) * stride;
    const end = rows * width;
    for (let to = x; to < end; to += width) {
      const pixel = source[from] as number;
      const step = (source[from + stride] as number) - pixel;
      target[to] = ((pixel << bits) + half + Math.imul(step, weight)) >> bits;
      from += sourceRow;
    }
  }
}

/** Two adjacent rows of the strip, and the range of columns that are not background. */
interface RowPair {
  readonly upper: number;
  readonly lower: number;
  readonly left: number;
  readonly right: number;
}

/**
 * `resizeDown` for enlarging, where each row is a blend of two. It takes most of the time of preparing small images for a large network.
 */
function blendDown(
  { data: source, firstRow, width }: Strip,
  { starts, weights }: Taps,
  first: number,
  height: number,
  target: Target,
): void {
  // Fast path: margins in the colour of the first pixel, half of Fashion-MNIST, are filled, because blending equal pixels changes nothing.
  const background = source[0] as number;
  fill(target, background, height * width);
  const end = first + height;
  let y = first;
  while (y < end) {
    const start = starts[y] as number;
    const pair = findContent(source, (start - firstRow) * width, width, background);
    for (; y + 3 < end && starts[y + 3] === start; y += 4) {
      blendFourRows(source, pair, weights, y, target, (y - first) * width, width);
    }
    for (; y < end && starts[y] === start; y++) blendRow(source, pair, weights, y, target, (y - first) * width);
  }
}

function fill({ data, channel, channels }: Target, value: number, pixels: number): void {
  if (channels === 1) data.fill(value, 0, pixels);
  else for (let i = channel; i < pixels * channels; i += channels) data[i] = value;
}

function findContent(source: Uint8ClampedArray, upper: number, width: number, background: number): RowPair {
  const lower = upper + width;
  let left = 0;
  while (left < width && source[upper + left] === background && source[lower + left] === background) left++;
  let right = width;
  while (right > left && source[upper + right - 1] === background && source[lower + right - 1] === background) right--;
  return { upper, lower, left, right };
}

/** Row `y` of the taps, written from pixel `to` of the target. */
function blendRow(
  source: Uint8ClampedArray,
  { upper, lower, left, right }: RowPair,
  weights: Int32Array,
  y: number,
  { data: target, channel, channels }: Target,
  to: number,
): void {
  const weight = weights[2 * y + 1] as number;
  let i = (to + left) * channels + channel;
  for (let x = left; x < right; x++) {
    const pixel = source[upper + x] as number;
    const step = (source[lower + x] as number) - pixel;
    target[i] = ((pixel << bits) + half + Math.imul(step, weight)) >> bits;
    i += channels;
  }
}

/** Rows `y` to `y + 3`, which share each pair of loaded pixels. */
function blendFourRows(
  source: Uint8ClampedArray,
  { upper, lower, left, right }: RowPair,
  weights: Int32Array,
  y: number,
  { data: target, channel, channels }: Target,
  to: number,
  width: number,
): void {
  const weight0 = weights[2 * y + 1] as number;
  const weight1 = weights[2 * y + 3] as number;
  const weight2 = weights[2 * y + 5] as number;
  const weight3 = weights[2 * y + 7] as number;
  const row = width * channels;
  let i = (to + left) * channels + channel;
  for (let x = left; x < right; x++) {
    const pixel = source[upper + x] as number;
    const step = (source[lower + x] as number) - pixel;
    const sum = (pixel << bits) + half;
    target[i] = (sum + Math.imul(step, weight0)) >> bits;
    target[i + row] = (sum + Math.imul(step, weight1)) >> bits;
    target[i + 2 * row] = (sum + Math.imul(step, weight2)) >> bits;
    target[i + 3 * row] = (sum + Math.imul(step, weight3)) >> bits;
    i += channels;
  }
}
