/** Resizing where each pixel is a blend of two, as in enlarging by `bilinear`. */
import type { SourceRows, Strip } from "./rows.ts";
import { precisionBits, type Taps } from "./taps.ts";

// In inner loops a constant of another module costs a load, and a fifth of the time.
const bits = precisionBits;
/** Rounds a sum whose fraction is cut off. */
const half = 1 << (bits - 1);

/** `resizeAcross` where each pixel is a blend of two, as in enlarging. */
export function blendAcross(
  { image, left, top, rows }: SourceRows,
  { starts, weights }: Taps,
  first: number,
  { data: target, length, channels }: Strip,
): void {
  const { data: source } = image;
  const sourceRow = image.width * channels;
  const end = rows * length;
  // Column by column, since all rows share a column's weights.
  for (let i = 0; i < length; i++) {
    const x = Math.floor(i / channels);
    const weight = weights[2 * (first + x) + 1] as number;
    let from = top * sourceRow + (left + (starts[first + x] as number)) * channels + (i % channels);
    for (let to = i; to < end; to += length) {
      const pixel = source[from] as number;
      const step = (source[from + channels] as number) - pixel;
      target[to] = ((pixel << bits) + half + Math.imul(step, weight)) >> bits;
      from += sourceRow;
    }
  }
}

/** Two neighbouring rows of the strip, and the values between which they are not background. */
interface RowPair {
  readonly upper: number;
  readonly lower: number;
  readonly left: number;
  readonly right: number;
}

/** `resizeDown` where each row is a blend of two, as in enlarging: most of the time of preparing small images for a large network. */
export function blendDown(
  { data: source, firstRow, length, channels }: Strip,
  { starts, weights }: Taps,
  first: number,
  height: number,
  target: Uint8ClampedArray,
): void {
  // A blend of equal values is that value: grey margins like the first pixel, half of Fashion-MNIST, are filled at once.
  const background = channels === 1 ? source[0] : undefined;
  if (background !== undefined) target.fill(background, 0, height * length);
  const end = first + height;
  let y = first;
  while (y < end) {
    const start = starts[y] as number;
    const pair = findContent(source, (start - firstRow) * length, length, background);
    for (; y + 3 < end && starts[y + 3] === start; y += 4) {
      blendFourRows(source, pair, weights, y, target, (y - first) * length, length);
    }
    for (; y < end && starts[y] === start; y++) blendRow(source, pair, weights, y, target, (y - first) * length);
  }
}

function findContent(
  source: Uint8ClampedArray,
  upper: number,
  length: number,
  background: number | undefined,
): RowPair {
  const lower = upper + length;
  let left = 0;
  while (left < length && source[upper + left] === background && source[lower + left] === background) left++;
  let right = length;
  while (right > left && source[upper + right - 1] === background && source[lower + right - 1] === background) right--;
  return { upper, lower, left, right };
}

/** Row `y` of the taps, which begins at `to` in the target. */
function blendRow(
  source: Uint8ClampedArray,
  { upper, lower, left, right }: RowPair,
  weights: Int32Array,
  y: number,
  target: Uint8ClampedArray,
  to: number,
): void {
  const weight = weights[2 * y + 1] as number;
  for (let i = left; i < right; i++) {
    const pixel = source[upper + i] as number;
    const step = (source[lower + i] as number) - pixel;
    target[to + i] = ((pixel << bits) + half + Math.imul(step, weight)) >> bits;
  }
}

/** Rows `y` to `y + 3`: each pair of values is read once for four results. */
function blendFourRows(
  source: Uint8ClampedArray,
  { upper, lower, left, right }: RowPair,
  weights: Int32Array,
  y: number,
  target: Uint8ClampedArray,
  to: number,
  length: number,
): void {
  const weight0 = weights[2 * y + 1] as number;
  const weight1 = weights[2 * y + 3] as number;
  const weight2 = weights[2 * y + 5] as number;
  const weight3 = weights[2 * y + 7] as number;
  const [to1, to2, to3] = [to + length, to + 2 * length, to + 3 * length];
  for (let i = left; i < right; i++) {
    const pixel = source[upper + i] as number;
    const step = (source[lower + i] as number) - pixel;
    const sum = (pixel << bits) + half;
    target[to + i] = (sum + Math.imul(step, weight0)) >> bits;
    target[to1 + i] = (sum + Math.imul(step, weight1)) >> bits;
    target[to2 + i] = (sum + Math.imul(step, weight2)) >> bits;
    target[to3 + i] = (sum + Math.imul(step, weight3)) >> bits;
  }
}
