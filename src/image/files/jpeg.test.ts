import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import sharp, { type Sharp } from "sharp";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import { readGolden } from "../../../test/golden.ts";
import { adobe, exif, flatJpeg, jpegSegment } from "../../../test/otherImageFiles.ts";
import { inspectImage } from "./readImageFile.ts";

const photo = await readFile("test/golden/raccoon.jpg");

/** The colour of the one that fills the image. */
async function colourOf(file: Uint8Array): Promise<number[]> {
  const { width, height, channels, data } = await decodeAsFile(file);
  assert.deepEqual([width, height], [8, 8]);
  const first = [...data.subarray(0, channels)];
  assert.ok(data.every((value, i) => value === first[i % channels]));
  return first;
}

/** Source: JFIF 1.02: luminance and chrominances of full range. */
const ycc = ([r, g, b]: readonly [number, number, number]) =>
  [
    0.299 * r + 0.587 * g + 0.114 * b,
    128 - 0.168736 * r - 0.331264 * g + 0.5 * b,
    128 + 0.5 * r - 0.418688 * g - 0.081312 * b,
  ].map(Math.round);

/** Luminance and chrominances are whole numbers, and a chrominance counts up to 1.8 times in a colour. */
function assertColour(actual: readonly number[], expected: readonly number[], tolerance = 2): void {
  const isClose =
    expected.length === actual.length && expected.every((v, c) => Math.abs(v - (actual[c] as number)) <= tolerance);
  assert.ok(isClose, `expected ${expected}, got ${actual}`);
}

test("JPEG: grey, YCC, and RGB by Adobe's mark", async () => {
  assert.deepEqual(await colourOf(flatJpeg([77])), [77]);
  assertColour(await colourOf(flatJpeg(ycc([200, 100, 50]))), [200, 100, 50]);
  assertColour(await colourOf(flatJpeg([200, 100, 50], adobe(0))), [200, 100, 50]);
});

test("JPEG: CMYK as Pillow converts it", async (t) => {
  interface Golden {
    readonly cases: readonly { readonly name: string; readonly file: string; readonly rgb: string }[];
  }
  for (const { name, file, rgb } of (await readGolden<Golden>("inks")).cases) {
    await t.test(name, async () => {
      const { width, height, channels, data } = await decodeAsFile(Buffer.from(file, "base64"));
      assert.deepEqual([width, height, channels], [24, 16, 3]);
      assert.deepEqual(data, new Uint8Array(Buffer.from(rgb, "base64")));
    });
  }
});

test("JPEG: CMYK and YCCK of the same inks are the same colour; no ink is white, all black", async () => {
  // Stored are complements: no black is 255, and the other three then are the colour itself.
  for (const mark of [[], [adobe(0)]]) {
    assert.deepEqual(await colourOf(flatJpeg([200, 100, 50, 255], ...mark)), [200, 100, 50]);
    assert.deepEqual(await colourOf(flatJpeg([255, 255, 255, 255], ...mark)), [255, 255, 255]);
    assert.deepEqual(await colourOf(flatJpeg([0, 0, 0, 0], ...mark)), [0, 0, 0]);
    // 40 % of each: 200 · 102 / 255 = 80.
    assert.deepEqual(await colourOf(flatJpeg([200, 100, 50, 102], ...mark)), [80, 40, 20]);
  }
  // YCCK has the luminance and chrominances of the inks.
  assertColour(await colourOf(flatJpeg([...ycc([55, 155, 205]), 255], adobe(2))), [200, 100, 50]);
});

test("JPEG: sizes and kinds are read from the header", async () => {
  const progressive = await sharp(photo).resize(40, 30).jpeg({ progressive: true }).toBuffer();
  assert.deepEqual(inspectImage(progressive).header, {
    format: "JPEG",
    width: 40,
    height: 30,
    channels: 3,
    isProgressive: true,
    orientation: 1,
  });
  assert.equal(inspectImage(photo).header.isProgressive, false);
  assert.equal(inspectImage(flatJpeg([1])).header.channels, 1);
});

test("JPEG: segments, coded data, restart marks and fill bytes are passed over, wherever it is cut", () => {
  const file = Uint8Array.from(
    [
      [0xff, 0xd8],
      [...jpegSegment(0xe1, [0xff, 0xd9, 0xff, 0xd9])], // APP1 with end marks inside, as of a thumbnail
      [0xff, 0xff, 0xfe, 0, 2], // a fill byte, then an empty comment
      [...jpegSegment(0xc0, [8, 0, 8, 0, 8, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])],
      [...jpegSegment(0xda, [1, 1, 0, 0, 63, 0]), 7, 0xff, 0, 0xd9, 0xff, 0xd0, 8, 0xff, 0xd7, 9, 0xff, 1],
      [...jpegSegment(0xc4, [0xff, 0xd9, 3])], // a table between scans, with an end mark inside
      [...jpegSegment(0xda, [2, 2, 0, 3, 0, 0, 63, 0]), 0xd9, 0xff, 0, 0xff, 0xff, 0xd9], // a scan that ends in a fill byte
    ].flat(),
  );
  assert.equal(inspectImage(file).header.width, 8);
  assert.equal(inspectImage(Uint8Array.of(...file, 0, 1, 0xff)).header.width, 8);
  for (let length = 3; length < file.length; length++) {
    assert.throws(
      () => inspectImage(file.subarray(0, length)),
      /a truncated one \(\d+ bytes without its end\)/,
      `${length}`,
    );
  }
});

