// Runs beside others: the memory that it measures is its own.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import sharp from "sharp";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import {
  type GifImage,
  gifFile,
  jpegSegment,
  restartJpeg,
  riffChunk,
  vp8x,
  webpFile,
} from "../../../test/otherImageFiles.ts";
import { ihdr, type PngForm, pngChunk, pngFile } from "../../../test/pngFiles.ts";
import { bmpFile, greyTiff, tiffFile } from "../../../test/tiffBmpHeifFiles.ts";
import { DataError } from "../../errors.ts";
import { fillWords, randomStream } from "../../random.ts";
import { decodeImage } from "./decode.ts";
import { inspectImage } from "./readImageFile.ts";

const photo = await readFile("test/golden/raccoon.jpg");

const dot: GifImage = { left: 0, top: 0, width: 1, height: 1, pixels: [2] };

/** One small file of each kind that ends differently. */
async function files(): Promise<Readonly<Record<string, Buffer>>> {
  const small = sharp(photo).resize(20, 15);
  const [still, moving] = [small.clone().webp(), sharp([photo, photo], { join: { animated: true } }).resize(20, 30)];
  const exifWithMarks = { IFD0: { Copyright: "\xff\xd9 no end" } };
  return {
    "baseline JPEG": await small.clone().jpeg().toBuffer(),
    "progressive JPEG": await small.clone().jpeg({ progressive: true }).toBuffer(),
    "JPEG with EXIF": await small.clone().withExif(exifWithMarks).jpeg().toBuffer(),
    "grey JPEG": await small.clone().toColourspace("b-w").jpeg().toBuffer(),
    "CMYK JPEG": await small.clone().toColourspace("cmyk").jpeg().toBuffer(),
    "JPEG with restart marks": restartJpeg([1, 200, 30, 128, 90, 255]),
    "interlaced PNG": await small.clone().png({ progressive: true }).toBuffer(),
    "16-bit PNG": await small.clone().toColourspace("rgb16").png().toBuffer(),
    PNG: await small.clone().png().toBuffer(),
    "palette PNG": await small.clone().png({ palette: true }).toBuffer(),
    "lossy WebP": await still.toBuffer(),
    "lossless WebP": await small.clone().webp({ lossless: true }).toBuffer(),
    "WebP with EXIF": await small.clone().withExif(exifWithMarks).webp().toBuffer(),
    "WebP with alpha": await small.clone().ensureAlpha(0.5).webp().toBuffer(),
    "moving WebP": await moving.clone().webp().toBuffer(),
    "moving GIF": await moving.clone().gif().toBuffer(),
    "interlaced GIF": await small.clone().gif({ progressive: true }).toBuffer(),
    "small GIF": gifFile([1, 1], dot),
    TIFF: await small.clone().tiff({ compression: "none" }).toBuffer(),
    "TIFF of tiles": await small.clone().tiff({ compression: "deflate", tile: true, tileWidth: 16 }).toBuffer(),
    "TIFF of JPEG": await small.clone().tiff({ compression: "jpeg" }).toBuffer(),
    "TIFF with LZW": await small.clone().tiff({ compression: "lzw", predictor: "horizontal" }).toBuffer(),
    // Rows of 60 bytes need no fill.
    BMP: bmpFile({ width: 20, height: 15, bits: 24 }, await small.clone().raw().toBuffer()),
    AVIF: await small.clone().avif({ effort: 0 }).toBuffer(),
    "AVIF with alpha": await small.clone().ensureAlpha(0.5).avif({ effort: 0 }).toBuffer(),
  };
}

/** The rest of a file, made to look whole. */
function mended(cut: Buffer): Buffer {
  if (cut.length < 33) return cut;
  if (cut.toString("latin1", 1, 4) === "PNG") return pngFile(cut.subarray(8, 33), pngChunk("IDAT", cut.subarray(41)));
  if (cut.toString("latin1", 0, 3) === "GIF") return Buffer.concat([cut, Buffer.of(0, 0x3b)]);
  const parts: Buffer[] = [];
  for (let at = 12; at + 8 < cut.length; at += 9 + ((cut.readUInt32LE(at + 4) - 1) | 1)) {
    const end = at + 8 + cut.readUInt32LE(at + 4);
    parts.push(riffChunk(cut.toString("latin1", at, at + 4), cut.subarray(at + 8, end)));
  }
  return webpFile(...parts);
}

