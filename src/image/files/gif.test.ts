import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import { type GifImage, gifColours, gifFile } from "../../../test/otherImageFiles.ts";
import { fillWords, randomStream } from "../../random.ts";
import { lzwPixels } from "./gif.ts";
import { inspectImage } from "./readImageFile.ts";

const white = [255, 255, 255];
/** Pixels by the number of their colour; `undefined` is white. */
const pixelsOf = (...numbers: readonly (number | undefined)[]) =>
  numbers.flatMap((i) => (i === undefined ? white : [...(gifColours[i] as readonly number[])]));
const square: GifImage = { left: 0, top: 0, width: 2, height: 2, pixels: [0, 1, 2, 3] };

test("GIF: colours, transparency, rows that are interlaced", async () => {
  assert.deepEqual([...(await decodeAsFile(gifFile([2, 2], square))).data], pixelsOf(0, 1, 2, 3));
  const clear = await decodeAsFile(gifFile([2, 2], { ...square, transparent: 1 }));
  assert.deepEqual([clear.channels, ...clear.data], [3, ...pixelsOf(0, undefined, 2, 3)]);
  // Interlaced rows lie in the order 0, 4, 2, 1, 3 of five.
  const rows: GifImage = { ...square, width: 1, height: 5, pixels: [0, 1, 2, 3, 0], isInterlaced: true };
  const file = gifFile([1, 5], rows);
  assert.deepEqual([...(await decodeAsFile(file)).data], pixelsOf(0, 3, 2, 0, 1));
  assert.equal(inspectImage(file).header.isProgressive, true);
});

test("GIF: the first frame lies at its place on its canvas, white where it does not reach, other frames are not seen", async () => {
  const dot: GifImage = { left: 1, top: 1, width: 1, height: 1, pixels: [2] };
  const none = undefined;
  const { width, height, data } = await decodeAsFile(gifFile([3, 2], dot, square, { ...square, pixels: [3, 3, 3, 3] }));
  assert.deepEqual([width, height, ...data], [3, 2, ...pixelsOf(none, none, none, none, 2, none)]);
  // Some decoders interpret these sizes, which old programs wrote by mistake, differently.
  const screen = await decodeAsFile(gifFile([640, 480], dot));
  assert.deepEqual([screen.width, screen.height], [640, 480]);
  assert.deepEqual([...screen.data.subarray(3 * 641, 3 * 643)], pixelsOf(2, none));
  // A canvas that is too small grows.
  const small = await decodeAsFile(gifFile([1, 2], dot));
  assert.deepEqual([small.width, small.height, ...small.data], [2, 2, ...pixelsOf(none, none, none, 2)]);
});

test("GIF: moving ones that libvips writes give their first frame", async () => {
  const frames = await Promise.all(
    ["red", "lime", "blue"].map((background) =>
      sharp({ create: { width: 4, height: 3, channels: 3, background } })
        .png()
        .toBuffer(),
    ),
  );
  const file = await sharp(frames, { join: { animated: true } })
    .gif()
    .toBuffer();
  assert.equal((await sharp(file).metadata()).pages, 3);
  const { width, height, data } = await decodeAsFile(file);
  assert.deepEqual([width, height, ...data], [4, 3, ...new Array(12).fill(gifColours[0]).flat()]);
});

test("GIF: extensions are skipped, also an empty one before the trailer, and bytes after it", async () => {
  const plain = gifFile([2, 2], square);
  const comment = Buffer.of(0x21, 0xfe, 2, 0x3b, 0x2c, 0);
  const parts = [plain.subarray(0, 25), comment, plain.subarray(25, -1), comment, Buffer.of(0x21, 0xfe, 0, 0x3b)];
  const file = Buffer.concat(parts);
  const image = await decodeAsFile(plain);
  assert.deepEqual(await decodeAsFile(file), image);
  assert.deepEqual(await decodeAsFile(Buffer.concat([file, comment])), image);
  for (let length = 13; length < file.length; length++) {
    assert.throws(() => inspectImage(file.subarray(0, length)), /got a truncated one/);
  }
});

test("GIF: files that contradict their format", async () => {
  const plain = gifFile([2, 2], square);
  const image = plain.indexOf(0x2c, 25);
  const changed = (at: number, value: number) => {
    const copy = Buffer.from(plain);
    copy[at] = value;
    return copy;
  };
  await assertRefused(gifFile([2, 2]), /GIF image, got a damaged one \(it has no image\)/);
  await assertRefused(changed(image, 0x77), /no block at byte 25/);
  await assertRefused(gifFile([2, 2], { ...square, pixels: [0, 1, 2] }), /3 of 4 pixels/);
  await assertRefused(gifFile([2, 2], { ...square, width: 0 }), /at least 1, got 0×2/);
  await assertRefused(changed(image + 10, 9), /0 of 4 pixels/);
  await assertRefused(changed(10, 0x80), /damaged|truncated/);
  // Two colours of the table less, and their bytes too.
  const fewer = Buffer.concat([changed(10, 0x80).subarray(0, 19), plain.subarray(25)]);
  await assertRefused(fewer, /colour 3 of 2/);
  await assertRefused(Buffer.concat([changed(10, 0).subarray(0, 13), plain.subarray(25)]), /no colour table/);
});

test("lzwPixels: all pixels of files that another encoder compressed, and fewer where they are cut", async () => {
  const words = new Uint32Array(90 * 70);
  fillWords(randomStream(1, "gif.test"), 0, words);
  // Noise fills the table of codes and clears it; an even image has codes that are used at once.
  const noise = await sharp(Uint8Array.from(words), { raw: { width: 90, height: 70, channels: 1 } })
    .gif()
    .toBuffer();
  const even = await sharp({ create: { width: 300, height: 200, channels: 3, background: "teal" } })
    .gif()
    .toBuffer();
  for (const [file, pixels] of [
    [noise, 90 * 70],
    [even, 300 * 200],
  ] as const) {
    const { header } = inspectImage(file);
    assert.equal(header.width * header.height, pixels);
  }
  // Clear, 1, the code that is about to be known, which is 1 twice, end: 3 bits each, from the right.
  const data = Uint8Array.of(0b10_001_100, 0b101_1);
  assert.deepEqual(lzwPixels(2, data, 100), { pixels: 1 + 2, highest: 1 });
  assert.deepEqual(lzwPixels(2, data, 2), { pixels: 2, highest: 1 });
  assert.deepEqual(lzwPixels(2, data.subarray(0, 1), 100), { pixels: 1, highest: 1 });
  assert.deepEqual(lzwPixels(0, data, 100), { pixels: 0, highest: 0 });
});
