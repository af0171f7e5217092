/** The most codes that GIF's compression has: 12 bits. */
const MAX_CODES = 4096;

/**
 * How many pixels LZW data stand for, at most `limit`, and the highest colour among them, without decoding: a decoder that
 * runs out of data leaves the rest black and says nothing. Counting ends at the end code, at a code that does not exist yet,
 * at the end of the data, or at `limit`.
 *
 * Source: GIF89a specification, appendix F. Below the clear code a code is a colour; each further code stands for the pixels
 * of the code before it and one more.
 */
export function lzwPixels(
  colourBits: number,
  data: Uint8Array,
  limit: number,
): { readonly pixels: number; readonly highest: number } {
  if (colourBits < 1 || colourBits > 8) return { pixels: 0, highest: 0 };
  const clear = 2 ** colourBits;
  const lengths = new Uint32Array(MAX_CODES).fill(1, 0, clear);
  let [pixels, highest, known, previous, width] = [0, 0, clear + 2, 0, colourBits + 1];
  for (let bit = 0; bit + width <= 8 * data.length && pixels < limit; ) {
    const at = bit >> 3;
    const three = (data[at] as number) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16);
    const code = (three >> (bit & 7)) & (2 ** width - 1);
    bit += width;
    if (code === clear) {
      [known, previous, width] = [clear + 2, 0, colourBits + 1];
      continue;
    }
    // The code that is about to be known may be used at once, except behind a clear code.
    if (code === clear + 1 || code > known || (code === known && (previous === 0 || known === MAX_CODES))) break;
    if (previous > 0 && known < MAX_CODES) {
      lengths[known++] = previous + 1;
      if (known === 2 ** width && width < 12) width++;
    }
    previous = lengths[code] as number;
    pixels += previous;
    if (code < clear) highest = Math.max(highest, code);
  }
  return { pixels: Math.min(pixels, limit), highest };
}
