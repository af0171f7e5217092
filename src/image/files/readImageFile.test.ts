// Runs alone: it holds limits of time.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import sharp from "sharp";
import { gifFile, jpegSegment, riffChunk, vp8x, webpFile } from "../../../test/otherImageFiles.ts";
import { ihdr, pngChunk, pngFile } from "../../../test/pngFiles.ts";
import { bmpFile, greyTiff, heifFile, ispe, tiffFile } from "../../../test/tiffBmpHeifFiles.ts";
import { DataError } from "../../errors.ts";
import { decodeImage } from "./decode.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-read-"));
});
after(() => rm(folder, { recursive: true }));

/** A file that begins with `start`, followed by zeros that take no space on disk. */
async function sparse(start: Uint8Array, size: number): Promise<string> {
  const path = join(folder, "sparse");
  const file = await open(path, "w");
  await file.write(start);
  await file.truncate(size);
  await file.close();
  return path;
}

/** The beginning of a file of 30,000×30,000 pixels, or of one that is nothing for other reasons; what is wrong with it. */
const starts: Readonly<Record<string, readonly [start: Uint8Array, message: RegExp]>> = {
  PNG: [
    pngFile(ihdr({ width: 30_000, height: 30_000, bitDepth: 8, colourType: 2 }), pngChunk("IDAT", [1, 2, 3])),
    /30000×30000/,
  ],
  JPEG: [
    Buffer.from([0xff, 0xd8, ...jpegSegment(0xc0, [8, 0x75, 0x30, 0x75, 0x30, 1, 1, 0x11, 0])]),
    /30000×30000 \(900 megapixels\)/,
  ],
  "progressive JPEG": [
    Buffer.from([0xff, 0xd8, ...jpegSegment(0xc2, [8, 0x75, 0x30, 0x75, 0x30, 1, 1, 0x11, 0])]),
    /30000×30000/,
  ],
  "extended WebP": [webpFile(vp8x(0, 30_000, 30_000)), /30000×30000/],
  "lossy WebP": [riff("VP8 ", "0000009d012aff3fff3f"), /16383×16383/],
  "lossless WebP": [riff("VP8L", "2fffffff0f0000000000"), /16384×16384/],
  "GIF's screen": [gifFile([30_000, 30_000]), /30000×30000/],
  "GIF's first image": [
    gifFile([9, 9], { left: 0, top: 0, width: 30_000, height: 30_000, pixels: [1] }).subarray(0, -2),
    /30000×30000/,
  ],
  TIFF: [tiffFile(greyTiff(30_000, 30_000)), /a TIFF image of at most 64 megapixels, got 30000×30000/],
  BMP: [bmpFile({ width: 30_000, height: 30_000, bits: 24 }), /a BMP image of at most 64 megapixels, got 30000×30000/],
  AVIF: [hugeAvif(), /an AVIF image of at most 25 megapixels, got 30000×30000/],
  "a broken PNG": [pngFile(ihdr({ width: 9, height: 9, bitDepth: 3, colourType: 2 })), /bit depth 3/],
  "a film": [Buffer.from("\0\0\0\x14ftypisom\0\0\0\0isom", "latin1"), /a video or other media file/],
  nothing: [Buffer.alloc(9), /a file that starts with "\.{8}"/],
};

/** An AVIF file of one image. */
function hugeAvif(): Buffer {
  return heifFile("avif", [{ type: "av01", data: Buffer.alloc(9), properties: [ispe(30_000, 30_000)] }]);
}

/** A WebP file whose only chunk announces 490 MB. */
function riff(type: string, hex: string): Buffer {
  const file = webpFile(riffChunk(type, Buffer.from(hex, "hex")));
  file.writeUInt32LE(490_000_000, 4);
  file.writeUInt32LE(489_999_988, 16);
  return file;
}

/** The header of a TIFF file whose directory is at a place. */
function lateTiff(place: number): Buffer {
  const header = Buffer.from("II*\0\0\0\0\0", "latin1");
  header.writeUInt32LE(place, 4);
  return header;
}

async function refuse(path: string, message: RegExp): Promise<void> {
  await assert.rejects(decodeImage(path), (error: unknown) => {
    assert.ok(error instanceof DataError, String(error));
    assert.match(error.message, message);
    assert.ok(error.message.startsWith(`${path}: expected `), error.message);
    return true;
  });
}

test("files of 500 MB are refused by their start, in no time and memory", async () => {
  await decodeImage("test/golden/raccoon.jpg");
  const kilobytes = process.resourceUsage().maxRSS;
  for (const [name, [start, message]] of Object.entries(starts)) {
    const path = await sparse(start, 500e6);
    const begin = performance.now();
    await refuse(path, message);
    // A few milliseconds on a machine that has nothing else to do.
    const elapsed = performance.now() - begin;
    assert.ok(elapsed < 1000, `${name}: ${elapsed} ms`);
  }
  const late = await sparse(lateTiff(500e6 - 300), 500e6);
  const file = await open(late, "r+");
  await file.write(tiffFile(greyTiff(30_000, 30_000)).subarray(8), 0, undefined, 500e6 - 300);
  await file.close();
  await refuse(late, /a TIFF image of at most 64 megapixels, got 30000×30000/);
  // One of the files would take 500 MB, one of the images 2.7 GB.
  const grown = process.resourceUsage().maxRSS - kilobytes;
  assert.ok(grown < 30_000, `${grown} KiB`);
});

test("a file larger than any image that is read, and one without an end", async () => {
  const jpeg = Buffer.concat([Buffer.of(0xff, 0xd8), jpegSegment(0xc0, [8, 0, 8, 0, 8, 1, 1, 0x11, 0])]);
  await refuse(await sparse(jpeg, 600e6), /an image file of at most 536 MB, got one of 600 MB; make the image smaller/);
  await refuse("/dev/zero", /a file that starts with/);
});

test("images of more than what is read first, from a file and from a pipe, which cannot be read twice", async () => {
  const photo = await sharp(await readFile("test/golden/raccoon.jpg"))
    .png()
    .toBuffer();
  assert.ok(photo.length > 100_000);
  const [path, pipe] = [join(folder, "photo.png"), join(folder, "pipe")];
  await writeFile(path, photo);
  const fromFile = await decodeImage(path);
  assert.deepEqual(new Uint8Array(await sharp(photo).raw().toBuffer()), Uint8Array.from(fromFile.data));
  execFileSync("mkfifo", [pipe]);
  spawn("sh", ["-c", 'cat "$0" > "$1"', path, pipe]);
  assert.deepEqual(await decodeImage(pipe), fromFile);
});
