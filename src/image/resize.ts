import { ShapeError } from "../errors.ts";

/** Extent of a picture in pixels. */
export interface PixelSize {
  readonly width: number;
  readonly height: number;
}

/** Resizes one picture into another's bytes; both are height × width × channels. */
export type Resizer = (source: Uint8Array, target: Uint8Array) => void;

/** Weights are fixed-point numbers with this many fraction bits. Source: Pillow, src/libImaging/Resample.c. */
const precisionBits = 32 - 8 - 2;
const half = 1 << (precisionBits - 1);

/** Each output element is the weighted sum of `count` input elements, `stride` elements apart from `starts[i]` on. */
interface Taps {
  readonly count: number;
  readonly stride: number;
  readonly starts: Int32Array;
  /** `weights[i · count + t]`: fixed point, of tap t of output i. */
  readonly weights: Int32Array;
}

/**
 * Makes a bilinear resizer, equal to the bit to Pillow's `Image.resize((width, height), BILINEAR)` on 8-bit pictures:
 * half-pixel centres, a support that widens when shrinking (so nothing aliases), first rows, then columns, each rounded to
 * 8 bits, and no pass along an axis that keeps its extent. Weights and scratch memory are made once.
 *
 * Throws ShapeError (from the resizer) if a buffer does not have the size that was declared.
 */
export function createResizer(from: PixelSize & { readonly channels: number }, to: PixelSize): Resizer {
  const rowLength = to.width * from.channels;
  const sourceLength = from.width * from.height * from.channels;
  const targetLength = rowLength * to.height;
  const across = from.width === to.width ? undefined : perChannel(linearTaps(from.width, to.width), from.channels);
  const down = from.height === to.height ? undefined : linearTaps(from.height, to.height);
  const between = across && down ? new Uint8Array(rowLength * from.height) : undefined;
  const sums = new Int32Array(rowLength);
  return (source, target) => {
    checkLength("source", source, sourceLength);
    checkLength("target", target, targetLength);
    if (!across && !down) target.set(source);
    if (across) resizeRows(source, from.width * from.channels, across, between ?? target, from.height);
    if (down) resizeColumns(between ?? source, rowLength, down, target, sums);
  };
}

function checkLength(name: string, data: Uint8Array, expected: number): void {
  if (data.length !== expected) {
    throw new ShapeError(`resize: ${name}: expected ${expected} bytes, got ${data.length}`);
  }
}

/**
 * The triangle filter's weights for every output position along one axis. All windows are given the same number of taps
 * (two when enlarging), the missing ones with weight 0.
 *
 * Source: Pillow, src/libImaging/Resample.c, precompute_coeffs and normalize_coeffs_8bpc.
 */
function linearTaps(inputExtent: number, outputExtent: number): Taps {
  const scale = inputExtent / outputExtent;
  const support = Math.max(scale, 1);
  const windows = Array.from({ length: outputExtent }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), inputExtent);
    const heights = Array.from({ length: end - first }, (_, t) =>
      // Pillow multiplies by the reciprocal; dividing would differ in the last bit.
      Math.max(1 - Math.abs((t + first - centre + 0.5) * (1 / support)), 0),
    );
    return { first, heights };
  });
  const count = Math.max(...windows.map(({ heights }) => heights.length));
  const starts = new Int32Array(outputExtent);
  const weights = new Int32Array(outputExtent * count);
  windows.forEach(({ first, heights }, i) => {
    const start = Math.min(first, inputExtent - count);
    const total = heights.reduce((sum, height) => sum + height, 0);
    starts[i] = start;
    heights.forEach((height, t) => {
      weights[i * count + first - start + t] = Math.trunc(0.5 + (height / total) * (1 << precisionBits));
    });
  });
  return { count, stride: 1, starts, weights };
}

/** Taps along a row of pixels, for each of its interleaved elements. */
function perChannel({ count, starts, weights }: Taps, channels: number): Taps {
  const spread = new Int32Array(starts.length * channels);
  const repeated = new Int32Array(weights.length * channels);
  for (let i = 0; i < spread.length; i++) {
    const pixel = Math.floor(i / channels);
    spread[i] = (starts[pixel] as number) * channels + (i % channels);
    repeated.set(weights.subarray(pixel * count, (pixel + 1) * count), i * count);
  }
  return { count, stride: channels, starts: spread, weights: repeated };
}

// In both passes the sums stay below 2^31 and the rounded results below 256, since weights are positive and add up to 1.

function resizeRows(source: Uint8Array, sourceRow: number, taps: Taps, target: Uint8Array, rows: number): void {
  const { count, stride, starts, weights } = taps;
  const targetRow = starts.length;
  for (let y = 0; y < rows; y++) {
    const from = y * sourceRow;
    const to = y * targetRow;
    if (count === 2) {
      blendPixels(source, from, taps, target, to);
      continue;
    }
    for (let i = 0; i < targetRow; i++) {
      let position = from + (starts[i] as number);
      const end = (i + 1) * count;
      let sum = half;
      for (let w = i * count; w < end; w++) {
        sum += Math.imul(source[position] as number, weights[w] as number);
        position += stride;
      }
      target[to + i] = sum >> precisionBits;
    }
  }
}

function resizeColumns(source: Uint8Array, row: number, taps: Taps, target: Uint8Array, sums: Int32Array): void {
  const { count, starts, weights } = taps;
  for (let y = 0; y < starts.length; y++) {
    const first = (starts[y] as number) * row;
    if (count === 2) {
      blendRows(source, first, row, weights[2 * y] as number, weights[2 * y + 1] as number, target, y * row);
      continue;
    }
    sums.fill(half);
    for (let t = 0; t < count; t++) {
      const weight = weights[y * count + t] as number;
      const from = first + t * row;
      for (let i = 0; i < row; i++) sums[i] = (sums[i] as number) + Math.imul(source[from + i] as number, weight);
    }
    for (let i = 0; i < row; i++) target[y * row + i] = (sums[i] as number) >> precisionBits;
  }
}

/** One row of pixels, each out of two. */
function blendPixels(source: Uint8Array, from: number, taps: Taps, target: Uint8Array, to: number): void {
  const { stride, starts, weights } = taps;
  for (let i = 0; i < starts.length; i++) {
    const position = from + (starts[i] as number);
    const left = Math.imul(source[position] as number, weights[2 * i] as number);
    const right = Math.imul(source[position + stride] as number, weights[2 * i + 1] as number);
    target[to + i] = (left + right + half) >> precisionBits;
  }
}

/** One row out of two: nearly all the time of enlarging a picture. */
function blendRows(
  source: Uint8Array,
  from: number,
  row: number,
  upper: number,
  lower: number,
  target: Uint8Array,
  to: number,
): void {
  const below = from + row;
  for (let i = 0; i < row; i++) {
    const sum = Math.imul(source[from + i] as number, upper) + Math.imul(source[below + i] as number, lower);
    target[to + i] = (sum + half) >> precisionBits;
  }
}
