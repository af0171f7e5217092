/**
 * Random numbers as a function of (seed, purpose, counter): no state to carry or to restore on resume, and the same numbers in any order
 * and on any machine. The generator is Threefry-2x32 with 20 rounds, in 32-bit arithmetic.
 *
 * Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
 */

/** A random stream: one key per (seed, purpose). */
export interface RandomStream {
  readonly key0: number;
  readonly key1: number;
}

/** Creates the stream of a seed (0 … 2^32 − 1) for a purpose such as `"shuffle"` or `"dropout:drop6"`. */
export function randomStream(seed: number, purpose: string): RandomStream {
  let hash = 0x811c9dc5; // FNV-1a, 32 bits
  for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193);
  return { key0: seed >>> 0, key1: hash >>> 0 };
}

/**
 * Fills the first `length` elements of `out` with 32-bit words, starting at the even word `first`. Words 2i and 2i + 1 are Threefry-2x32-20
 * of the counter (i, counter).
 *
 * This is the hot loop of random numbers: dropout draws over a million words per step.
 */
export function fillWords(
  stream: RandomStream,
  counter: number,
  out: Uint32Array,
  { first = 0, length = out.length }: { readonly first?: number; readonly length?: number } = {},
): void {
  const firstPair = first >>> 1;
  const k0 = stream.key0 | 0;
  const k1 = stream.key1 | 0;
  const k2 = 0x1bd11bda ^ k0 ^ k1;
  for (let i = 0; i < length; i += 2) {
    let a = ((i >>> 1) + firstPair + k0) | 0;
    let b = (counter + k1) | 0;
    a = (a + b) | 0;
    b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0;
    b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0;
    b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0;
    b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k1) | 0;
    b = (b + k2 + 1) | 0;
    a = (a + b) | 0;
    b = ((b << 17) | (b >>> 15)) ^ a;
    a = (a + b) | 0;
    b = ((b << 29) | (b >>> 3)) ^ a;
    a = (a + b) | 0;
    b = ((b << 16) | (b >>> 16)) ^ a;
    a = (a + b) | 0;
    b = ((b << 24) | (b >>> 8)) ^ a;
    a = (a + k2) | 0;
    b = (b + k0 + 2) | 0;
    a = (a + b) | 0;
    b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0;
    b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0;
    b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0;
    b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k0) | 0;
    b = (b + k1 + 3) | 0;
    a = (a + b) | 0;
    b = ((b << 17) | (b >>> 15)) ^ a;
    a = (a + b) | 0;
    b = ((b << 29) | (b >>> 3)) ^ a;
    a = (a + b) | 0;
    b = ((b << 16) | (b >>> 16)) ^ a;
    a = (a + b) | 0;
    b = ((b << 24) | (b >>> 8)) ^ a;
    a = (a + k1) | 0;
    b = (b + k2 + 4) | 0;
    a = (a + b) | 0;
    b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0;
    b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0;
    b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0;
    b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k2) | 0;
    b = (b + k0 + 5) | 0;
    out[i] = a;
    if (i + 1 < length) out[i + 1] = b;
  }
}

/** Words per chunk: fits the processor's cache. Even, because words come in pairs. */
const CHUNK = 1 << 13;

/** Draws `length` words in chunks. If `length` is odd, the last chunk's array has one word more. */
function eachWords(
  stream: RandomStream,
  counter: number,
  length: number,
  use: (words: Uint32Array, first: number, length: number) => void,
): void {
  const words = new Uint32Array(Math.min(CHUNK, length + (length & 1)));
  for (let first = 0; first < length; first += CHUNK) {
    fillWords(stream, counter, words, { first });
    use(words, first, Math.min(CHUNK, length - first));
  }
}

/** Fills `out` with uniform numbers in [low, high) on a grid of 2^24 steps, exact in f32 when the range is a power of two. */
export function fillUniform(
  stream: RandomStream,
  counter: number,
  out: Float32Array | Float64Array,
  low = 0,
  high = 1,
): void {
  const step = (high - low) / 0x1000000;
  eachWords(stream, counter, out.length, (words, first, length) => {
    for (let i = 0; i < length; i++) out[first + i] = low + step * ((words[i] as number) >>> 8);
  });
}

/** Fills `out` with normally distributed numbers (Box–Muller). */
export function fillGaussian(
  stream: RandomStream,
  counter: number,
  out: Float32Array | Float64Array,
  deviation: number,
): void {
  eachWords(stream, counter, out.length, (words, first, length) => {
    for (let i = 0; i < length; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(((words[i] as number) + 0.5) / 0x100000000));
      const angle = (2 * Math.PI * (words[i + 1] as number)) / 0x100000000;
      out[first + i] = radius * Math.cos(angle);
      if (i + 1 < length) out[first + i + 1] = radius * Math.sin(angle);
    }
  });
}

/** Returns a random permutation of 0 … length − 1, one per counter. */
export function permutation(stream: RandomStream, counter: number, length: number): Uint32Array {
  const order = new Uint32Array(length);
  fillPermutation(stream, counter, order, new Uint32Array(length));
  return order;
}

/** Writes `permutation` (Fisher–Yates) into the first `length` elements of `order`. `words` is scratch space of the same length. */
export function fillPermutation(
  stream: RandomStream,
  counter: number,
  order: Uint32Array,
  words: Uint32Array,
  length = order.length,
): void {
  fillWords(stream, counter, words, { length });
  for (let i = 0; i < length; i++) order[i] = i;
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(((words[i] as number) / 0x100000000) * (i + 1));
    const swapped = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swapped;
  }
}

/** Bits of an element of a dropout mask, and the number below which they drop it; see `fillDropoutMask`. */
export function dropoutBits(probability: number): { readonly bits: number; readonly threshold: number } {
  let bits = 1;
  while (bits < 16 && !Number.isInteger(probability * 2 ** bits)) bits *= 2;
  return { bits, threshold: Math.round(probability * 2 ** bits) };
}

/**
 * Fills `mask` with 1 / (1 − probability) for kept and 0 for dropped elements, so that the expectation of the product is the input
 * (inverted dropout).
 *
 * Element j uses b bits of the words, lowest first. b is the smallest power of two for which the probability is a multiple of 2^-b: 1 for
 * 0.5. b is at most 16, and other probabilities are rounded to 16 bits. `words` is scratch space of at least half the mask's length, rounded
 * up.
 */
export function fillDropoutMask(
  stream: RandomStream,
  counter: number,
  probability: number,
  words: Uint32Array,
  mask: Float32Array,
): void {
  const { bits, threshold } = dropoutBits(probability);
  fillWords(stream, counter, words, { length: Math.ceil((mask.length * bits) / 32) });
  const lowest = 2 ** bits - 1;
  const kept = 1 / (1 - probability);
  let word = 0;
  for (let j = 0, at = 0; j < mask.length; j++, at += bits) {
    if ((at & 31) === 0) word = words[at >>> 5] as number;
    // Uses the sign of a difference, because half of all branches on random bits would be mispredicted.
    mask[j] = kept * ((threshold - 1 - ((word >>> (at & 31)) & lowest)) >>> 31);
  }
}
