import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeBytes } from "../../test/decoded.ts";
import { idat, ihdr, type PngForm, pngChunk, pngFile, samplesPerPixel } from "../../test/pngFiles.ts";

const forms = Object.entries({ 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] }).flatMap(
  ([colourType, depths]) =>
    depths.flatMap((bitDepth) =>
      [false, true].map(
        (isInterlaced): PngForm => ({ width: 13, height: 11, bitDepth, colourType: Number(colourType), isInterlaced }),
      ),
    ),
);

const sampleOf = (bitDepth: number) => (x: number, y: number, c: number) =>
  (4099 * x + 311 * y * y + 997 * c + x * y) % 2 ** bitDepth;
/** The palette's colours, by number. */
const colour = (index: number) => [(7 * index) % 256, (255 - 3 * index) & 255, (index * index) % 256];
const palette = (entries: number) => pngChunk("PLTE", Array.from({ length: entries }, (_, i) => colour(i)).flat());
const nameOf = ({ colourType, bitDepth, isInterlaced }: PngForm) =>
  `colour type ${colourType}, ${bitDepth} bits, ${isInterlaced}`;

/** A sample as 8 bits: fewer are stretched, 16 cut. */
const eightBits = (sample: number, bitDepth: number) =>
  bitDepth === 16 ? sample >> 8 : Math.round((sample * 255) / (2 ** bitDepth - 1));

/** What a pixel of the file must come out as, by the specification. `clear` says which pixels are transparent. */
function expected(form: PngForm, clear: (samples: readonly number[]) => boolean): number[] {
  const { width, height, bitDepth, colourType } = form;
  const pixels: number[] = [];
  for (let i = 0; i < width * height; i++) {
    const samples = Array.from({ length: samplesPerPixel[colourType] as number }, (_, c) =>
      sampleOf(bitDepth)(i % width, Math.floor(i / width), c),
    );
    const hasAlpha = colourType >= 4;
    const alpha = clear(samples) ? 0 : hasAlpha ? (samples.pop() as number) / (2 ** bitDepth - 1) : 1;
    const opaque = colourType === 3 ? colour(samples[0] as number) : samples.map((s) => eightBits(s, bitDepth));
    pixels.push(...opaque.map((value) => value * alpha + 255 * (1 - alpha)));
  }
  return pixels;
}

/** Without alpha to the bit; alpha is blended in whole numbers and 16 bits are cut then, which costs up to 1. */
function assertPixels(actual: Uint8Array, wanted: readonly number[], tolerance: number, name: string): void {
  assert.equal(actual.length, wanted.length, name);
  const error = Math.max(...wanted.map((value, i) => Math.abs(value - (actual[i] as number))));
  assert.ok(error <= tolerance, `${name}: ${error}`);
}

describe("PNG: every colour type, bit depth and interlace", () => {
  for (const form of forms) {
    const { width, height, bitDepth, colourType } = form;
    test(nameOf(form), async () => {
      const plte = colourType === 3 ? [palette(2 ** bitDepth)] : [];
      const pixels = idat(form, sampleOf(bitDepth));
      const image = await decodeBytes(pngFile(ihdr(form), ...plte, pixels));
      assert.deepEqual([image.width, image.height, image.channels], [width, height, colourType % 4 === 0 ? 1 : 3]);
      assertPixels(
        image.data,
        expected(form, () => false),
        colourType >= 4 ? 1 : 0,
        "plain",
      );
      if (colourType >= 4) return;
      // One sample, or one colour of the palette, is transparent.
      const first = Array.from({ length: samplesPerPixel[colourType] as number }, (_, c) =>
        sampleOf(bitDepth)(5, 7, c),
      );
      const trns =
        colourType === 3
          ? first.flatMap((i) => [...new Array<number>(i).fill(255), 0])
          : first.flatMap((s) => [s >> 8, s & 255]);
      const clear = await decodeBytes(pngFile(ihdr(form), ...plte, pngChunk("tRNS", trns), pixels));
      assert.equal(clear.channels, image.channels);
      assertPixels(
        clear.data,
        expected(form, (samples) => samples.every((s, c) => s === first[c])),
        0,
        "tRNS",
      );
    });
  }

  test("sizes of 1 to 9 pixels, where some passes are empty", async () => {
    for (let size = 1; size <= 9; size++) {
      for (const [width, height] of [
        [size, 1],
        [1, size],
        [size, size],
      ] as const) {
        const form: PngForm = { width, height, bitDepth: 2, colourType: 0, isInterlaced: true };
        const image = await decodeBytes(pngFile(ihdr(form), idat(form, sampleOf(2))));
        assertPixels(
          image.data,
          expected(form, () => false),
          0,
          `${width}×${height}`,
        );
      }
    }
  });
});
