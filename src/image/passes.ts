/** The loops of a resizer. Sums stay below 2^31 and rounded results below 256, since weights are positive and add up to 1. */
import { precisionBits, type Taps } from "./taps.ts";

// In inner loops a constant of another module costs a load, and a fifth of the time.
const bits = precisionBits;
/** What rounds a sum whose fraction is cut off. */
const half = 1 << (bits - 1);

/** A channel of `rows` rows of pixels, `stride` bytes apart from `first` on, to rows of bytes as wide as there are taps. */
export function resizeAcross(
  source: Uint8Array,
  first: number,
  stride: number,
  { count, starts, weights }: Taps,
  target: Uint8Array,
  rows: number,
): void {
  const width = starts.length;
  const sourceRow = source.length / rows;
  for (let y = 0; y < rows; y++) {
    const from = y * sourceRow + first;
    for (let x = 0; x < width; x++) {
      let position = from + (starts[x] as number) * stride;
      const end = (x + 1) * count;
      let sum = half;
      for (let w = x * count; w < end; w++) {
        sum += Math.imul(source[position] as number, weights[w] as number);
        position += stride;
      }
      target[y * width + x] = sum >> bits;
    }
  }
}

/** Rows of bytes to as many rows as there are taps, each level replaced by its number in `table`. */
export function resizeDown(
  source: Uint8Array,
  width: number,
  { count, starts, weights }: Taps,
  table: Float32Array,
  target: Float32Array,
  offset: number,
): void {
  const sums = new Int32Array(width);
  for (let y = 0; y < starts.length; y++) {
    sums.fill(half);
    for (let t = 0; t < count; t++) {
      const weight = weights[y * count + t] as number;
      const from = ((starts[y] as number) + t) * width;
      for (let x = 0; x < width; x++) sums[x] = (sums[x] as number) + Math.imul(source[from + x] as number, weight);
    }
    const to = offset + y * width;
    for (let x = 0; x < width; x++) target[to + x] = table[(sums[x] as number) >> bits] as number;
  }
}

/** `resizeAcross` where each pixel is a blend of two, as in enlarging. */
export function enlargeAcross(
  source: Uint8Array,
  first: number,
  stride: number,
  { starts, weights }: Taps,
  target: Uint8Array,
  rows: number,
): void {
  const width = starts.length;
  const sourceRow = source.length / rows;
  // Column by column, since all rows share a column's weights.
  for (let x = 0; x < width; x++) {
    const weight = weights[2 * x + 1] as number;
    let from = (starts[x] as number) * stride + first;
    for (let to = x; to < target.length; to += width) {
      const left = source[from] as number;
      const step = (source[from + stride] as number) - left;
      target[to] = ((left << bits) + half + Math.imul(step, weight)) >> bits;
      from += sourceRow;
    }
  }
}

/** Two neighbouring rows of the source, and the columns between which they are not background. */
interface RowPair {
  readonly upper: number;
  readonly lower: number;
  readonly left: number;
  readonly right: number;
}

/** `resizeDown` where each row is a blend of two, as in enlarging: nearly all the time of preparing small pictures for a large network. */
export function enlargeDown(
  source: Uint8Array,
  width: number,
  { starts, weights }: Taps,
  table: Float32Array,
  target: Float32Array,
  offset: number,
): void {
  // Between equal pixels nothing changes: margins in the colour of the first pixel, half of Fashion-MNIST, are filled at once.
  const background = source[0] as number;
  target.fill(table[background] as number, offset, offset + starts.length * width);
  let y = 0;
  while (y < starts.length) {
    const start = starts[y] as number;
    const pair = findContent(source, start * width, width, background);
    for (; starts[y + 3] === start; y += 4) {
      blendFourRows(source, pair, weights, y, table, target, offset + y * width, width);
    }
    for (; starts[y] === start; y++) {
      blendRow(source, pair, weights, y, table, target, offset + y * width);
    }
  }
}

function findContent(source: Uint8Array, upper: number, width: number, background: number): RowPair {
  const lower = upper + width;
  let left = 0;
  while (left < width && source[upper + left] === background && source[lower + left] === background) left++;
  let right = width;
  while (right > left && source[upper + right - 1] === background && source[lower + right - 1] === background) right--;
  return { upper, lower, left, right };
}

/** Row `y`, which begins at `to` in the target. */
function blendRow(
  source: Uint8Array,
  { upper, lower, left, right }: RowPair,
  weights: Int32Array,
  y: number,
  table: Float32Array,
  target: Float32Array,
  to: number,
): void {
  const weight = weights[2 * y + 1] as number;
  for (let x = left; x < right; x++) {
    const pixel = source[upper + x] as number;
    const step = (source[lower + x] as number) - pixel;
    target[to + x] = table[((pixel << bits) + half + Math.imul(step, weight)) >> bits] as number;
  }
}

/** Rows `y` to `y + 3`: each pair of pixels is read once for four results. */
function blendFourRows(
  source: Uint8Array,
  { upper, lower, left, right }: RowPair,
  weights: Int32Array,
  y: number,
  table: Float32Array,
  target: Float32Array,
  to: number,
  width: number,
): void {
  const weight0 = weights[2 * y + 1] as number;
  const weight1 = weights[2 * y + 3] as number;
  const weight2 = weights[2 * y + 5] as number;
  const weight3 = weights[2 * y + 7] as number;
  for (let x = left; x < right; x++) {
    const pixel = source[upper + x] as number;
    const step = (source[lower + x] as number) - pixel;
    const sum = (pixel << bits) + half;
    const i = to + x;
    target[i] = table[(sum + Math.imul(step, weight0)) >> bits] as number;
    target[i + width] = table[(sum + Math.imul(step, weight1)) >> bits] as number;
    target[i + 2 * width] = table[(sum + Math.imul(step, weight2)) >> bits] as number;
    target[i + 3 * width] = table[(sum + Math.imul(step, weight3)) >> bits] as number;
  }
}

/** A channel of pixels, `stride` bytes apart from `first` on, each level replaced by its number in `table`. */
export function replaceLevels(
  source: Uint8Array,
  first: number,
  stride: number,
  table: Float32Array,
  target: Float32Array,
  offset: number,
  length: number,
): void {
  for (let i = 0, j = first; i < length; i++, j += stride) target[offset + i] = table[source[j] as number] as number;
}
