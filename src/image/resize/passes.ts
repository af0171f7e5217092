/** The two passes of resizing, where each pixel is a weighted sum of several: in WebAssembly with SIMD, or in JavaScript. */
import type { Image } from "../image.ts";
import { createPassKernels, OVERHANG, type PassKernels } from "./passesModule.ts";
import { precisionBits, type Taps } from "./taps.ts";

/** A part of a resized image, and the rows of the source that it is computed of. */
export interface Resizing {
  readonly image: Image;
  /** First column of the window; first of the rows that are needed, and their number. */
  readonly left: number;
  readonly top: number;
  readonly rows: number;
  /** Taps of the columns. */
  readonly across: TapRange;
  /** Taps of the rows. Their starts count from row `top − before`. */
  readonly down: TapRange & { readonly before: number };
  readonly target: Uint8ClampedArray;
}

/** Some of the outputs of taps: `size` of them, from the one at index `first` on. */
export interface TapRange {
  readonly taps: Taps;
  readonly first: number;
  readonly size: number;
}

/** Computes a part of a resized image: first the rows, which make a strip of the final width, then the columns. */
export type Passes = (resizing: Resizing) => void;

/** The passes in WebAssembly where that is available, otherwise in JavaScript. */
export function createPasses(): Passes {
  const made = createPassKernels();
  return made ? createFastPasses(made.memory, made.kernels) : createPlainPasses();
}

/** Bytes of a page of WebAssembly's memory. */
const PAGE = 65536;
/** Source rows are copied to WebAssembly's memory in portions of about these bytes, which stay in the cache. */
const PORTION = 2 ** 17;

const wholeWords = (bytes: number) => Math.ceil(bytes / 4) * 4;
const tapBytes = ({ taps, size }: TapRange) => 4 * size * (1 + taps.count);

/** Memory: the strip; then, for each pass in turn, its starts and weights, and rows of the source or of the target. */
function createFastPasses(memory: WebAssembly.Memory, kernels: PassKernels): Passes {
  let bytes = new Uint8ClampedArray(memory.buffer);
  let words = new Int32Array(memory.buffer);

  const ensure = (end: number) => {
    if (end <= bytes.length) return;
    memory.grow(Math.ceil((end - bytes.length) / PAGE));
    bytes = new Uint8ClampedArray(memory.buffer);
    words = new Int32Array(memory.buffer);
  };

  const place = (at: number, { taps, first, size }: TapRange) => {
    const { starts, weights, count } = taps;
    words.set(starts.subarray(first, first + size), at / 4);
    words.set(weights.subarray(first * count, (first + size) * count), at / 4 + size);
    return { starts: at, weights: at + 4 * size };
  };

  return ({ image, left, top, rows, across, down, target }) => {
    const { channels, width } = image;
    const length = across.size * channels;
    const rowBytes = width * channels;
    const portion = channels === 1 ? 0 : Math.min(Math.max(Math.floor(PORTION / rowBytes), 1), rows);
    const work = wholeWords(rows * length + OVERHANG);
    const room = Math.max(tapBytes(across) + portion * rowBytes, tapBytes(down) + down.size * length);
    ensure(work + room + OVERHANG);

    if (channels === 1) acrossPlain(image, left, top, rows, across, bytes);
    else {
      const { starts, weights } = place(work, across);
      const source = work + tapBytes(across);
      for (let row = 0; row < rows; row += portion) {
        const some = Math.min(portion, rows - row);
        const begin = (top + row) * rowBytes;
        bytes.set(image.data.subarray(begin, begin + some * rowBytes), source);
        const from = source + left * channels;
        kernels.across(from, rowBytes, some, starts, weights, across.taps.count, across.size, row * length);
      }
    }
    const { starts, weights } = place(work, down);
    const result = work + tapBytes(down);
    kernels.down(0, length, down.before, starts, weights, down.taps.count, down.size, result);
    target.set(bytes.subarray(result, result + down.size * length));
  };
}

// Sums stay below 2^31. The targets clamp them to 0 … 255, which only negative weights require.
// Copied, because a constant of another module costs a load in inner loops, a fifth of the time.
const bits = precisionBits;
/** Added before the shift to round to nearest. */
const half = 1 << (bits - 1);

/** The passes in JavaScript. */
export function createPlainPasses(): Passes {
  let strip = new Uint8ClampedArray(0);
  return ({ image, left, top, rows, across, down, target }) => {
    const length = across.size * image.channels;
    if (strip.length < rows * length) strip = new Uint8ClampedArray(rows * length);
    acrossPlain(image, left, top, rows, across, strip);
    downPlain(strip, length, down, target);
  };
}

function acrossPlain(
  { data: source, width, channels }: Image,
  left: number,
  top: number,
  rows: number,
  { taps: { count, starts, weights }, first, size }: TapRange,
  strip: Uint8ClampedArray,
): void {
  const length = size * channels;
  for (let y = 0; y < rows; y++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = ((top + y) * width + left) * channels + channel;
      const end = (y + 1) * length;
      let w = first * count;
      let x = first;
      for (let to = y * length + channel; to < end; to += channels, x++) {
        let position = from + (starts[x] as number) * channels;
        let sum = half;
        for (const last = (x + 1) * count; w < last; w++) {
          sum += Math.imul(source[position] as number, weights[w] as number);
          position += channels;
        }
        strip[to] = sum >> bits;
      }
    }
  }
}

function downPlain(
  strip: Uint8ClampedArray,
  length: number,
  { taps: { count, starts, weights }, first, size, before }: Resizing["down"],
  target: Uint8ClampedArray,
): void {
  for (let y = 0; y < size; y++) {
    const from = ((starts[first + y] as number) - before) * length;
    const to = y * length;
    for (let i = 0; i < length; i++) {
      let sum = half;
      let position = from + i;
      for (let t = 0; t < count; t++) {
        sum += Math.imul(strip[position] as number, weights[(first + y) * count + t] as number);
        position += length;
      }
      target[to + i] = sum >> bits;
    }
  }
}
