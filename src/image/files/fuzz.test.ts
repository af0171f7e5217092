// Runs alone: it holds limits of time.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import sharp from "sharp";
import { decodeAsFile } from "../../../test/decoded.ts";
import {
  anmf,
  exif,
  gifFile,
  jpegSegment,
  restartJpeg,
  riffChunk,
  vp8x,
  webpFile,
} from "../../../test/otherImageFiles.ts";
import { bmpFile } from "../../../test/tiffBmpHeifFiles.ts";
import { DataError } from "../../errors.ts";
import { fillWords, randomStream } from "../../random.ts";
import { crc32 } from "./crc32.ts";

const MUTATIONS = 2000;
/** A change of size can make 64 megapixels of an image, which take a second or two on an idle machine. */
const LIMIT_MS = 30_000;

const small = sharp(await readFile("test/golden/raccoon.jpg")).resize(24, 17);
const withExif = (jpeg: Buffer) => {
  const app1 = jpegSegment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), exif(6)]));
  return Buffer.concat([jpeg.subarray(0, 2), app1, jpeg.subarray(2)]);
};
const lossless = (await small.clone().webp({ lossless: true }).toBuffer()).subarray(12);
const runs = [4, 7, 0, 0, 0, 4, 1, 2, 3, 4, 0, 0, 2, 5, 0, 2, 1, 0, 1, 6, 0, 1];
const dots = { left: 1, top: 0, width: 3, height: 2, pixels: [0, 1, 2, 3, 2, 1], transparent: 1, isInterlaced: true };

/** Small files of each kind: what is changed in them is often a header. */
const seeds: Readonly<Record<string, Buffer>> = {
  "baseline JPEG": withExif(await small.clone().jpeg({ quality: 40 }).toBuffer()),
  "4:4:4 JPEG": await small.clone().jpeg({ quality: 40, chromaSubsampling: "4:4:4" }).toBuffer(),
  "progressive JPEG": await small.clone().jpeg({ quality: 40, progressive: true }).toBuffer(),
  "CMYK JPEG": await small.clone().toColourspace("cmyk").jpeg({ quality: 40 }).toBuffer(),
  "restart JPEG": restartJpeg([3, 255, 128, 77]),
  PNG: await small.clone().png().toBuffer(),
  "interlaced 16-bit PNG": await small.clone().toColourspace("rgb16").png({ progressive: true }).toBuffer(),
  "palette PNG": await small.clone().png({ palette: true, colours: 5 }).toBuffer(),
  "lossy WebP": await small.clone().webp({ quality: 40 }).toBuffer(),
  "WebP with alpha": await small.clone().ensureAlpha(0.5).webp({ quality: 40 }).toBuffer(),
  "moving WebP": webpFile(vp8x(2, 30, 20), riffChunk("ANIM", Buffer.alloc(6)), anmf(2, 2, 24, 17, lossless)),
  GIF: await small.clone().gif({ colours: 16 }).toBuffer(),
  "interlaced GIF": gifFile([5, 3], dots, dots),
  "TIFF with LZW": await small.clone().tiff({ compression: "lzw", predictor: "horizontal" }).toBuffer(),
  "TIFF of JPEG tiles": await small.clone().tiff({ compression: "jpeg", tile: true, tileWidth: 16 }).toBuffer(),
  "1-bit TIFF": await small
    .clone()
    .threshold()
    .toColourspace("b-w")
    .tiff({ compression: "ccittfax4", bitdepth: 1 })
    .toBuffer(),
  BMP: bmpFile({ width: 24, height: 17, bits: 24 }, await small.clone().raw().toBuffer()),
  "BMP with run lengths": bmpFile({ width: 4, height: 3, bits: 8, compression: 1 }, new Uint8Array(1024).fill(9), runs),
  AVIF: await small.clone().avif({ quality: 40, effort: 0 }).toBuffer(),
  "AVIF with alpha": await small.clone().ensureAlpha(0.5).avif({ quality: 40, effort: 0 }).toBuffer(),
};

/** The file with one to four changes: a bit, a byte, a piece lost, doubled or moved, a few bytes of extreme value. */
function mutated(file: Buffer, words: Uint32Array): Buffer {
  let bytes = Buffer.from(file);
  const draws = [...words];
  const draw = (limit: number) => (draws.pop() as number) % limit;
  for (let changes = 1 + draw(4); changes > 0; changes--) {
    const [kind, at, length] = [draw(6), draw(bytes.length), 1 + draw(12)];
    const piece = bytes.subarray(at, at + length);
    if (kind === 0) bytes[at] = (bytes[at] as number) ^ (1 << (length % 8));
    else if (kind === 1) bytes[at] = draw(256);
    else if (kind === 2) piece.fill([0, 255, 127, 128][draw(4)] as number);
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    else if (kind === 4) bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    else bytes.set(piece, draw(bytes.length - piece.length));
  }
  return bytes;
}

/** A PNG with corrected checksums, as far as its chunks can be parsed; otherwise no mutation would get past them. */
function withChecksums(png: Buffer): Buffer {
  const bytes = Buffer.from(png);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at);
    if (end + 4 > bytes.length) break;
    bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end)), end);
    at = end + 4;
  }
  return bytes;
}

describe(`${MUTATIONS} changed files: each is a whole image or a DataError, soon`, () => {
  const names = Object.keys(seeds);
  for (const [number, name] of names.entries()) {
    test(name, async () => {
      const words = new Uint32Array(40);
      const seed = seeds[name] as Buffer;
      await decodeAsFile(seed);
      for (let i = number; i < MUTATIONS; i += names.length) {
        fillWords(randomStream(1, "fuzz.test"), i, words);
        const changed = mutated(seed, words);
        const file = name.includes("PNG") && (i / names.length) % 4 < 3 ? withChecksums(changed) : changed;
        const begin = performance.now();
        await decodeAsFile(file).then(
          ({ width, height, channels, data }) => {
            assert.ok(width > 0 && height > 0 && (channels === 1 || channels === 3));
            assert.equal(data.length, width * height * channels, `${name}, ${i}`);
          },
          (error: unknown) => {
            assert.ok(error instanceof DataError, `${name}, ${i}: ${error}`);
            assert.match(error.message, /^\S+picture: expected [^\n]*$/, `${name}, ${i}`);
          },
        );
        const elapsed = performance.now() - begin;
        assert.ok(elapsed < LIMIT_MS, `${name}, ${i}: ${elapsed} ms`);
      }
    });
  }
});
