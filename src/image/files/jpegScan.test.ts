// Runs alone: it holds limits of time.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import sharp from "sharp";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import { flatJpeg, jpegSegment, restartJpeg } from "../../../test/otherImageFiles.ts";
import { codingUnits } from "./jpegScan.ts";
import { inspectImage } from "./readImageFile.ts";

const photo = sharp(await readFile("test/golden/raccoon.jpg"));
const end = Buffer.of(0xff, 0xd9);

/** The photo as encoders write it; the heights leave rows of blocks that are full, and not. */
const encoded: Readonly<Record<string, Buffer>> = {
  "4:2:0": await photo.clone().resize(97, 61).jpeg().toBuffer(),
  "4:2:0, whose last rows are half of a unit": await photo.clone().resize(64, 56).jpeg().toBuffer(),
  "4:4:4": await photo.clone().resize(97, 61).jpeg({ chromaSubsampling: "4:4:4" }).toBuffer(),
  "4:4:4, standard tables": await photo
    .clone()
    .resize(64, 48)
    .jpeg({ chromaSubsampling: "4:4:4", optimiseCoding: false })
    .toBuffer(),
  "the lowest quality": await photo.clone().resize(97, 61).jpeg({ quality: 1 }).toBuffer(),
  "trellis quantisation": await photo
    .clone()
    .resize(97, 61)
    .jpeg({ trellisQuantisation: true, overshootDeringing: true })
    .toBuffer(),
  grey: await photo.clone().resize(97, 61).toColourspace("b-w").jpeg().toBuffer(),
  CMYK: await photo.clone().resize(40, 29).toColourspace("cmyk").jpeg().toBuffer(),
  progressive: await photo.clone().resize(97, 61).jpeg({ progressive: true }).toBuffer(),
  "progressive, mozjpeg": await photo.clone().resize(97, 61).jpeg({ mozjpeg: true }).toBuffer(),
};

describe("JPEG: cut at any percent and by the last bytes, with an end mark or without", () => {
  for (const [name, whole] of Object.entries(encoded)) {
    test(name, async () => {
      await decodeAsFile(whole);
      const lengths = Array.from({ length: 99 }, (_, i) => Math.floor((whole.length * (i + 1)) / 100));
      for (let missing = 3; missing < 12; missing++) lengths.push(whole.length - missing);
      for (const length of lengths) {
        const cut = whole.subarray(0, length);
        assert.throws(() => inspectImage(cut), /a truncated one|a file that starts with/);
        await assertRefused(
          Buffer.concat([cut, end]),
          /expected (?:an intact|a complete) JPEG image|a file that starts/,
        );
      }
    });
  }
});

describe("JPEG: restart marks", () => {
  const values = [0, 255, 129, 77, 200, 13, 127, 128, 90, 1, 64];
  const whole = restartJpeg(values);
  const marks = [...whole.keys()].filter((i) => whole[i] === 0xff && ((whole[i + 1] as number) & 0xf8) === 0xd0);

  test("intact: each block has its value", async () => {
    const { width, height, channels, data } = await decodeAsFile(whole);
    assert.deepEqual([width, height, channels, marks.length], [88, 8, 1, 10]);
    assert.deepEqual(
      data,
      Uint8Array.from({ length: 88 * 8 }, (_, i) => values[(i % 88) >> 3] as number),
    );
  });

  test("a piece cut out, a mark in the wrong place or missing, the end missing", async () => {
    for (const [i, at] of marks.entries()) {
      const next = marks[i + 1] ?? whole.length - 2;
      const without = (from: number, to: number) => Buffer.concat([whole.subarray(0, from), whole.subarray(to)]);
      const other = Buffer.from(whole).fill(0xd0 + ((i + 3) % 8), at + 1, at + 2);
      for (const file of [without(at, next), other, without(at, at + 2), without(at, whole.length - 2)]) {
        await assertRefused(file, /a restart mark is missing|coded data end too early|a code that does not exist/);
      }
    }
  });
});

test("JPEG: codes that do not exist, and more coefficients than a block has", async () => {
  const file = flatJpeg([5, 6, 7]);
  const coded = file.length - 6;
  await assertRefused(Buffer.concat([file.subarray(0, coded), Buffer.of(0xfe, 1, 2, 3), end]), /a code that does not/);
  // The one code of the other coefficients is made to mean 15 zeros and a coefficient, again and again.
  const table = file.indexOf(Buffer.of(0xff, 0xc4, 0, 20, 0x10)) + 21;
  const endless = Buffer.from(file).fill(0xf1, table, table + 1);
  await assertRefused(endless, /a code that does not exist|end too early/);
});

test("JPEG: megabytes of tables that no scan uses take no time", () => {
  const file = flatJpeg([5]);
  // 3,000 tables, number 0 without a code.
  const segments = new Array<Buffer>(67).fill(jpegSegment(0xc4, new Uint8Array(17 * 3000)));
  const bytes = Buffer.concat([file.subarray(0, 2), ...segments, file.subarray(2)]);
  const begin = performance.now();
  inspectImage(bytes);
  // 65,536 entries for each would take seconds and 26 GB.
  assert.ok(performance.now() - begin < 1500);
});

test("JPEG: thousands of restart marks in a file of megabytes take no time", () => {
  const whole = restartJpeg(new Array<number>(8191).fill(77));
  // A camera's data after the end.
  const bytes = Buffer.concat([whole, Buffer.alloc(20e6)]);
  const begin = performance.now();
  inspectImage(bytes);
  // Memory of the file's size for each part between two marks would take 160 GB, and half a minute.
  assert.ok(performance.now() - begin < 1500);
});

test("codingUnits: a component alone has its own blocks, several share units", () => {
  const frame = { width: 97, height: 61, across: 2, down: 2 };
  assert.equal(codingUnits(frame, { across: 2, down: 2 }, false), 7 * 4);
  assert.equal(codingUnits(frame, { across: 2, down: 2 }, true), 13 * 8);
  assert.equal(codingUnits(frame, { across: 1, down: 1 }, true), 7 * 4);
  assert.equal(codingUnits({ ...frame, down: 1 }, { across: 1, down: 1 }, true), 7 * 8);
});
