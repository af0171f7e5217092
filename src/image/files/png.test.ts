import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import {
  idat,
  ihdr,
  type PngCoding,
  type PngForm,
  pngChunk,
  pngFile,
  samplesPerPixel,
} from "../../../test/pngFiles.ts";

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

/** Expected value of a file's pixel by the specification. `clear` marks transparent pixels. */
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
      const image = await decodeAsFile(pngFile(ihdr(form), ...plte, pixels));
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
      const clear = await decodeAsFile(pngFile(ihdr(form), ...plte, pngChunk("tRNS", trns), pixels));
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
        const image = await decodeAsFile(pngFile(ihdr(form), idat(form, sampleOf(2))));
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

/** A file of this form, which is to be decoded right however it is coded; with a palette of every colour. */
async function assertDecoded(form: PngForm, coding: PngCoding): Promise<void> {
  const plte = form.colourType === 3 ? [palette(2 ** form.bitDepth)] : [];
  const { width, height, channels, data } = await decodeAsFile(
    pngFile(ihdr(form), ...plte, idat(form, sampleOf(form.bitDepth), coding)),
  );
  const name = `${nameOf(form)}, ${form.width}×${form.height}, ${coding.filter?.(1)}`;
  assert.deepEqual([width, height, channels], [form.width, form.height, form.colourType % 4 === 0 ? 1 : 3], name);
  const opaque = expected(form, () => false);
  assertPixels(data, opaque, form.colourType >= 4 ? 1 : 0, name);
}

describe("PNG: however it is coded", () => {
  // PngSuite's f*, z* and oi*: filters, zlib levels, and IDAT in chunks down to one byte.
  const filters: readonly ((row: number) => number)[] = [
    ...[0, 1, 2, 3, 4].map((type) => () => type),
    (row) => ((row * row + row / 2) % 5) | 0,
  ];
  for (const form of forms) {
    test(`${nameOf(form)}: every filter, odd sizes, zlib levels, chunks`, async () => {
      for (const [i, filter] of filters.entries()) {
        const [width, height] = [1 + ((13 * i + 7 * form.bitDepth) % 40), 1 + ((29 * i + 11 * form.colourType) % 40)];
        const chunkBytes = [1, 3, 64, 8192][i % 4] as number;
        await assertDecoded({ ...form, width, height }, { filter, level: (7 * i) % 10, chunkBytes });
      }
    });
  }

  test("every size of 1 to 40 pixels, interlaced and not, in every form", async () => {
    for (let size = 1; size <= 40; size++) {
      for (const isInterlaced of [false, true]) {
        const form = forms[(7 * size + Number(isInterlaced)) % forms.length] as PngForm;
        await assertDecoded(
          { ...form, isInterlaced, width: size, height: size },
          { filter: filters[5] as () => number },
        );
        await assertDecoded({ ...form, isInterlaced, width: size, height: 41 - size }, {});
      }
    }
  });

  test("the alphas of a palette are blended, rounded to the nearest", async () => {
    const form: PngForm = { width: 16, height: 16, bitDepth: 8, colourType: 3, isInterlaced: false };
    const alphas = Array.from({ length: 200 }, (_, i) => i + 20);
    const pixels = idat(form, (x, y) => 16 * y + x);
    const { data } = await decodeAsFile(pngFile(ihdr(form), palette(256), pngChunk("tRNS", alphas), pixels));
    const wanted = Array.from({ length: 256 }, (_, i) => {
      const alpha = (alphas[i] ?? 255) / 255;
      return colour(i).map((value) => Math.round(value * alpha + 255 * (1 - alpha)));
    }).flat();
    assertPixels(data, wanted, 0, "alphas");
  });

  test("a palette with fewer colours than its bits can number: with the others it is damaged", async () => {
    for (const bitDepth of [1, 2, 4, 8]) {
      for (const isInterlaced of [false, true]) {
        const form: PngForm = { width: 5, height: 3, bitDepth, colourType: 3, isInterlaced };
        const most = 2 ** bitDepth - 2;
        const file = (highest: number) =>
          pngFile(
            ihdr(form),
            palette(most + 1),
            idat(form, (x, y) => (x === 4 && y === 2 ? highest : most)),
          );
        const { data } = await decodeAsFile(file(most));
        assert.deepEqual([...data], new Array(15).fill(colour(most)).flat());
        const message = `a pixel of colour ${most + 1} of ${most + 1}\\)`;
        await assertRefused(file(most + 1), new RegExp(message));
      }
    }
  });
});
