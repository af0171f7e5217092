/** Size of an AV1 image by its sequence header. */
import type { PixelSize } from "../image.ts";

const SEQUENCE_HEADER = 1;

/**
 * The largest size of the frames in AV1 data, which decides on the decoder's memory; undefined without an intact sequence header.
 *
 * Source: AV1 Bitstream & Decoding Process Specification, 5.3 to 5.5.
 */
export function av1Size(data: Uint8Array): PixelSize | undefined {
  for (let at = 0; at < data.length; ) {
    const header = data[at] as number;
    at += (header & 4) === 0 ? 1 : 2;
    const [length, next] = (header & 2) === 0 ? [data.length - at, at] : leb128(data, at);
    if (next + length > data.length) return undefined;
    if (((header >> 3) & 15) === SEQUENCE_HEADER) return sequenceSize(data.subarray(next, next + length));
    at = next + length;
  }
  return undefined;
}

/** A number in groups of 7 bits, the lowest first, and the offset after it. */
function leb128(data: Uint8Array, start: number): readonly [value: number, next: number] {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const byte = data[start + i] ?? 0;
    value += (byte & 127) * 128 ** i;
    if (byte < 128) return [value, start + i + 1];
  }
  return [Number.POSITIVE_INFINITY, start];
}

/** Source: 5.5.1, sequence_header_obu, up to the size. */
function sequenceSize(data: Uint8Array): PixelSize | undefined {
  let at = 0;
  const bits = (count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++, at++) value = 2 * value + (((data[at >> 3] ?? 0) >> (7 - (at & 7))) & 1);
    return value;
  };
  bits(4); // seq_profile, still_picture
  if (bits(1) === 1) bits(5);
  else skipOperatingPoints(bits);
  const [widthBits, heightBits] = [bits(4) + 1, bits(4) + 1];
  const size = { width: bits(widthBits) + 1, height: bits(heightBits) + 1 };
  return at > 8 * data.length ? undefined : size;
}

/** Timing, decoder models and operating points of films. */
function skipOperatingPoints(bits: (count: number) => number): void {
  let [hasModel, delayBits] = [false, 0];
  if (bits(1) === 1) {
    bits(32);
    bits(32);
    if (bits(1) === 1) skipUvlc(bits);
    hasModel = bits(1) === 1;
    if (hasModel) {
      delayBits = bits(5) + 1;
      bits(32);
      bits(10);
    }
  }
  const hasDelay = bits(1) === 1;
  for (let points = bits(5) + 1; points > 0; points--) {
    bits(12);
    if (bits(5) > 7) bits(1);
    if (hasModel && bits(1) === 1) {
      bits(delayBits);
      bits(delayBits + 1);
    }
    if (hasDelay && bits(1) === 1) bits(4);
  }
}

/** A number after as many zeros as it has bits. Source: 4.10.3. */
function skipUvlc(bits: (count: number) => number): void {
  let zeros = 0;
  while (zeros < 32 && bits(1) === 0) zeros++;
  if (zeros < 32) bits(zeros);
}
