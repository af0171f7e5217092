import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import sharp from "sharp";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import { readGolden } from "../../../test/golden.ts";
import { box, type HeifItem, heifFile, ispe } from "../../../test/tiffBmpHeifFiles.ts";
import { av1Size } from "./av1.ts";
import { inspectImage } from "./readImageFile.ts";

const levels = Uint8Array.from({ length: 64 * 48 * 3 }, (_, i) => (i * 5 + (i % 3) * 60) & 255);
const tile = await sharp(levels, { raw: { width: 64, height: 48, channels: 3 } })
  .avif({ quality: 100, chromaSubsampling: "4:4:4" })
  .toBuffer();

/** The contents of a box anywhere in a file. */
function boxOf(file: Buffer, type: string): Buffer {
  const at = file.indexOf(type) - 4;
  return file.subarray(at, at + file.readUInt32BE(at));
}
const data = boxOf(tile, "mdat").subarray(8);
const av1C = boxOf(tile, "av1C");
const still = (...more: readonly Uint8Array[]): HeifItem => ({
  type: "av01",
  data,
  properties: [ispe(64, 48), av1C, ...more],
});
const gridData = (rows: number, columns: number, width: number, height: number) =>
  Buffer.of(0, 0, rows - 1, columns - 1, width >> 8, width & 255, height >> 8, height & 255);
const grid = (rows: number, columns: number, size: readonly [number, number], tiles: readonly number[]): HeifItem => ({
  ...{ type: "grid", data: gridData(rows, columns, ...size), tiles },
  properties: [ispe(...size)],
});
const decoded = await decodeAsFile(tile);
const pixel = (x: number, y: number) => [...decoded.data.subarray(3 * (64 * y + x), 3 * (64 * y + x) + 3)];

test("AVIF: an item alone, and tiles of a grid, cut to its size", async () => {
  assert.deepEqual(await decodeAsFile(heifFile("avif", [still()])), decoded);
  const {
    width,
    height,
    data: all,
  } = await decodeAsFile(heifFile("avif", [grid(2, 2, [100, 90], [2, 3, 2, 3]), still(), still()]));
  assert.deepEqual([width, height], [100, 90]);
  for (const [x, y] of [
    [0, 0],
    [63, 47],
    [64, 0],
    [99, 89],
    [10, 50],
  ] as const) {
    const at = 3 * (100 * y + x);
    assert.deepEqual([...all.subarray(at, at + 3)], pixel(x % 64, y % 48), `${x}, ${y}`);
  }
});

test("AVIF: rotated, mirrored and cropped by its properties", async () => {
  const turned = await decodeAsFile(heifFile("avif", [still(box("irot", [1]))]));
  assert.deepEqual([turned.width, turned.height, ...turned.data.subarray(0, 3)], [48, 64, ...pixel(63, 0)]);
  const mirrored = await decodeAsFile(heifFile("avif", [still(box("imir", [1]))]));
  assert.deepEqual([mirrored.width, mirrored.height, ...mirrored.data.subarray(0, 3)], [64, 48, ...pixel(63, 0)]);
  const fraction = (value: number, divisor: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32BE(value);
    bytes.writeInt32BE(divisor, 4);
    return bytes;
  };
  // 32×16 around the middle.
  const clap = box("clap", fraction(32, 1), fraction(16, 1), fraction(0, 1), fraction(0, 1));
  const cropped = await decodeAsFile(heifFile("avif", [still(clap)]));
  assert.deepEqual([cropped.width, cropped.height, ...cropped.data.subarray(0, 3)], [32, 16, ...pixel(16, 16)]);
});

