import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import { anmf, exif, riffChunk, vp8x, webpFile } from "../../../test/otherImageFiles.ts";
import { inspectImage } from "./readImageFile.ts";

const colours = [10, 20, 30, 200, 100, 0, 0, 0, 255, 9, 9, 9, 255, 255, 255, 70, 80, 90];
/** The chunk of an image of 3×2 pixels, without loss. */
const still = (
  await sharp(Uint8Array.from(colours), { raw: { width: 3, height: 2, channels: 3 } })
    .webp({ lossless: true })
    .toBuffer()
).subarray(12);
const white = [255, 255, 255];

test("WebP: simple and extended, still and moving, at its place on its canvas", async () => {
  const plain = await decodeAsFile(webpFile(still));
  assert.deepEqual([plain.width, plain.height, plain.channels, ...plain.data], [3, 2, 3, ...colours]);
  assert.deepEqual(await decodeAsFile(webpFile(vp8x(0, 3, 2), still, riffChunk("XMP ", Buffer.from("a")))), plain);
  const anim = riffChunk("ANIM", Buffer.from([1, 2, 3, 255, 0, 0]));
  const moving = webpFile(vp8x(2, 3, 2), anim, anmf(0, 0, 3, 2, still), anmf(0, 0, 3, 2, still));
  assert.deepEqual(await decodeAsFile(moving), plain);
  const placed = await decodeAsFile(webpFile(vp8x(2, 5, 3), anim, anmf(2, 0, 3, 2, still)));
  const rows = [white, white, colours.slice(0, 9), white, white, colours.slice(9), white, white, white, white, white];
  assert.deepEqual([placed.width, placed.height, ...placed.data], [5, 3, ...rows.flat()]);
});

test("WebP: alpha of both kinds lies on white", async () => {
  const rgba = Uint8Array.of(10, 20, 30, 255, 10, 20, 30, 0, 100, 0, 200, 51, 9, 9, 9, 255);
  const picture = sharp(rgba, { raw: { width: 4, height: 1, channels: 4 } });
  const lossless = await decodeAsFile(await picture.clone().webp({ lossless: true, exact: true }).toBuffer());
  assert.deepEqual([...lossless.data], [10, 20, 30, ...white, 224, 204, 244, 9, 9, 9]);
  const wide = picture.clone().resize(64, 16, { kernel: "nearest" });
  const lossy = await wide.webp({ quality: 95, alphaQuality: 100 }).toBuffer();
  assert.ok(lossy.includes("ALPH") && lossy.includes("VP8 "));
  const { width, data } = await decodeAsFile(lossy);
  const middles = [8, 24, 40, 56].flatMap((x) => [...data.subarray(3 * (8 * width + x), 3 * (8 * width + x) + 3)]);
  // Areas of 16×16 pixels of one colour, with a quarter of the chrominances' resolution.
  const error = Math.max(...middles.map((value, i) => Math.abs(value - (lossless.data[i] as number))));
  assert.ok(error <= 8, `${middles}`);
});

test("WebP: upright by its EXIF, with and without the prefix of JPEG", async () => {
  for (const prefix of ["", "Exif\0\0"]) {
    const file = webpFile(vp8x(8, 3, 2), still, riffChunk("EXIF", Buffer.concat([Buffer.from(prefix), exif(6)])));
    assert.equal(inspectImage(file).header.orientation, 6);
    const { width, height, data } = await decodeAsFile(file);
    assert.deepEqual(
      [width, height, ...data],
      [2, 3, ...[3, 0, 4, 1, 5, 2].flatMap((i) => colours.slice(3 * i, 3 * i + 3))],
    );
  }
});

test("WebP: files that contradict their format", async () => {
  await assertRefused(webpFile(), /WebP image, got a damaged one \(it has no image\)/);
  await assertRefused(webpFile(riffChunk("VP8X", Buffer.alloc(4)), still), /VP8X chunk is too short/);
  await assertRefused(webpFile(vp8x(0, 2, 2), still), /reaches out of the canvas of 2×2|3×2 pixels where/);
  await assertRefused(webpFile(vp8x(0, 30, 20), still), /3×2 pixels where its header says 30×20/);
  await assertRefused(webpFile(vp8x(2, 4, 2), anmf(2, 0, 3, 2, still)), /reaches out of the canvas of 4×2/);
  await assertRefused(webpFile(vp8x(2, 4, 2), anmf(0, 0, 4, 2, still)), /3×2 pixels where its header says 4×2/);
  await assertRefused(webpFile(vp8x(2, 4, 2), riffChunk("ANMF", Buffer.alloc(3))), /first frame is too short/);
  await assertRefused(webpFile(riffChunk("VP8L", Buffer.alloc(9))), /no signature/);
  await assertRefused(webpFile(riffChunk("VP8 ", Buffer.alloc(20))), /no key frame/);
  const long = Buffer.from(still);
  long.writeUInt32LE(still.length, 4);
  await assertRefused(webpFile(long), /the chunk "VP8L" exceeds its container/);
  await assertRefused(
    webpFile(still.subarray(0, 8 + still.readUInt32LE(4) - 8).fill(0, 13)),
    /WebP image, got a damaged one/,
  );
});
