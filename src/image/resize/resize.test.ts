import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { fashionMnistFolder } from "../../../test/fashionMnistFolder.ts";
import { ShapeError } from "../../errors.ts";
import { fillWords, randomStream } from "../../random.ts";
import { decodeImage } from "../files/decode.ts";
import { type Image, type PixelSize, wholeOf } from "../image.ts";
import { createPlainPasses } from "./passes.ts";
import { createPassKernels } from "./passesModule.ts";
import { createResizer } from "./resize.ts";
import type { Filter } from "./taps.ts";

/** Pillow's results for the same pixels; see scripts/golden/resize.py. */
const golden: Golden = JSON.parse(await readFile("test/golden/resize.json", "utf8"));

interface Resized {
  readonly to: readonly [width: number, height: number];
  readonly sha256: string;
  readonly everyEighth: readonly number[];
}

interface Golden {
  readonly fashion: { readonly count: number; readonly resized: readonly Resized[] };
  readonly photo: { readonly sha256: string; readonly resized: readonly Resized[] };
  readonly bicubic: readonly Resized[];
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

/** One for all sizes, as in training. */
const resizers = { bilinear: createResizer("bilinear"), bicubic: createResizer("bicubic") };
/** The passes where WebAssembly is not available. */
const plain = {
  bilinear: createResizer("bilinear", createPlainPasses()),
  bicubic: createResizer("bicubic", createPlainPasses()),
};

/** Resizes in WebAssembly, and checks that JavaScript gives the same. */
function resize(image: Image, to: PixelSize, filter: Filter = "bilinear"): Uint8Array {
  const [target, expected] = [resizers, plain].map((each) => {
    const pixels = new Uint8ClampedArray(to.width * to.height * image.channels);
    each[filter](image, wholeOf(image), to, wholeOf(to), pixels);
    return new Uint8Array(pixels.buffer);
  }) as [Uint8Array, Uint8Array];
  assert.ok(Buffer.from(target).equals(expected), "WebAssembly and JavaScript differ");
  return target;
}

function assertAsPillow(images: readonly Image[], expected: Resized, filter: Filter = "bilinear"): void {
  const [width, height] = expected.to;
  const results = images.map((image) => resize(image, { width, height }, filter));
  const [first] = results as [Uint8Array];
  const step = Math.max(Math.floor(first.length / 8), 1);
  const sample = [...first].filter((_, i) => i % step === 0).slice(0, 8);
  assert.deepEqual(sample, expected.everyEighth);
  assert.equal(sha256(results), expected.sha256);
}

describe("createResizer: equal to Pillow to the bit", async () => {
  const idx = gunzipSync(await readFile(join(fashionMnistFolder, "t10k-images-idx3-ubyte.gz")));
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

  for (const resized of golden.bicubic) {
    test(`colour photo 320×240 → ${resized.to.join("×")}, bicubic`, () => assertAsPillow([photo], resized, "bicubic"));
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

  test("an image of one colour stays of one colour, at any two sizes", () => {
    for (let i = 0; i < 400; i += 4) {
      const from = { width: random(i, 300), height: random(i + 1, 60), channels: 3 } as const;
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

  test("a part of the result, and a window of the source, are what cropping after and before gives", () => {
    for (const filter of ["bilinear", "bicubic"] as const) {
      for (let i = 0; i < 400; i += 8) {
        const channels = i % 16 === 0 ? 1 : 3;
        const image = pattern([20 + random(i, 60), 20 + random(i + 1, 60), channels]);
        const window = {
          left: random(i + 2, 9),
          top: random(i + 3, 9),
          width: random(i + 4, 11),
          height: random(i + 5, 11),
        };
        const scaled = { width: 10 + random(i + 6, 80), height: 10 + random(i + 7, 80) };
        const kept = { left: i % 7, top: i % 5, width: scaled.width - 8, height: scaled.height - 6 };
        const target = new Uint8ClampedArray(kept.width * kept.height * channels);
        resizers[filter](image, window, scaled, kept, target);
        const whole = resize(crop(image, window), scaled, filter);
        const expected = crop({ ...scaled, channels, data: whole }, kept).data;
        assert.deepEqual(new Uint8Array(target.buffer), expected);
      }
    }
  });

  test("a part of a side of thousands or 200 million pixels; no size is taken for another", () => {
    const thin = pattern([2, 300, 3]);
    const scaled = { width: 5, height: 6000 };
    for (const filter of ["bilinear", "bicubic"] as const) {
      const whole = resize(thin, scaled, filter);
      for (const top of [0, 1, 2900, 5900]) {
        const kept = { left: 1, top, width: 3, height: 100 };
        const target = new Uint8ClampedArray(900);
        resizers[filter](thin, wholeOf(thin), scaled, kept, target);
        assert.deepEqual(new Uint8Array(target.buffer), crop({ ...scaled, channels: 3, data: whole }, kept).data);
      }
    }
    // The weights of all rows would take gigabytes.
    const line: Image = { width: 1, height: 800_000, channels: 1, data: new Uint8Array(800_000).fill(7) };
    const long = { width: 256, height: 256 * line.height };
    const target = new Uint8ClampedArray(256 * 256);
    const kept = { left: 0, top: long.height / 2, width: 256, height: 256 };
    resizers.bilinear(line, wholeOf(line), long, kept, target);
    assert.ok(target.every((value) => value === 7));
    // 4097 · 2^20 + 2^20 + 256 = 4098 · 2^20 + 256.
    const taller = { width: 1, height: 256 };
    const resizer = createResizer("bilinear");
    const first = pattern([1, 4097, 1]);
    resizer(first, wholeOf(first), { width: 1, height: 2 ** 20 + 256 }, { left: 0, top: 0, ...taller }, target);
    const second = pattern([1, 4098, 1]);
    resizer(second, wholeOf(second), taller, wholeOf(taller), target);
    assert.deepEqual(new Uint8Array(target.slice(0, 256)), resize(second, taller));
  });

  test("what does not fit together is refused", () => {
    const image = pattern([4, 4, 3]);
    const to = { width: 2, height: 2 };
    const resizer = createResizer("bilinear");
    const target = new Uint8ClampedArray(12);
    assert.throws(
      () => resizer({ ...image, data: new Uint8Array(47) }, wholeOf(image), to, wholeOf(to), target),
      new ShapeError("resize: source: expected 48 bytes for an image of 3×4×4, got 47"),
    );
    assert.throws(
      () => resizer(image, { left: 1, top: 0, width: 4, height: 4 }, to, wholeOf(to), target),
      new ShapeError("resize: window: expected a part of 4×4 pixels, got 4×4 at 1, 0"),
    );
    assert.throws(
      () => resizer(image, wholeOf(image), to, { left: 0, top: -1, width: 1, height: 1 }, target),
      new ShapeError("resize: kept part: expected a part of 2×2 pixels, got 1×1 at 0, -1"),
    );
    assert.throws(
      () => resizer(image, wholeOf(image), to, wholeOf(to), new Uint8ClampedArray(11)),
      new ShapeError("resize: target: expected room for 12 bytes, got 11"),
    );
  });
});

function crop({ width, channels, data }: Image, part: ReturnType<typeof wholeOf>): Image {
  const rows = Array.from({ length: part.height }, (_, y) => {
    const start = ((part.top + y) * width + part.left) * channels;
    return data.subarray(start, start + part.width * channels);
  });
  return { width: part.width, height: part.height, channels, data: new Uint8Array(Buffer.concat(rows)) };
}

test("the passes run in WebAssembly on every Node.js that is supported", () => {
  assert.ok(createPassKernels());
});
