import assert from "node:assert/strict";
import { test } from "node:test";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import { type BmpHeader, bmpFile } from "../../../test/tiffBmpHeifFiles.ts";

const colours = [
  [9, 8, 7, 0],
  [1, 2, 3, 0],
  [30, 20, 10, 0],
  [0, 0, 255, 0],
].flat();
/** Pixels by the number of their colour, stored as blue, green, red. */
const pixelsOf = (...numbers: readonly number[]) => numbers.flatMap((i) => colours.slice(4 * i, 4 * i + 3).reverse());
const paletted: BmpHeader = { width: 3, height: 2, bits: 8, colours: 4 };
const rows = [0, 1, 2, 0, 3, 2, 1, 0];
const upright = pixelsOf(3, 2, 1, 0, 1, 2);
const decoded = async (header: BmpHeader, ...after: readonly (readonly number[])[]) => [
  ...(await decodeAsFile(bmpFile(header, ...after))).data,
];

test("BMP: rows from the bottom and from the top, wrong places of the pixels, bytes after the end, no fill at the end", async () => {
  assert.deepEqual(await decoded(paletted, colours, rows), upright);
  assert.deepEqual(await decoded({ ...paletted, height: -2 }, colours, rows), pixelsOf(0, 1, 2, 3, 2, 1));
  for (const offset of [0, 54]) assert.deepEqual(await decoded({ ...paletted, offset }, colours, rows), upright);
  assert.deepEqual(await decoded(paletted, colours, rows, [1, 2, 3]), upright);
  assert.deepEqual(await decoded(paletted, colours, rows.slice(0, -1)), upright);
  // The palette ends where the pixels begin, whatever its announced length.
  assert.deepEqual(await decoded({ ...paletted, colours: 0, offset: 70 }, colours, rows), upright);
  assert.deepEqual(await decoded({ ...paletted, colours: 300, offset: 70 }, colours, rows), upright);
});

test("BMP: alpha on white, unless all of it is 0", async () => {
  const header: BmpHeader = { width: 1, height: 2, bits: 32, compression: 3, length: 56 };
  const file = (...pixels: number[]) => {
    const bytes = bmpFile(header, pixels);
    for (const [i, mask] of [0xff0000, 0xff00, 0xff, 0xff000000].entries()) bytes.writeUInt32LE(mask, 54 + 4 * i);
    return bytes;
  };
  const mixed = await decodeAsFile(file(30, 20, 10, 255, 200, 0, 100, 51));
  // 51/255 = 1/5 of the colour and 4/5 of white.
  assert.deepEqual([...mixed.data], [224, 204, 244, 10, 20, 30]);
  assert.deepEqual([...(await decodeAsFile(file(30, 20, 10, 0, 3, 2, 1, 0))).data], [1, 2, 3, 10, 20, 30]);
});

test("BMP: run lengths", async () => {
  const rle: BmpHeader = { ...paletted, compression: 1 };
  const lower = [1, 0, 1, 1, 1, 2, 0, 0];
  assert.deepEqual(await decoded(rle, colours, lower, [0, 3, 3, 2, 1, 99, 0, 1]), upright);
  // All rows are there, and the end mark is not.
  assert.deepEqual(await decoded(rle, colours, lower, [0, 3, 3, 2, 1, 99, 0, 0]), upright);
  // A jump of one pixel, and an early end: what is not coded has colour 0.
  assert.deepEqual(await decoded(rle, colours, [0, 2, 1, 0, 1, 3, 0, 1]), pixelsOf(0, 0, 0, 0, 3, 0));
  await assertRefused(bmpFile(rle, colours, lower, [0, 3, 3]), /truncated/);
  await assertRefused(bmpFile(rle, colours, lower, [0]), /truncated/);
  await assertRefused(bmpFile(rle, colours, [0, 2]), /truncated/);
  await assertRefused(bmpFile(rle, colours, [3, 1, 1, 1]), /row 0 has more than 3 pixels/);
  await assertRefused(bmpFile(rle, colours, [3, 4, 0, 1]), /a pixel of colour 4 of 4/);
});

test("BMP: files that contradict their format, and kinds that are not read", async () => {
  const refused = (header: Partial<BmpHeader>, message: RegExp) =>
    assertRefused(bmpFile({ ...paletted, ...header }, colours, rows), message);
  await refused({ width: 0 }, /at least 1, got 0×2/);
  await refused({ width: -3 }, /at least 1, got 0×2/);
  await refused({ width: 30_000, height: 30_000 }, /a BMP image of at most 64 megapixels, got 30000×30000/);
  await refused({ height: -0x8000_0000 }, /at most 64 megapixels, got 3×2147483648/);
  await refused({ offset: 20 }, /its pixels begin in its header, at byte 20/);
  await refused({ height: 3 }, /truncated/);
  await refused({ colours: 3 }, /a pixel of colour \d+ of 3/);
  await refused({ bits: 3 }, /one of 3 bits per pixel;/);
  await refused({ compression: 5 }, /one of compression 5/);
  await refused({ compression: 2 }, /one of 8 bits per pixel with compression 2/);
  await refused({ length: 64, compression: 4 }, /one of OS\/2 with compression 4/);
  await refused({ length: 70 }, /one with a header of 70 bytes/);
  const fields = (...masks: readonly number[]) => {
    const file = bmpFile({ width: 1, height: 1, bits: 16, compression: 3 }, Buffer.alloc(12), [1, 2, 0, 0]);
    for (const [i, mask] of masks.entries()) file.writeUInt32LE(mask, 54 + 4 * i);
    return file;
  };
  await assertRefused(fields(0xf800, 0x7e0, 0), /a field of a colour in the bits 0x0 of a pixel of 16/);
  await assertRefused(fields(0xf800, 0x5a0, 0x1f), /in the bits 0x5a0 /);
  await assertRefused(fields(0xff0000, 0x7e0, 0x1f), /in the bits 0xff0000 /);
});
