import assert from "node:assert/strict";
import { test } from "node:test";
import sharp, { type Sharp } from "sharp";
import { decodeAsFile } from "../../../test/decoded.ts";
import { idat, ihdr, type PngForm, pngFile } from "../../../test/pngFiles.ts";
import type { Image } from "../image.ts";
import { decodeImage } from "./decode.ts";

const plain = await decodeImage("test/golden/raccoon.jpg");
const { width, height } = plain;
/** The Y of YCC, the grey of photos. Source: ITU-R BT.601. */
const grey: Image = {
  width,
  height,
  channels: 1,
  data: Uint8Array.from({ length: width * height }, (_, i) =>
    Math.round([0.299, 0.587, 0.114].reduce((sum, weight, c) => sum + weight * (plain.data[3 * i + c] as number), 0)),
  ),
};

const asSharp = ({ channels, data }: Image): Sharp => {
  const picture = sharp(data, { raw: { width, height, channels } });
  return channels === 1 ? picture.toColourspace("b-w") : picture;
};

/** The levels by which samples differ: the most, and the mean. */
async function difference(file: Uint8Array, wanted: Image): Promise<{ readonly most: number; readonly mean: number }> {
  const image = await decodeAsFile(file);
  assert.deepEqual([image.width, image.height, image.channels], [width, height, wanted.channels]);
  const levels = image.data.map((value, i) => Math.abs(value - (wanted.data[i] as number)));
  return { most: levels.reduce((a, b) => Math.max(a, b)), mean: levels.reduce((a, b) => a + b, 0) / levels.length };
}

/** The image as a PNG of 16 bits whose low bytes are noise. */
function sixteenBits({ channels, data }: Image): Uint8Array {
  const form: PngForm = { width, height, bitDepth: 16, colourType: channels === 1 ? 0 : 2 };
  const low = (i: number) => (i * i * 31 + 7 * i) & 255;
  const sample = (x: number, y: number, c: number) => {
    const i = channels * (y * width + x) + c;
    return 256 * (data[i] as number) + low(i);
  };
  return pngFile(ihdr(form), idat(form, sample));
}

test("the photo in 16 bits is the photo, whatever the low bytes", async () => {
  // 0: the high byte is the level.
  for (const image of [plain, grey]) assert.equal((await difference(sixteenBits(image), image)).most, 0);
  assert.equal((await difference(await asSharp(plain).toColourspace("rgb16").png().toBuffer(), plain)).most, 0);
});

test("the grey photo is one channel of the same photo as RGB", async () => {
  const threefold: Image = {
    ...plain,
    data: Uint8Array.from(plain.data, (_, i) => grey.data[Math.floor(i / 3)] as number),
  };
  // 0: PNG and lossless WebP keep levels, with three channels as with one.
  assert.equal((await difference(await asSharp(grey).png().toBuffer(), grey)).most, 0);
  assert.equal((await difference(await asSharp(threefold).png().toBuffer(), threefold)).most, 0);
  assert.equal((await difference(await asSharp(threefold).webp({ lossless: true }).toBuffer(), threefold)).most, 0);
  // Coefficients rounded to whole numbers: an error of 1/√12 a sample, of which 77,000 samples have a few times as much.
  const quality = { quality: 100, chromaSubsampling: "4:4:4" } as const;
  assert.ok((await difference(await asSharp(grey).jpeg(quality).toBuffer(), grey)).most <= 2);
  // Y is rounded once more on the way to RGB.
  assert.ok((await difference(await asSharp(threefold).jpeg(quality).toBuffer(), threefold)).most <= 2);
});

test("the photo as JPEG of YCC", async () => {
  const quality = { quality: 100, chromaSubsampling: "4:4:4" } as const;
  // Rounded coefficients as above, of three components that are mixed, blue with 1.77 of one of them.
  const ycc = await difference(await asSharp(plain).jpeg(quality).toBuffer(), plain);
  assert.ok(ycc.most <= 4 && ycc.mean < 0.5, JSON.stringify(ycc));
});
