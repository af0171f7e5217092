import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ConfigError, ShapeError } from "../../errors.ts";
import { decodeImage, encodePng } from "../files/decode.ts";
import type { Image } from "../image.ts";
import { createFit, fitNames } from "./fit.ts";
import { createFitter } from "./fitter.ts";
import { createPreprocessor, type Preprocessing } from "./preprocess.ts";

const photo = await decodeImage("test/golden/raccoon.jpg");

function preprocess(image: Image, preprocessing: Preprocessing): Float32Array {
  const target = new Float32Array(preprocessing.channels * preprocessing.size[0] * preprocessing.size[1]);
  createPreprocessor(preprocessing)(image, target, 0);
  return target;
}

/** A preprocessing whose values are the 8-bit pixels themselves. */
function unscaled(channels: 1 | 3, width: number, height: number): Preprocessing {
  const [mean, deviation] = [new Array(channels).fill(0), new Array(channels).fill(1 / 255)];
  return { size: [height, width], channels, fit: { kind: "resize" }, resize: "bilinear", mean, deviation };
}

function plane(values: Float32Array, channel: number): Float32Array {
  return values.subarray((channel * values.length) / 3, ((channel + 1) * values.length) / 3);
}

function grey(width: number, height: number): Image {
  return {
    width,
    height,
    channels: 1,
    data: Uint8Array.from({ length: width * height }, (_, i) => (i * i * 37) % 251),
  };
}

