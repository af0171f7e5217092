import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import { greyTiff, tiffFile } from "../../../test/tiffBmpHeifFiles.ts";
import { inspectImage } from "./readImageFile.ts";

const pixels = Uint8Array.of(10, 20, 30, 40, 50, 60);
const strips = [pixels];
const image = { width: 3, height: 2, channels: 1, data: pixels };
const plain = async (file: Uint8Array) => {
  const { data, ...rest } = await decodeAsFile(file);
  return { ...rest, data: Uint8Array.from(data) };
};

test("TIFF: the directory before and after the pixels, bytes after the end, lengths that are not stored", async () => {
  assert.deepEqual(await plain(tiffFile(greyTiff(3, 2), { strips })), image);
  assert.deepEqual(await plain(tiffFile(greyTiff(3, 2), { strips, directoryAfter: true })), image);
  assert.deepEqual(await plain(Buffer.concat([tiffFile(greyTiff(3, 2), { strips }), Buffer.alloc(50, 7)])), image);
  const { 278: _, ...noRows } = greyTiff(3, 2);
  assert.deepEqual(await plain(tiffFile(noRows, { strips })), image);
  // 8 bytes of header, 8 fields of 12 with their count and end: 110.
  const noLengths = { ...greyTiff(3, 2), 273: 110 };
  assert.deepEqual(await plain(Buffer.concat([tiffFile(noLengths), pixels])), image);
});

test("TIFF: the file to decode has no fields but those of pixels", async () => {
  const fields = { ...greyTiff(3, 2), 34675: 7, 37724: 9, 330: 8 };
  const { frame } = inspectImage(tiffFile(fields, { strips }));
  const { icc, exif, subifds } = await sharp(frame.bytes).metadata();
  assert.deepEqual([icc, exif, subifds], [undefined, undefined, undefined]);
});

test("TIFF: upright by its orientation, or else by its XMP", async () => {
  const xmp = Buffer.from('<x tiff:Orientation="6"/>');
  const withXmp = (fields: Record<number, number>) => ({ ...greyTiff(3, 2), ...fields, 700: [...xmp] });
  const turned = [40, 10, 50, 20, 60, 30];
  // Numbers of 16 bits are no XMP; as bytes they are.
  assert.deepEqual([...(await decodeAsFile(tiffFile(withXmp({}), { strips }))).data], [...pixels]);
  const bytes = tiffFile(withXmp({}), { strips });
  const at = bytes.indexOf(Buffer.of(0xbc, 2, 3, 0));
  bytes[at + 2] = 1;
  xmp.copy(bytes, bytes.readUInt32LE(at + 8));
  assert.deepEqual([...(await decodeAsFile(bytes)).data], turned);
  assert.deepEqual([...(await decodeAsFile(tiffFile({ ...greyTiff(3, 2), 274: 6 }, { strips }))).data], turned);
  assert.deepEqual(await plain(tiffFile({ ...greyTiff(3, 2), 274: 9 }, { strips })), image);
});

test("TIFF: files that contradict their format", async () => {
  const refused = (fields: Record<number, number | readonly number[]>, message: RegExp) =>
    assertRefused(tiffFile({ ...greyTiff(3, 2), ...fields }, { strips }), message);
  await refused({ 256: 0 }, /at least 1, got 0×2/);
  await refused({ 256: 30_000, 257: 30_000 }, /a TIFF image of at most 64 megapixels, got 30000×30000/);
  await refused({ 278: 0 }, /strips or tiles without pixels/);
  await refused({ 278: 1 }, /1 of 2 strips/);
  await refused({ 279: 5 }, /5 of 6 bytes of a piece/);
  await refused({ 279: 0 }, /strips without bytes/);
  await refused({ 273: 4 }, /strips without bytes/);
  await refused({ 279: 100_000 }, /truncated/);
  await refused({ 256: 1, 257: 5_000_000, 278: 1 }, /one of 5000000 strips or tiles/);
  await refused({ 262: 3 }, /a palette of 0 samples, not 768/);
  await refused({ 322: 8, 323: 16, 324: 8, 325: 6 }, /tiles of 8×16, not multiples of 16/);
  await refused({ 322: 65_520, 323: 65_520, 324: 8, 325: 6 }, /tiles of 65520×65520 in 3×2 pixels/);
  await refused({ 259: 5 }, /damaged/);
  const empty = Buffer.from("II*\0\x08\0\0\0\0\0\0\0\0\0", "latin1");
  await assertRefused(empty, /it has no directory/);
  await assertRefused(Buffer.from("II+\0\x04\0\0\0\x10\0\0\0\0\0\0\0", "latin1"), /offsets of 4 bytes, not 8/);
});

test("TIFF: a million strips that each claim the whole file are refused at once", { timeout: 60_000 }, async () => {
  const [width, height] = [16, 1_000_000];
  const bytes = Buffer.alloc(9_000_000);
  const file = tiffFile({ ...greyTiff(width, height), 259: 8, 278: 1, 273: 66_000, 279: 66_000 });
  file.copy(bytes);
  for (const [tag, place, value] of [
    [273, 200, 100],
    [279, 4_000_200, 8_999_000],
  ] as const) {
    const at = bytes.indexOf(Buffer.of(tag & 255, tag >> 8, 4, 0));
    bytes.writeUInt32LE(height, at + 4);
    bytes.writeUInt32LE(place, at + 8);
    for (let i = 0; i < height; i++) bytes.writeUInt32LE(value, place + 4 * i);
  }
  // A million strips of 9 MB would be 9 TB, which take an hour. The file and its lists are read in less than a second.
  await assertRefused(bytes, /strips of more bytes than the file/);
});

test("TIFF: compressed strips that end too early, or hold an image of another size", async () => {
  const coded = (data: Uint8Array) => tiffFile({ ...greyTiff(3, 2), 259: 8 }, { strips: [data] });
  assert.deepEqual(await plain(coded(deflateSync(pixels))), image);
  await assertRefused(coded(deflateSync(pixels.subarray(0, 5))), /TIFF image, got a damaged one/);
  await assertRefused(coded(deflateSync(pixels).subarray(0, 8)), /TIFF image, got a damaged one/);
  const packed = (...bytes: number[]) =>
    tiffFile({ ...greyTiff(3, 2), 259: 32773 }, { strips: [Uint8Array.from(bytes)] });
  assert.deepEqual(await plain(packed(5, ...pixels)), image);
  await assertRefused(packed(4, ...pixels.subarray(0, 5)), /TIFF image, got a damaged one/);
  await assertRefused(packed(127, ...pixels), /TIFF image, got a damaged one/);
  const jpeg = await sharp(pixels, { raw: { width: 3, height: 2, channels: 1 } })
    .toColourspace("b-w")
    .jpeg()
    .toBuffer();
  const inside = (width: number, height: number, data: Uint8Array) =>
    assertRefused(
      tiffFile({ ...greyTiff(width, height), 259: 7 }, { strips: [data] }),
      /TIFF image, got a damaged one/,
    );
  assert.equal((await decodeAsFile(tiffFile({ ...greyTiff(3, 2), 259: 7 }, { strips: [jpeg] }))).width, 3);
  await inside(9, 9, jpeg);
  await inside(2, 2, jpeg);
  await inside(3, 2, jpeg.subarray(0, -8));
});
