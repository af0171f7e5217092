import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { ShapeError } from "../errors.ts";
import { fillWords, randomStream } from "../random.ts";
import { decodeImage } from "./decode.ts";
import type { Image } from "./image.ts";
import { createResizer } from "./resize.ts";

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
  readonly pattern: readonly { readonly from: readonly [number, number, 1 | 3]; readonly resized: Resized }[];
}

function sha256(parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function resizeAll(images: readonly Image[], [width, height]: Resized["to"]): Uint8Array[] {
  const [first] = images as [Image];
  const resize = createResizer(first, { width, height });
  return images.map(({ data }) => {
    const target = new Uint8Array(width * height * first.channels);
    resize(data, target);
    return target;
  });
}

function assertAsPillow(images: readonly Image[], expected: Resized): void {
  const results = resizeAll(images, expected.to);
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
    const [width, height, channels] = from;
    const data = Uint8Array.from({ length: width * height * channels }, (_, i) => (37 * i * i + 11 * i) % 251);
    test(`pattern ${from.join("×")} → ${resized.to.join("×")}`, () => {
      assertAsPillow([{ width, height, channels, data }], resized);
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
      const source = Uint8Array.from({ length: from.width * from.height * 3 }, (_, j) => [255, 0, i % 256][j % 3] ?? 0);
      const target = new Uint8Array(to.width * to.height * 3);
      createResizer(from, to)(source, target);
      assert.ok(
        target.every((value, j) => value === source[j % 3]),
        JSON.stringify({ from, to }),
      );
    }
  });

  test("flipping commutes with resizing, and channels do not mix", () => {
    const [width, height] = [23, 17];
    const source = Uint8Array.from({ length: width * height * 3 }, (_, i) => (words[i % 400] as number) >>> 24);
    const reversed = Uint8Array.from(source).reverse();
    const channel = source.filter((_, i) => i % 3 === 1);
    for (const to of [
      { width: 41, height: 34 },
      { width: 5, height: 40 },
      { width: 11, height: 3 },
    ]) {
      const [a, b, c] = [
        new Uint8Array(to.width * to.height * 3),
        new Uint8Array(to.width * to.height * 3),
        new Uint8Array(to.width * to.height),
      ];
      const resize = createResizer({ width, height, channels: 3 }, to);
      resize(source, a);
      resize(reversed, b);
      createResizer({ width, height, channels: 1 }, to)(channel, c);
      assert.deepEqual(b.reverse(), a);
      assert.deepEqual(
        c,
        a.filter((_, i) => i % 3 === 1),
      );
    }
  });

  test("a buffer of another size is refused", () => {
    const resize = createResizer({ width: 4, height: 4, channels: 3 }, { width: 2, height: 2 });
    assert.throws(
      () => resize(new Uint8Array(47), new Uint8Array(12)),
      new ShapeError("resize: source: expected 48 bytes, got 47"),
    );
    assert.throws(
      () => resize(new Uint8Array(48), new Uint8Array(13)),
      new ShapeError("resize: target: expected 12 bytes, got 13"),
    );
  });
});
