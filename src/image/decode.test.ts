import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import sharp, { type Sharp } from "sharp";
import { decodeImage, encodePng } from "./decode.ts";
import type { Image } from "./image.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-decode-"));
});
after(() => rm(folder, { recursive: true }));

const photo = await readFile("test/golden/raccoon.jpg");

async function decodeBytes(bytes: Uint8Array): Promise<Image> {
  const path = join(folder, "picture");
  await writeFile(path, bytes);
  return decodeImage(path);
}

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

  test("a picture turned by EXIF comes upright", async () => {
    const image = pattern(3, 2, 3);
    const pixel = (i: number) => [...image.data.subarray(3 * i, 3 * i + 3)];
    // Orientation 6: rows of the file are columns of the picture, from the right.
    const turned = await decodeBytes(await asSharp(image).withMetadata({ orientation: 6 }).png().toBuffer());
    assert.deepEqual([turned.width, turned.height], [2, 3]);
    assert.deepEqual([...turned.data], [3, 0, 4, 1, 5, 2].flatMap(pixel));
  });

  test("transparent parts lie on white", async () => {
    const pixels = Uint8Array.of(10, 20, 30, 255, 10, 20, 30, 0, 100, 0, 200, 51);
    const png = await sharp(pixels, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const { channels, data } = await decodeBytes(png);
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
    const { channels, data } = await decodeBytes(png);
    assert.deepEqual([channels, ...data], [1, 10, 255]);
  });

  test("16 bits keep their high byte", async () => {
    const samples = Uint16Array.of(0x0000, 0x7f00, 0x8000, 0xffff);
    const raw = { width: 4, height: 1, channels: 1 } as const;
    const grey = await sharp(samples, { raw }).toColourspace("grey16").png().toBuffer();
    assert.equal((await sharp(grey).metadata()).depth, "ushort");
    const { channels, data } = await decodeBytes(grey);
    assert.deepEqual([channels, ...data], [1, 0x00, 0x7f, 0x80, 0xff]);
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
    assert.deepEqual(await decodeBytes(png), image);
  });

  test("CMYK becomes RGB, grey JPEG stays grey", async () => {
    const cmyk = await sharp(photo).toColourspace("cmyk").jpeg({ quality: 95 }).toBuffer();
    assert.equal((await sharp(cmyk).metadata()).channels, 4);
    const [colour, original] = [await decodeBytes(cmyk), await decodeBytes(photo)];
    assert.deepEqual([colour.channels, colour.width, colour.height], [3, 320, 240]);
    const error = colour.data.reduce((sum, value, i) => sum + Math.abs(value - (original.data[i] as number)), 0);
    // Out of gamut colours change; an inverted or wrongly ordered CMYK is off by more than 50 on average.
    assert.ok(error / colour.data.length < 12, `mean difference ${error / colour.data.length}`);
    const grey = await decodeBytes(await sharp(photo).toColourspace("b-w").jpeg().toBuffer());
    assert.deepEqual([grey.channels, grey.data.length], [1, 320 * 240]);
  });

  test("a colour profile is not applied", async () => {
    const red = { width: 1, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0) } as const;
    const png = await asSharp(red).withIccProfile("p3").png().toBuffer();
    assert.ok((await sharp(png).metadata()).icc);
    // Display P3 writes the red of sRGB as (234, 51, 35), give or take a rounding; applied, it would be (255, 0, 0) again.
    const { data } = await decodeBytes(png);
    assert.ok(
      [234, 51, 35].every((value, c) => Math.abs(value - (data[c] as number)) <= 1),
      `${data}`,
    );
  });
});
