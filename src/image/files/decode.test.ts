import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import sharp, { type Sharp } from "sharp";
import { decodeAsFile } from "../../../test/decoded.ts";
import type { Image } from "../image.ts";
import { decodeImage, encodePng } from "./decode.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-decode-"));
});
after(() => rm(folder, { recursive: true }));

const photo = await readFile("test/golden/raccoon.jpg");

function pattern(width: number, height: number, channels: 1 | 3): Image {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => (37 * i * i + 11 * i) % 251);
  return { width, height, channels, data };
}

function asSharp({ data, width, height, channels }: Image): Sharp {
  return sharp(data, { raw: { width, height, channels } });
}

describe("decodeImage", () => {
  test("what encodePng writes is read again, grey and colour", async () => {
    for (const channels of [1, 3] as const) {
      const image = pattern(31, 17, channels);
      const path = join(folder, "written.png");
      await writeFile(path, await encodePng(image));
      assert.deepEqual(await decodeImage(path), image);
      assert.equal((await sharp(path).metadata()).channels, channels);
    }
  });

  test("the content counts, not the name", async () => {
    const path = join(folder, "really-a-jpeg.png");
    await writeFile(path, photo);
    assert.deepEqual(await decodeImage(path), await decodeImage("test/golden/raccoon.jpg"));
  });

  test("an image turned by EXIF comes upright", async () => {
    const image = pattern(3, 2, 3);
    const pixel = (i: number) => [...image.data.subarray(3 * i, 3 * i + 3)];
    // Orientation 6: rows of the file are columns of the image, from the right.
    const turned = await decodeAsFile(await asSharp(image).withMetadata({ orientation: 6 }).png().toBuffer());
    assert.deepEqual([turned.width, turned.height], [2, 3]);
    assert.deepEqual([...turned.data], [3, 0, 4, 1, 5, 2].flatMap(pixel));
  });

  test("transparent parts lie on white", async () => {
    const pixels = Uint8Array.of(10, 20, 30, 255, 10, 20, 30, 0, 100, 0, 200, 51);
    const png = await sharp(pixels, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const { channels, data } = await decodeAsFile(png);
    assert.equal(channels, 3);
    // Opaque as it is; clear is white; 51/255 = 1/5 of the colour and 4/5 of white.
    assert.deepEqual([...data], [10, 20, 30, 255, 255, 255, 224, 204, 244]);
  });

  test("grey with transparency stays grey", async () => {
    const rgba = Uint8Array.of(10, 10, 10, 255, 10, 10, 10, 0);
    const png = await sharp(rgba, { raw: { width: 2, height: 1, channels: 4 } })
      .toColourspace("b-w")
      .png()
      .toBuffer();
    const { channels, data } = await decodeAsFile(png);
    assert.deepEqual([channels, ...data], [1, 10, 255]);
  });

  test("a palette becomes RGB", async () => {
    const image = {
      width: 2,
      height: 2,
      channels: 3,
      data: Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9),
    } as const;
    const png = await asSharp(image).png({ palette: true, colours: 4, dither: 0 }).toBuffer();
    assert.equal((await sharp(png).metadata()).isPalette, true);
    assert.deepEqual(await decodeAsFile(png), image);
  });

  test("one photo in every form is close to itself", async () => {
    const whole = await decodeAsFile(photo);
    const picture = () => asSharp(whole);
    const difference = async (bytes: Uint8Array) => {
      const { width, height, channels, data } = await decodeAsFile(bytes);
      assert.deepEqual([width, height, channels], [320, 240, 3]);
      return data.reduce((sum, value, i) => sum + Math.abs(value - (whole.data[i] as number)), 0) / data.length;
    };
    // Without loss, 16 bits included: widened by libvips to 257 times the value, whose high byte is the value.
    assert.equal(await difference(await picture().png().toBuffer()), 0);
    assert.equal(await difference(await picture().png({ progressive: true }).toBuffer()), 0);
    assert.equal(await difference(await picture().webp({ lossless: true }).toBuffer()), 0);
    assert.equal(await difference(await picture().toColourspace("rgb16").png().toBuffer()), 0);
    // With loss: what the encoders leave out at high quality, or with 256 colours.
    assert.ok((await difference(await picture().jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer())) < 2);
    assert.ok((await difference(await picture().jpeg({ quality: 95, progressive: true }).toBuffer())) < 3);
    assert.ok((await difference(await picture().webp({ quality: 95 }).toBuffer())) < 3);
    assert.ok((await difference(await picture().gif().toBuffer())) < 8);
  });

  test("grey versions of the photo keep one channel, which is its luminance", async () => {
    const colour = await decodeAsFile(photo);
    const grey = asSharp(colour).toColourspace("b-w");
    const eight = await decodeAsFile(await grey.clone().png().toBuffer());
    assert.deepEqual([eight.channels, eight.data.length], [1, 320 * 240]);
    const luminance = (i: number) =>
      [0.2126, 0.7152, 0.0722].reduce((sum, weight, c) => sum + weight * (colour.data[3 * i + c] as number), 0);
    const mean = eight.data.reduce((sum, value, i) => sum + Math.abs(value - luminance(i)), 0) / eight.data.length;
    // libvips weighs linear light, this the stored numbers: a few units apart where colours are strong.
    assert.ok(mean < 4, `${mean}`);
    const jpeg = await decodeAsFile(await grey.clone().jpeg({ quality: 95 }).toBuffer());
    assert.equal(jpeg.channels, 1);
    assert.ok(jpeg.data.every((value, i) => Math.abs(value - (eight.data[i] as number)) < 20));
    // 16 bits of other values than multiples of 257 keep their high byte, all 65,536 of them.
    const samples = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const raw = { width: 256, height: 256, channels: 1 } as const;
    const sixteen = await decodeAsFile(await sharp(samples, { raw }).toColourspace("grey16").png().toBuffer());
    assert.deepEqual([sixteen.channels, sixteen.data], [1, Uint8Array.from(samples, (sample) => sample >> 8)]);
  });

  test("a colour profile is not applied", async () => {
    const red = { width: 1, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0) } as const;
    const png = await asSharp(red).withIccProfile("p3").png().toBuffer();
    assert.ok((await sharp(png).metadata()).icc);
    // Display P3 writes the red of sRGB as (234, 51, 35), give or take a rounding; applied, it would be (255, 0, 0) again.
    const { data } = await decodeAsFile(png);
    assert.ok(
      [234, 51, 35].every((value, c) => Math.abs(value - (data[c] as number)) <= 1),
      `${data}`,
    );
  });
});
