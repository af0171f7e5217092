import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import sharp from "sharp";
import { decodeAsFile } from "../../../test/decoded.ts";
import { DataError } from "../../errors.ts";
import { decodeImage, encodePng } from "./decode.ts";
import { type ImageInput, nameOfInput, readImageInput } from "./imageInput.ts";

const path = "test/golden/raccoon.jpg";
const bytes = await readFile(path);
const image = await decodeImage(path);
const plain = (made: Awaited<ReturnType<typeof readImageInput>>) => ({ ...made, data: Buffer.from(made.data) });

test("a file by its path, its URL and its bytes of any kind", async () => {
  const { buffer, byteOffset, length } = bytes;
  const alone = Uint8Array.from(bytes);
  const shared = new SharedArrayBuffer(length);
  new Uint8Array(shared).set(bytes);
  const inputs: readonly (ImageInput | SharedArrayBuffer | DataView)[] = [
    path,
    pathToFileURL(resolve(path)),
    bytes,
    alone,
    new Uint8ClampedArray(alone),
    alone.buffer,
    shared,
    new DataView(buffer, byteOffset, length),
    new Blob([alone]),
    // An object of another realm, like in some test runners.
    runInNewContext("new Uint8Array(bytes)", { bytes: [...bytes] }),
  ];
  for (const [i, input] of inputs.entries()) {
    assert.deepEqual(plain(await readImageInput(input as ImageInput)), plain(image), `input ${i}`);
  }
  assert.deepEqual([nameOfInput(path), nameOfInput(bytes)], [path, "image"]);
});

const levels = (length: number) => Uint8Array.from({ length }, (_, i) => (i * i * 7 + 13 * i) & 255);

test("every level with every alpha on white, as the decoder of files does it", async () => {
  const data = Uint8Array.from({ length: 2 * 256 * 256 }, (_, i) => (i % 2 === 0 ? (i >> 1) & 255 : i >> 9));
  const raw = { width: 256, height: 256, channels: 2 } as const;
  const flat = await sharp(data, { raw }).flatten({ background: "white" }).extractChannel(0).raw().toBuffer();
  assert.deepEqual(plain(await readImageInput({ ...raw, data })).data, flat);
});

test("pixels of one to four channels are those of a PNG file of them", async () => {
  for (const channels of [1, 2, 3, 4] as const) {
    const raw = { width: 9, height: 7, channels } as const;
    const data = levels(9 * 7 * channels);
    const colourspace = channels < 3 ? "b-w" : "srgb";
    const file = await decodeAsFile(await sharp(data, { raw }).toColourspace(colourspace).png().toBuffer());
    assert.equal(file.channels, channels < 3 ? 1 : 3);
    for (const input of [
      { ...raw, data },
      { ...raw, channels: undefined, data: new Uint8ClampedArray(data) },
      { width: 9, height: 7, data: Buffer.from(data) },
    ]) {
      assert.deepEqual(plain(await readImageInput(input)), plain(file), `${channels} channels`);
    }
  }
  const read = await sharp(await encodePng(image))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  assert.deepEqual(plain(await readImageInput({ ...read.info, data: read.data })), plain(image));
});

test("what is none of these is a DataError that says what it is", async () => {
  const good = { width: 4, height: 3, channels: 3, data: new Uint8Array(36) };
  const cases: readonly (readonly [input: unknown, message: RegExp])[] = [
    [undefined, /^image: expected a path, .*, got undefined$/],
    [null, /got null$/],
    [7, /got number$/],
    [{}, /got Object$/],
    [[good], /got an array$/],
    [sharp(bytes), /got Sharp$/],
    [Promise.resolve(good), /got Promise$/],
    [new Float32Array(36), /got Float32Array$/],
    [new URL("https://example.org/cat.jpg"), /^https:\/\/example\.org\/cat\.jpg: expected a file: URL, got https:/],
    ["", /^: expected a JPEG/],
    ["none.jpg", /^none\.jpg: expected .* there is no such file$/],
    [new Uint8Array(0), /^image: expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF image, got an empty file/],
    [
      new Uint8Array(4800),
      /^image: expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF image, got a file that starts with/,
    ],
    [bytes.subarray(0, 9000), /^image: expected a complete JPEG image, got a truncated one/],
    [{ ...good, width: 0 }, /^image: width: expected a positive whole number, got 0$/],
    [{ ...good, height: -3 }, /^image: height: .* got -3$/],
    [{ ...good, width: 4.5 }, /^image: width: .* got 4\.5$/],
    [{ ...good, width: "4" }, /^image: width: .* got string$/],
    [{ ...good, width: Number.NaN }, /^image: width: .* got NaN$/],
    [{ ...good, channels: 5 }, /^image: channels: expected 1, 2, 3 or 4, got 5$/],
    [{ ...good, channels: "rgb" }, /^image: channels: .* got string$/],
    [{ ...good, channels: null, data: new Uint8Array(35) }, /^image: /],
    [{ ...good, channels: 4 }, /^image: data: expected 4×3×4 = 48 bytes, got 36, those of 3 channels$/],
    [{ ...good, channels: 1 }, /^image: data: expected 4×3×1 = 12 bytes, got 36, those of 3 channels$/],
    [{ ...good, data: new Uint8Array(48) }, /^image: data: expected 4×3×3 = 36 bytes, got 48, those of 4 channels$/],
    [{ ...good, data: new Uint8Array(35) }, /^image: data: expected 4×3×3 = 36 bytes, got 35$/],
    [{ ...good, data: new Uint8Array(37) }, /^image: data: expected 4×3×3 = 36 bytes, got 37$/],
    [
      { width: 4, height: 3, data: new Uint8Array(60) },
      /^image: data: expected 1, 2, 3 or 4 times 4×3 = 12 bytes, got 60$/,
    ],
    [{ ...good, data: new Uint8Array(0) }, /got 0$/],
    [{ ...good, data: new Float32Array(36) }, /^image: data: expected a Uint8Array of levels .*, got Float32Array/],
    [{ ...good, data: new Uint16Array(36) }, /got Uint16Array/],
    [{ ...good, data: Array(36).fill(0) }, /got an array/],
    [{ ...good, data: undefined }, /got undefined/],
  ];
  for (const [input, message] of cases) {
    await assert.rejects(readImageInput(input as ImageInput), (error: unknown) => {
      assert.ok(error instanceof DataError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});
