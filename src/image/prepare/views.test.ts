import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../errors.ts";
import { fillWords, randomStream } from "../../random.ts";
import type { Image } from "../image.ts";
import { createFit, type Fit, fitNames } from "./fit.ts";
import { createFitter } from "./fitter.ts";
import { createPreprocessor, type Preprocessing } from "./preprocess.ts";
import { tenCropViews, viewsOf } from "./views.ts";

const side = 5;

function noise(width: number, height: number, channels: 1 | 3): Image {
  const words = new Uint32Array(width * height * channels);
  fillWords(randomStream(1, "views"), 0, words);
  return { width, height, channels, data: Uint8Array.from(words, (word) => word >>> 24) };
}

function preprocessing(fit: Fit, channels: 1 | 3, more: Partial<Preprocessing> = {}): Preprocessing {
  const [mean, deviation] = [[0.4, 0.5, 0.6].slice(0, channels), [0.2, 0.3, 0.7].slice(0, channels)];
  return { size: [side, side], channels, fit, resize: "bilinear", mean, deviation, ...more };
}

/** A window of a fitted image, by the formula: (level / 255 − mean) / deviation, less the mean image, all in the precision of the input. */
function byHand(kept: Image, p: Preprocessing, left: number, top: number, flip: boolean): Float32Array {
  const levels = p.meanImage === undefined ? undefined : Buffer.from(p.meanImage, "base64");
  const values: number[] = [];
  for (let c = 0; c < p.channels; c++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const [column, row] = [left + (flip ? side - 1 - x : x), top + y];
        const pixel = kept.data[(row * kept.width + column) * kept.channels + (kept.channels === 3 ? c : 0)] as number;
        const d = p.deviation[c] as number;
        const value = Math.fround((pixel / 255 - (p.mean[c] as number)) / d);
        const level = levels?.[(c * kept.height + row) * kept.width + column];
        values.push(level === undefined ? value : value - Math.fround(level / 255 / d));
      }
    }
  }
  return Float32Array.from(values);
}

/** Left and top of what is seen of a kept part, in the order of the views. */
function placesOf({ width, height }: Image, centreOf: (extent: number) => number): readonly (readonly number[])[] {
  const [right, bottom] = [width - side, height - side];
  return [
    [0, 0],
    [right, 0],
    [0, bottom],
    [right, bottom],
    [centreOf(width), centreOf(height)],
  ];
}

/** The middle, halves to even. */
function middle(extent: number): number {
  const half = (extent - side) / 2;
  return Number.isInteger(half) ? half : 2 * Math.round(half / 2);
}

test("ten views are what cutting by hand gives, to the bit: four corners, the centre, and all of them reflected", () => {
  const crop: Fit = { kind: "crop", shorterSide: 8 };
  const random: Fit = { ...createFit("random-resized-crop", { width: side, height: side }) };
  const meanImage = Buffer.from(noise(8, 8, 3).data).toString("base64");
  const cases: readonly (readonly [Preprocessing, Image])[] = [
    [preprocessing(crop, 1), noise(8, 8, 1)],
    [preprocessing(crop, 3), noise(17, 11, 3)],
    [preprocessing(crop, 3), noise(9, 30, 1)],
    [preprocessing(crop, 3, { meanImage }), noise(12, 12, 3)],
    [preprocessing(random, 3), noise(23, 14, 3)],
    [preprocessing(random, 1), noise(7, 19, 3)],
  ];
  for (const [given, picture] of cases) {
    const kept = createFitter(given)(picture);
    const places = placesOf(kept, middle);
    const views = tenCropViews(given);
    assert.equal(views.length, 10);
    const prepare = createPreprocessor(given);
    const input = new Float32Array(given.channels * side * side);
    for (const [i, view] of views.entries()) {
      prepare(picture, input, 0, view);
      const [left = 0, top = 0] = places[i % 5] ?? [];
      assert.deepEqual(input, byHand(kept, given, left, top, i >= 5), `view ${i} of ${JSON.stringify(given.fit)}`);
    }
    // Preparing without a view gives the centre, also after other views.
    const plain = new Float32Array(input.length);
    prepare(picture, plain, 0);
    prepare(picture, input, 0, views[4]);
    assert.deepEqual(plain, input);
    const distinct = new Set(
      views.map((view) => {
        prepare(picture, input, 0, view);
        return input.join();
      }),
    );
    assert.equal(distinct.size, 10);
  }
});

test("reflections: the default view and the same with its columns reversed, whatever the fit", () => {
  for (const name of fitNames.filter((fit) => fit !== "native")) {
    const given = preprocessing(createFit(name, { width: side, height: side }), 3);
    const prepare = createPreprocessor(given);
    const [plain, reflected] = (viewsOf(given, { flip: true }) ?? []).map((view) => {
      const input = new Float32Array(3 * side * side);
      prepare(noise(17, 11, 3), input, 0, view);
      return input;
    });
    assert.ok(plain && reflected);
    const usual = new Float32Array(plain.length);
    prepare(noise(17, 11, 3), usual, 0);
    assert.deepEqual(plain, usual, name);
    const reversed = usual.map((_, i) => usual[i - (i % side) + side - 1 - (i % side)] as number);
    assert.deepEqual(reflected, reversed, name);
  }
  const native = preprocessing(createFit("native", { width: side, height: side }), 3);
  assert.equal(viewsOf(native, { flip: true })?.length, 2);
  assert.equal(viewsOf(native, {}), undefined);
});

test("a fit that keeps no more than the input has no ten views, and says so; so has a crop of an image as large as the input", () => {
  const withViews = fitNames.filter((name) => {
    const given = preprocessing(createFit(name, { width: side, height: side }), 1);
    try {
      return tenCropViews(given).length === 10;
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, new RegExp(`^ten-crop: .* 5×5, got ${name}; .*--fit crop`));
      return false;
    }
  });
  assert.deepEqual(withViews, ["crop", "random-resized-crop"]);
  assert.throws(() => tenCropViews(preprocessing({ kind: "crop", shorterSide: side }, 1)), ConfigError);
});