test("JPEG: a gain map after the image, as phones write it, changes nothing", async () => {
  // A method that sharp 0.35 does not declare.
  const picture = sharp(photo).resize(40, 30) as Sharp & { withGainMap(): Sharp };
  const mapped = await picture.withGainMap().jpeg().toBuffer();
  assert.ok((await sharp(mapped).metadata()).gainMap);
  const end = mapped.indexOf(Buffer.of(0xff, 0xd9, 0xff, 0xd8)) + 2;
  assert.ok(end > 2 && end < mapped.length);
  assert.deepEqual(await decodeAsFile(mapped), await decodeAsFile(mapped.subarray(0, end)));
});

test("JPEG: a progressive one that was cut between scans and given an end mark", async () => {
  const whole = await sharp(photo).resize(40, 30).jpeg({ progressive: true }).toBuffer();
  const scans = [...whole.keys()].filter((i) => whole[i] === 0xff && whole[i + 1] === 0xda);
  assert.ok(scans.length > 5);
  for (const at of scans.slice(1)) {
    await assertRefused(Buffer.concat([whole.subarray(0, at), Buffer.of(0xff, 0xd9)]), /some of its scans are missing/);
  }
});

test("JPEG: headers that contradict the format, and rare kinds", async () => {
  const plain = flatJpeg([1, 2, 3]);
  const sof = plain.indexOf(Buffer.of(0xff, 0xc0));
  const changed = (at: number, value: number) => {
    const copy = Buffer.from(plain);
    copy[sof + at] = value;
    return copy;
  };
  await assertRefused(changed(1, 0xc3), /expected a common kind of JPEG image, got a lossless or hierarchical one/);
  await assertRefused(changed(1, 0xfe), /a scan without a frame header/);
  await assertRefused(changed(4, 12), /got one of 12 bits/);
  await assertRefused(changed(9, 2), /got one of 2 components/);
  await assertRefused(changed(9, 200), /frame header is too short/);
  await assertRefused(changed(3, 0), /segment of length 0/);
  await assertRefused(changed(6, 0), /expected a width and a height of at least 1, got 8×0/);
  await assertRefused(Buffer.concat([plain.subarray(0, sof), plain]), /a second start mark/);
  await assertRefused(
    Buffer.concat([plain.subarray(0, sof), plain.subarray(sof, sof + 19), plain.subarray(sof)]),
    /two frame/,
  );
  await assertRefused(Buffer.of(0xff, 0xd8, 0xff, 0xd9), /no frame header/);
  for (const factors of [0, 0x10, 0x01, 0x51]) await assertRefused(changed(11, factors), /sampling factors \d and \d/);
  const scan = plain.subarray(plain.indexOf(Buffer.of(0xff, 0xda)));
  await assertRefused(Buffer.concat([plain.subarray(0, -2), scan]), /two scans of the same component/);
  await assertRefused(changed(11, 0x44), /damaged one/);
});

test("JPEG: all orientations, from the corner where each begins", async () => {
  const dots = Uint8Array.of(0, 40, 80, 120, 160, 200);
  const file = await sharp(dots, { raw: { width: 3, height: 2, channels: 1 } })
    .resize(24, 16, { kernel: "nearest" })
    .toColourspace("b-w")
    .jpeg({ quality: 100 })
    .toBuffer();
  // Expected display by EXIF 2.32, 4.6.4 A: positions of row 0 and column 0 of the file.
  const shown = [
    [0, 40, 80, 120, 160, 200], // top, left
    [80, 40, 0, 200, 160, 120], // top, right
    [200, 160, 120, 80, 40, 0], // bottom, right
    [120, 160, 200, 0, 40, 80], // bottom, left
    [0, 120, 40, 160, 80, 200], // left, top
    [120, 0, 160, 40, 200, 80], // right, top
    [200, 80, 160, 40, 120, 0], // right, bottom
    [80, 200, 40, 160, 0, 120], // left, bottom
  ];
  for (const order of ["II", "MM"] as const) {
    for (const [i, expected] of shown.entries()) {
      const app1 = jpegSegment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), exif(i + 1, order)]));
      const turned = await decodeAsFile(Buffer.concat([file.subarray(0, 2), app1, file.subarray(2)]));
      const columns = i < 4 ? 3 : 2;
      assert.deepEqual([turned.width, turned.channels], [8 * columns, 1]);
      const middles = expected.map((_, j) => {
        const [x, y] = [8 * (j % columns) + 4, 8 * Math.floor(j / columns) + 4];
        return turned.data[y * turned.width + x] as number;
      });
      // Blocks of 8×8 of one value at best quality: 1 for rounding.
      assertColour(middles, expected, 1);
    }
  }
});