test("AVIF: files that contradict their format, and kinds that are not read", async () => {
  const refused = (items: readonly HeifItem[], message: RegExp) => assertRefused(heifFile("avif", items), message);
  const sized = (width: number, height: number): HeifItem => ({ ...still(), properties: [ispe(width, height), av1C] });
  await refused([sized(8000, 8000)], /an AVIF image of at most 25 megapixels, got 8000×8000/);
  await refused([sized(0, 48)], /at least 1, got 0×48/);
  // The decoder would allocate by the second size.
  await refused([sized(32, 48)], /an image of 64×48 pixels where its header says 32×48/);
  await refused([sized(65, 48)], /AVIF image, got a damaged one/);
  await refused([{ ...still(), properties: [av1C] }], /an image without a size/);
  await refused([{ ...still(), data: new Uint8Array() }], /truncated|without data/);
  await refused([{ ...still(), data: data.subarray(0, 3) }], /no sequence header/);
  await refused([{ ...still(), type: "jpeg" }], /one coded as "jpeg"/);
  await refused([{ ...still(), multipliedBy: [2] }, still()], /one whose colours are multiplied by alpha/);
  await refused([grid(2, 2, [100, 90], [2, 2, 2]), still()], /a grid that contradicts its header/);
  await refused([grid(1, 1, [100, 90], [2]), still()], /tiles that do not cover 100×90/);
  // 65,536 tiles for the pixels of one.
  const many = Array.from({ length: 65_536 }, () => 2);
  await refused(
    [grid(256, 256, [64, 48], many), still()],
    /contradicts its header|tiles that do not cover 64×48|too short/,
  );
  await refused([grid(1, 1, [64, 48], [1]), still()], /a grid of grids/);
  const fat: HeifItem = { ...still(), data: Buffer.concat([data, Buffer.alloc(1_000_000)]) };
  const same = Array.from({ length: 100 }, () => 2);
  await refused([grid(10, 10, [640, 480], same), fat], /tiles of more bytes than the file/);
  const meta = boxOf(tile, "meta");
  const ftyp = boxOf(tile, "ftyp");
  const padded = box("meta", meta.subarray(8), box("free", new Uint8Array(5_000_000)));
  await assertRefused(Buffer.concat([ftyp, padded]), /metadata of \d+ MB/);
  await assertRefused(Buffer.concat([ftyp, Buffer.alloc(8 * 200_000, box("free"))]), /more than 131072 boxes/);
  const crowded = box("meta", meta.subarray(8), Buffer.alloc(8 * 200_000, box("free")));
  await assertRefused(Buffer.concat([ftyp, crowded]), /more than 131072 boxes in another one/);
  await assertRefused(
    Buffer.concat([box("ftyp", Buffer.from("avis\0\0\0\0avif")), box("moov", [])]),
    /a film without a still image/,
  );
  const { length } = tile;
  for (let end = 20; end < length; end += 7) assert.throws(() => inspectImage(tile.subarray(0, end)), /truncated/);
});

test("HEIC is decoded where sharp can; elsewhere the message says how to convert it", async () => {
  // The photo by libheif's heif-enc, at 64×48.
  const heic = await readFile("test/golden/raccoon.heic");
  const canDecode = sharp.format.heif.input.fileSuffix?.includes(".heic") ?? false;
  if (canDecode) {
    const { width, height, channels } = await decodeAsFile(heic);
    assert.deepEqual([width, height, channels], [64, 48, 3]);
  } else
    await assertRefused(heic, /got a HEIC image \(HEVC\); convert it to JPEG \(heif-convert .*; sips .*; magick .*\)$/);
  for (let end = 24; end < heic.length; end += 9) assert.throws(() => inspectImage(heic.subarray(0, end)), /truncated/);
  const huge: HeifItem = { ...still(), type: "hvc1", properties: [ispe(30_000, 30_000)] };
  await assertRefused(heifFile("heic", [huge]), /a HEIC image of at most 25 megapixels, got 30000×30000/);
});

test("av1Size: with the header of a still image and of a film, and without one", async () => {
  assert.deepEqual(av1Size(data), { width: 64, height: 48 });
  const { cases } = await readGolden<{ cases: Record<string, { file: string }> }>("imageKinds");
  const film = inflateSync(Buffer.from((cases["AVIF, several images"] as { file: string }).file, "base64"));
  const mdat = film.subarray(film.indexOf("mdat") + 4);
  // Neither a still image nor the short form of the header: bits 4 and 5.
  assert.equal((mdat[mdat.indexOf(0x0a) + 2] as number) & 0x18, 0);
  assert.deepEqual(av1Size(mdat.subarray(mdat.indexOf(0x0a))), { width: 21, height: 13 });
  assert.equal(av1Size(data.subarray(0, 6)), undefined);
  assert.equal(av1Size(Buffer.of(0x0a, 0x80)), undefined);
  assert.equal(av1Size(new Uint8Array(100)), undefined);
});
