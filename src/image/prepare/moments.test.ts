import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../../test/assertClose.ts";
import { readGolden } from "../../../test/golden.ts";
import { decodeImage } from "../files/decode.ts";
import type { Image } from "../image.ts";
import { createFitter } from "./fitter.ts";
import { averageMoments, type ColourMoments, covarianceOf, deviationOf, momentsOf } from "./moments.ts";

interface Expected extends ColourMoments {
  readonly covariance: readonly number[];
  readonly deviation: readonly number[];
}

const golden = await readGolden<{ readonly photo: Expected; readonly luma: Expected }>("colours");
const photo = await decodeImage("test/golden/raccoon.jpg");
const toLuma = createFitter({ size: [240, 320], channels: 1, fit: { kind: "native" }, resize: "bilinear" });
const luma: Image = { ...toLuma(photo), data: Uint8Array.from(toLuma(photo).data) };

// A few roundings of numbers below 1.
const tolerance = { absolute: 4 * 2 ** -53 };

describe("momentsOf", () => {
  test("a photo in colour and grey: numpy's", () => {
    for (const [image, expected] of [
      [photo, golden.photo],
      [luma, golden.luma],
    ] as const) {
      const moments = momentsOf(image);
      assertClose(moments.mean, expected.mean, tolerance, "mean");
      assertClose(moments.products, expected.products, tolerance, "products");
      assertClose(covarianceOf(moments), expected.covariance, tolerance, "covariance");
      // The root of a number about 0.06 multiplies its error by two.
      assertClose(deviationOf(moments), expected.deviation, { absolute: 8 * 2 ** -53 }, "deviation");
    }
  });

  test("extremes: exact", () => {
    const white: Image = { width: 100, height: 70, channels: 3, data: new Uint8Array(21000).fill(255) };
    assert.deepEqual(momentsOf(white), { mean: [1, 1, 1], products: new Array(9).fill(1) });
    assert.deepEqual(deviationOf(momentsOf(white)), [0, 0, 0]);
    const halves = Uint8Array.from({ length: 32 }, (_, i) => (i % 2) * 255);
    assert.deepEqual(momentsOf({ width: 8, height: 4, channels: 1, data: halves }), { mean: [0.5], products: [0.5] });
    assert.deepEqual(deviationOf({ mean: [0.5], products: [0.5] }), [0.5]);
  });
});

describe("averageMoments", () => {
  test("of images of one size: those of all their pixels together", () => {
    const parts = [0, 1, 2, 3].map((i): Image => {
      const rows = photo.data.subarray(i * 60 * 960, (i + 1) * 60 * 960);
      return { width: 320, height: 60, channels: 3, data: rows };
    });
    const average = averageMoments(parts.map(momentsOf), 3);
    assert.ok(average);
    assertClose(average.mean, golden.photo.mean, tolerance, "mean");
    assertClose(average.products, golden.photo.products, tolerance, "products");
  });

  test("images count alike whatever their size, grey as colour with three equal channels", () => {
    const grey: Image = { width: 1, height: 1, channels: 1, data: Uint8Array.of(255) };
    const black: Image = { width: 9, height: 9, channels: 3, data: new Uint8Array(243) };
    const expected = { mean: [0.5, 0.5, 0.5], products: new Array(9).fill(0.5) };
    assert.deepEqual(averageMoments([grey, black].map(momentsOf), 3), expected);
    assert.deepEqual(averageMoments([momentsOf(grey)], 1), { mean: [1], products: [1] });
  });

  test("none of none", () => assert.equal(averageMoments([], 3), undefined));
});