describe("decodeImage: files that are not an intact image", () => {
  test("no image that is read", async () => {
    await assertRefused("", /got an empty file; give an image in one of these formats$/);
    await assertRefused(
      "hello, world",
      /: expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF image, got a file that starts with "hello, w";/,
    );
    await assertRefused('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', /got an SVG drawing;/);
    await assertRefused("\xff\x0a", /got a file that starts with/);
    await assertRefused(Buffer.from("8BPS"), /got a Photoshop file;/);
    await assertRefused(photo.subarray(1), /got a file that starts with "\.\./);
  });

  test("missing file, folder", async () => {
    await assert.rejects(decodeImage(join("test", "none.png")), (error: unknown) => {
      assert.ok(error instanceof DataError);
      assert.match(
        error.message,
        /none\.png: expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF image, but there is no such file$/,
      );
      return true;
    });
    await assert.rejects(decodeImage("test"), DataError);
  });

  test("truncated anywhere; bytes after the end are allowed", async () => {
    for (const [name, bytes] of Object.entries(await files())) {
      const whole = await decodeAsFile(bytes);
      assert.deepEqual(await decodeAsFile(Buffer.concat([bytes, Buffer.from("trailing \xff bytes")])), whole, name);
      for (let length = 0; length < bytes.length; length++) {
        const expected =
          length < 18
            ? /^expected/
            : /^expected a complete \w+ image, got a truncated one \(\d+ bytes without its end\)/;
        const isExpected = (error: unknown) => error instanceof DataError && expected.test(error.message);
        assert.throws(() => inspectImage(bytes.subarray(0, length)), isExpected, name);
      }
      await assertRefused(bytes.subarray(0, bytes.length >> 1), /expected a complete \w+ image, got a truncated one/);
    }
  });

  test("cut at any percent and mended: lengths set right, an end given", async () => {
    const { PNG: png, "interlaced PNG": interlaced, "lossy WebP": lossy, "lossless WebP": lossless } = await files();
    const { "WebP with alpha": alpha, "moving GIF": gif } = await files();
    const all = { png, interlaced, lossy, lossless, alpha, gif } as Readonly<Record<string, Buffer>>;
    for (const [name, bytes] of Object.entries(all)) {
      const whole = await decodeAsFile(bytes);
      const percents = Array.from({ length: 33 }, (_, i) => Math.ceil((bytes.length * (3 * i + 1)) / 100));
      for (const missing of [1, 2, 3, 4, 5, 6, 7, 8, ...percents]) {
        const file = mended(bytes.subarray(0, bytes.length - missing));
        // The last bytes may be padding; libwebp does not notice either if they hold the last pixel.
        await decodeAsFile(file).then(
          (image) => {
            const changed = image.data.filter((value, i) => value !== whole.data[i]).length;
            assert.ok(missing <= 8 && changed <= 3, `${name}: ${missing} bytes less, ${changed} samples changed`);
          },
          (error: unknown) => assert.ok(error instanceof DataError),
        );
      }
    }
  });

  test("images that are too large or empty are refused by their header, in no time and memory", async () => {
    const kilobytes = process.resourceUsage().maxRSS;
    const huge: PngForm = { width: 30_000, height: 30_000, bitDepth: 8, colourType: 2 };
    const png = (form: PngForm) => pngFile(ihdr(form), pngChunk("IDAT", [1, 2, 3]));
    await assertRefused(
      png(huge),
      /PNG image of at most 64 megapixels, got 30000×30000 \(900 megapixels\); make the image smaller/,
    );
    await assertRefused(png({ ...huge, width: 2 ** 31 - 1, height: 2 ** 31 - 1 }), /at most 64 megapixels/);
    await assertRefused(
      png({ ...huge, width: 5001, height: 5000, isInterlaced: true }),
      /progressive or interlaced PNG image of at most 25/,
    );
    await assertRefused(png({ ...huge, width: 5000, height: 5000, isInterlaced: true }), /damaged/);
    await assertRefused(png({ ...huge, width: 10_000, height: 6401 }), /got 10000×6401 \(64\.1 megapixels\)/);
    await assertRefused(png({ ...huge, width: 0 }), /a width and a height of at least 1, got 0×30000/);
    const jpeg = (marker: number) =>
      Buffer.concat([Buffer.of(0xff, 0xd8), jpegSegment(marker, [8, 0x75, 0x30, 0x75, 0x30, 1, 1, 0x11, 0])]);
    await assertRefused(jpeg(0xc0), /a JPEG image of at most 64 megapixels, got 30000×30000/);
    await assertRefused(jpeg(0xc2), /a progressive or interlaced JPEG image of at most 25 megapixels/);
    await assertRefused(webpFile(vp8x(0, 30_000, 30_000)), /a WebP image of at most 64 megapixels, got 30000×30000/);
    const vp8 = riffChunk("VP8 ", Buffer.from("000000" + "9d012a" + "ff3fff3f", "hex"));
    await assertRefused(webpFile(vp8), /a WebP image of at most 64 megapixels, got 16383×16383/);
    await assertRefused(gifFile([30_000, 30_000]), /a GIF image of at most 64 megapixels, got 30000×30000/);
    await assertRefused(gifFile([0, 5], dot), /of at least 1, got 0×5/);
    const [frame, interlaced] = [
      { ...dot, width: 30_000, height: 30_000 },
      { ...dot, width: 6000, height: 5000, isInterlaced: true },
    ];
    await assertRefused(gifFile([1, 1], frame), /a GIF image of at most 64 megapixels, got 30000×30000/);
    await assertRefused(gifFile([1, 1], interlaced), /interlaced GIF image of at most 25 megapixels, got 6000×5000/);
    await assertRefused(tiffFile(greyTiff(30_000, 30_000)), /a TIFF image of at most 64 megapixels, got 30000×30000/);
    await assertRefused(bmpFile({ width: 30_000, height: 30_000, bits: 24 }), /a BMP image of at most 64 megapixels/);
    // One of these images decoded would take 2.7 GB.
    assert.ok(process.resourceUsage().maxRSS - kilobytes < 100_000);
  });

  test("a hole in the middle that keeps the end mark", async () => {
    const png = await sharp(photo).png().toBuffer();
    for (const bytes of [photo, png]) {
      for (const at of [0.3, 0.6, 0.9]) {
        const hole = Math.floor(at * bytes.length);
        await assertRefused(
          Buffer.concat([bytes.subarray(0, hole), bytes.subarray(hole + 500)]),
          /(damaged|truncated) one/,
        );
      }
    }
  });

  test("any flipped bit of a PNG is noticed; in a JPEG it is an error or an image of the same size", async () => {
    const words = new Uint32Array(240);
    fillWords(randomStream(2, "decode.test"), 0, words);
    const small = sharp(photo).resize(40, 30);
    const [png, jpeg] = [await small.clone().png().toBuffer(), await small.clone().jpeg().toBuffer()];
    for (let i = 0; i < words.length; i += 2) {
      const flip = (bytes: Uint8Array) => {
        const flipped = Uint8Array.from(bytes);
        const at = (words[i] as number) % bytes.length;
        flipped[at] = (flipped[at] as number) ^ (1 << ((words[i + 1] as number) % 8));
        return flipped;
      };
      await assertRefused(flip(png), /expected/);
      await decodeAsFile(flip(jpeg)).then(
        ({ width, height, channels, data }) => assert.equal(data.length, width * height * channels),
        (error: unknown) => assert.ok(error instanceof DataError),
      );
    }
  });
});
