/** Pictures whose pixels are numbers of colours in a list. */
import type { Image } from "../image.ts";
import { damaged, type ImageHeader, type Palette } from "./imageFile.ts";

/** Colours of 3 bytes with an alpha each, as far as these go, on white: alpha · colour + (1 − alpha) · 255. */
export function paletteOnWhite(colours: Uint8Array, alphas: Uint8Array, bitDepth: number): Palette {
  const onWhite = colours.map((value, i) => {
    const alpha = (alphas[Math.floor(i / 3)] ?? 255) / 255;
    return Math.round(alpha * value + (1 - alpha) * 255);
  });
  return { colours: onWhite, step: 255 / (2 ** bitDepth - 1) };
}

/** The colours of samples. Throws DataError for a number without a colour, which decoders show as black. */
export function coloured({ format }: ImageHeader, { width, height, data: samples }: Image, palette: Palette): Image {
  const { colours, step } = palette;
  const data = new Uint8Array(3 * samples.length);
  for (let i = 0, to = 0; i < samples.length; i++, to += 3) {
    const from = (3 * (samples[i] as number)) / step;
    if (from >= colours.length) throw damaged(format, `a pixel of colour ${from / 3} of ${colours.length / 3}`);
    data[to] = colours[from] as number;
    data[to + 1] = colours[from + 1] as number;
    data[to + 2] = colours[from + 2] as number;
  }
  return { width, height, channels: 3, data };
}
