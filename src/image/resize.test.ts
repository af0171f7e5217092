import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { ShapeError } from "../errors.ts";
import { fillWords, randomStream } from "../random.ts";
import { decodeImage } from "./decode.ts";
import type { Image } from "./image.ts";
import { createResizer, type PixelSize } from "./resize.ts";

/** What Pillow made of the same pixels; see scripts/golden/resize.py. */
const golden: Golden = JSON.parse(await readFile("test/golden/resize.json", "utf8"));

interface Resized {
  readonly to: readonly [width: number, height: number];
  readonly sha256: string;
  readonly everyEighth: readonly number[];
}

interface Golden {
  readonly fashion: { readonly count: number; readonly resized: readonly Resized[] };
  readonly photo: { readonly sha256: string; readonly resized: readonly Resized[] };
  readonly pattern: readonly { readonly from: Extents; readonly resized: Resized }[];
  readonly disc: readonly { readonly from: Extents; readonly background: number; readonly resized: Resized }[];
}

type Extents = readonly [width: number, height: number, channels: 1 | 3];

function sha256(parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** Byte i is (37 i² + 11 i) mod 251. */
function pattern([width, height, channels]: Extents): Image {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => (37 * i * i + 11 * i) % 251);
  return { width, height, channels, data };
}

/** The pattern on the largest ellipse, the background around it. */
function disc(extents: Extents, background: number): Image {
  const image = pattern(extents);
  const { width, height, channels, data } = image;
  for (let i = 0; i < data.length; i++) {
    const x = Math.floor(i / channels) % width;
    const y = Math.floor(i / channels / width);
    const distance = ((2 * x + 1 - width) * height) ** 2 + ((2 * y + 1 - height) * width) ** 2;
    if (distance >= (width * height) ** 2) data[i] = background;
  }
  return image;
}

/** Levels as they are. */
const levels = Float32Array.from({ length: 256 }, (_, level) => level);

/** The 8-bit picture of the other size, pixel by pixel. */
function resize({ width, height, channels, data }: Omit<Image, "channels"> & { channels: number }, to: PixelSize) {
  const plane = to.width * to.height;
  const planes = new Float32Array(channels * plane);
  createResizer({ width, height, channels }, to, new Array(channels).fill(levels))(data, planes, 0);
  return Uint8Array.from({ length: planes.length }, (_, i) => {
    return planes[(i % channels) * plane + Math.floor(i / channels)] as number;
  });
}

function assertAsPillow(images: readonly Image[], expected: Resized): void {
  const [width, height] = expected.to;
  const results = images.map((image) => resize(image, { width, height }));
  const [first] = results as [Uint8Array];
  const step = Math.max(Math.floor(first.length / 8), 1);
  const sample = [...first].filter((_, i) => i % step === 0).slice(0, 8);
  assert.deepEqual(sample, expected.everyEighth);
  assert.equal(sha256(results), expected.sha256);
}

describe("createResizer: equal to Pillow to the bit", async () => {
  const idx = gunzipSync(await readFile("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"));
  const clothes = Array.from({ length: golden.fashion.count }, (_, i): Image => {
    const data = new Uint8Array(idx.subarray(16 + 784 * i, 16 + 784 * (i + 1)));
    return { width: 28, height: 28, channels: 1, data };
  });
  for (const resized of golden.fashion.resized) {
    test(`Fashion-MNIST 28×28 → ${resized.to.join("×")}`, () => assertAsPillow(clothes, resized));
  }

  const photo = await decodeImage("test/golden/raccoon.jpg");
  test("the photo's pixels are those that Pillow read", () => assert.equal(sha256([photo.data]), golden.photo.sha256));
  for (const resized of golden.photo.resized) {
    test(`colour photo 320×240 → ${resized.to.join("×")}`, () => assertAsPillow([photo], resized));
  }

  for (const { from, resized } of golden.pattern) {
    test(`pattern ${from.join("×")} → ${resized.to.join("×")}`, () => assertAsPillow([pattern(from)], resized));
  }
  for (const { from, background, resized } of golden.disc) {
    test(`disc on ${background}, ${from.join("×")} → ${resized.to.join("×")}`, () => {
      assertAsPillow([disc(from, background)], resized);
    });
  }
});

describe("createResizer: properties", () => {
  const words = new Uint32Array(400);
  fillWords(randomStream(1, "resize.test"), 0, words);
  const random = (i: number, limit: number) => 1 + ((words[i] as number) % limit);

  test("a picture of one colour stays of one colour, at any two sizes", () => {
    for (let i = 0; i < 400; i += 4) {
      const from = { width: random(i, 300), height: random(i + 1, 60), channels: 3 };
      const to = { width: random(i + 2, 300), height: random(i + 3, 60) };
      const data = Uint8Array.from({ length: from.width * from.height * 3 }, (_, j) => [255, 0, i % 256][j % 3] ?? 0);
      assert.ok(
        resize({ ...from, data }, to).every((value, j) => value === data[j % 3]),
        JSON.stringify({ from, to }),
      );
    }
  });

  test("flipping commutes with resizing, and channels do not mix", () => {
    const [width, height] = [23, 17];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (words[i % 400] as number) >>> 24);
    const reversed = Uint8Array.from(data).reverse();
    const channel = data.filter((_, i) => i % 3 === 1);
    for (const to of [
      { width: 41, height: 34 },
      { width: 5, height: 40 },
      { width: 11, height: 3 },
    ]) {
      const resized = resize({ width, height, channels: 3, data }, to);
      assert.deepEqual(resize({ width, height, channels: 3, data: reversed }, to).reverse(), resized);
      assert.deepEqual(
        resize({ width, height, channels: 1, data: channel }, to),
        resized.filter((_, i) => i % 3 === 1),
      );
    }
  });

  test("each plane has its table's numbers, at its place and nowhere else", () => {
    const grey = pattern([9, 7, 1]);
    const tables = [0.5, -3, -3].map((factor) => levels.map((level) => factor * level));
    for (const to of [
      { width: 9, height: 7 },
      { width: 20, height: 30 },
      { width: 4, height: 5 },
    ]) {
      const target = new Float32Array(3 * to.width * to.height + 10).fill(Number.NaN);
      createResizer(grey, to, tables)(grey.data, target, 4);
      const resized = resize(grey, to);
      const expected = tables.flatMap((table) => Array.from(resized, (level) => table[level]));
      const around = (count: number) => new Array<number>(count).fill(Number.NaN);
      assert.deepEqual([...target], [...around(4), ...expected, ...around(6)]);
    }
  });

  test("a source of another size and a target without room are refused", () => {
    const resizer = createResizer({ width: 4, height: 4, channels: 3 }, { width: 2, height: 2 }, [
      levels,
      levels,
      levels,
    ]);
    assert.throws(
      () => resizer(new Uint8Array(47), new Float32Array(12), 0),
      new ShapeError("resize: source: expected 48 bytes, got 47"),
    );
    for (const [offset, end] of [
      [2, 14],
      [-1, 11],
    ] as const) {
      assert.throws(
        () => resizer(new Uint8Array(48), new Float32Array(13), offset),
        new ShapeError(`resize: target: expected room from ${offset} to ${end}, got 13 numbers`),
      );
    }
  });
});
