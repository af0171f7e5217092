/** XXH32, a fast checksum of large data. */

/** Odd multipliers with well-mixed bits. Source: xxHash, doc/xxhash_spec.md, XXH32. */
const P1 = 0x9e3779b1 | 0;
const P2 = 0x85ebca77 | 0;
const P3 = 0xc2b2ae3d | 0;
const P4 = 0x27d4eb2f | 0;
const P5 = 0x165667b1 | 0;

/**
 * XXH32 of bytes, seed 0: about as fast as zlib's CRC-32, which Node.js provides only from 20.15.
 *
 * Source: xxHash, doc/xxhash_spec.md. Assumes a little-endian machine, as every machine that Node.js supports is.
 */
export function checksumOf(bytes: Uint8Array): number {
  if (bytes.byteOffset % 4 !== 0) return checksumOf(bytes.slice());
  const { length } = bytes;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, length >> 2);
  const stripes = words.length & ~3;
  let hash = (stripes > 0 ? hashStripes(words, stripes) : P5) + length;
  for (let i = stripes; i < words.length; i++) {
    hash = (hash + Math.imul(words[i] as number, P3)) | 0;
    hash = Math.imul((hash << 17) | (hash >>> 15), P4);
  }
  for (let i = 4 * words.length; i < length; i++) {
    hash = (hash + Math.imul(bytes[i] as number, P5)) | 0;
    hash = Math.imul((hash << 11) | (hash >>> 21), P1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Four words at a time, each in an accumulator of its own, so that the processor computes them in parallel. */
function hashStripes(words: Int32Array, end: number): number {
  let a = (P1 + P2) | 0;
  let b: number = P2;
  let c = 0;
  let d = -P1 | 0;
  for (let i = 0; i < end; i += 4) {
    a = (a + Math.imul(words[i] as number, P2)) | 0;
    a = Math.imul((a << 13) | (a >>> 19), P1);
    b = (b + Math.imul(words[i + 1] as number, P2)) | 0;
    b = Math.imul((b << 13) | (b >>> 19), P1);
    c = (c + Math.imul(words[i + 2] as number, P2)) | 0;
    c = Math.imul((c << 13) | (c >>> 19), P1);
    d = (d + Math.imul(words[i + 3] as number, P2)) | 0;
    d = Math.imul((d << 13) | (d >>> 19), P1);
  }
  return (((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))) | 0;
}