describe("createPreprocessor", () => {
  test("colour to one channel: Pillow's luma, then Pillow's resize", async () => {
    const { luma } = JSON.parse(await readFile("test/golden/resize.json", "utf8"));
    const sha256 = (values: Float32Array) =>
      createHash("sha256").update(Uint8Array.from(values, Math.round)).digest("hex");
    assert.equal(sha256(preprocess(photo, unscaled(1, photo.width, photo.height))), luma.sha256);
    for (const { to, sha256: expected } of luma.resized) {
      assert.equal(sha256(preprocess(photo, unscaled(1, to[0], to[1]))), expected);
    }
  });

  test("grey to three channels: one plane three times, each on its channel's scale", () => {
    const image = grey(19, 13);
    const [mean, deviation] = [[0.485, 0.456, 0.406] as const, [0.229, 0.224, 0.225] as const];
    const values = preprocess(image, {
      size: [31, 20],
      channels: 3,
      fit: { kind: "resize" },
      resize: "bilinear",
      mean,
      deviation,
    });
    const pixels = preprocess(image, unscaled(1, 20, 31)).map(Math.round);
    for (const c of [0, 1, 2] as const) {
      const expected = Float32Array.from(pixels, (pixel) => (pixel / 255 - mean[c]) / deviation[c]);
      assert.deepEqual(plane(values, c), expected);
    }
  });

  test("colour to three channels: planes of R, G and B", () => {
    const values = preprocess(photo, unscaled(3, photo.width, photo.height));
    for (const c of [0, 1, 2]) {
      const channel = photo.data.filter((_, i) => i % 3 === c);
      assert.deepEqual(Uint8Array.from(plane(values, c), Math.round), channel);
    }
  });

  test("one function for many sizes gives what one made for each gives, and writes nowhere else", () => {
    const preprocessing: Preprocessing = {
      size: [9, 11],
      channels: 1,
      fit: { kind: "resize" },
      resize: "bilinear",
      mean: [0.3],
      deviation: [0.2],
    };
    const shared = createPreprocessor(preprocessing);
    for (const image of [grey(5, 7), photo, grey(5, 7), grey(7, 5), photo, grey(photo.width, photo.height)]) {
      const target = new Float32Array(3 * 99).fill(7);
      shared(image, target, 99);
      assert.deepEqual(target.subarray(99, 198), preprocess(image, preprocessing));
      assert.ok([...target.subarray(0, 99), ...target.subarray(198)].every((value) => value === 7));
    }
  });

  test("an image and its PNG file give the same numbers to the bit", async () => {
    const folder = await mkdtemp(join(tmpdir(), "alexnet-preprocess-"));
    try {
      const preprocessing: Preprocessing = {
        size: [67, 67],
        channels: 1,
        fit: { kind: "resize" },
        resize: "bilinear",
        mean: [0.286],
        deviation: [0.353],
      };
      for (const [name, image] of Object.entries({ grey: grey(28, 28), photo })) {
        const path = join(folder, `${name}.png`);
        await writeFile(path, await encodePng(image));
        assert.deepEqual(preprocess(await decodeImage(path), preprocessing), preprocess(image, preprocessing));
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("sizes that do not fit are refused", () => {
    const prepare = createPreprocessor(unscaled(1, 4, 4));
    const image = grey(3, 3);
    assert.throws(() => prepare(image, new Float32Array(20), 5), ShapeError);
    assert.throws(() => prepare(image, new Float32Array(20), -1), ShapeError);
    assert.throws(() => prepare({ ...image, channels: 3 }, new Float32Array(16), 0), ShapeError);
    assert.throws(() => createPreprocessor({ ...unscaled(3, 4, 4), mean: [0] }), ShapeError);
  });
});

describe("createPreprocessor: fits and mean images", () => {
  const meanImage = (length: number) =>
    Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 53) % 256)).toString("base64");

  test("what has been fitted before gives the same numbers to the bit", () => {
    for (const name of fitNames.filter((fit) => fit !== "native")) {
      for (const image of [photo, grey(300, 40), grey(7, 5), grey(64, 64)]) {
        for (const channels of [1, 3] as const) {
          const fit = createFit(name, { width: 64, height: 64 });
          const preprocessing: Preprocessing = { ...unscaled(channels, 64, 64), fit, resize: "bicubic" };
          const fitted = createFitter(preprocessing)(image);
          const kept = { ...fitted, data: Uint8Array.from(fitted.data) };
          assert.deepEqual(preprocess(kept, preprocessing), preprocess(image, preprocessing), name);
        }
      }
    }
  });

  test("mean image: its levels, in the middle of the frame in evaluation", () => {
    const fit = { kind: "crop", shorterSide: 70 } as const;
    const preprocessing: Preprocessing = { ...unscaled(3, 64, 64), fit };
    const levels = Buffer.from(meanImage(3 * 70 * 70), "base64");
    const values = preprocess(photo, { ...preprocessing, meanImage: meanImage(3 * 70 * 70) });
    const without = preprocess(photo, preprocessing);
    for (let i = 0; i < values.length; i++) {
      const [c, y, x] = [Math.floor(i / 4096), Math.floor(i / 64) % 64, i % 64];
      const level = levels[(c * 70 + y + 3) * 70 + x + 3] as number;
      assert.equal(Math.round((without[i] as number) - (values[i] as number)), level);
    }
  });

  test("mean images of other sizes are refused, as is one where images have no one size", () => {
    const preprocessing = unscaled(3, 64, 64);
    assert.throws(
      () => createPreprocessor({ ...preprocessing, meanImage: meanImage(3 * 64 * 63) }),
      new ShapeError("preprocess: mean image: expected 3×64×64 levels, got 12096"),
    );
    assert.throws(
      () => createPreprocessor({ ...preprocessing, fit: { kind: "pad" }, meanImage: meanImage(3 * 64 * 64) }),
      new ShapeError("preprocess: mean image: expected none, since images keep their own size, got 12288"),
    );
  });

  test("native resizes images of another size, as resize does", () => {
    const native = preprocess(photo, { ...unscaled(3, 64, 64), fit: { kind: "native" } });
    assert.deepEqual(native, preprocess(photo, { ...unscaled(3, 64, 64), fit: { kind: "resize" } }));
  });

  test("fits that do not go with the size", () => {
    const fit = { kind: "crop", shorterSide: 70 } as const;
    assert.throws(() => createPreprocessor({ ...unscaled(3, 64, 63), fit }), ConfigError);
    assert.throws(() => createPreprocessor({ ...unscaled(3, 71, 71), fit }), ConfigError);
  });
});
