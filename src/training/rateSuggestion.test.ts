import assert from "node:assert/strict";
import { test } from "node:test";
import { type RateLoss, smoothRates, suggestRates } from "./rateSuggestion.ts";

const iterations = 200;
const rateOf = (i: number) => 1e-6 * 1e7 ** (i / (iterations - 1));

function curve(lossOf: (rate: number, i: number) => number, length = iterations): readonly RateLoss[] {
  return Array.from({ length }, (_, i) => ({ learningRate: rateOf(i), loss: lossOf(rateOf(i), i) }));
}

/** Falls by 2 around a rate, by the logistic function of its logarithm, whose steepest place is in the middle; rises from `rise` on. */
const fall = (middle: number, rise: number) => (rate: number) =>
  2.3 - 2 / (1 + Math.exp(-3 * Math.log10(rate / middle))) + (rate > rise ? rate / rise : 0);

test("the steepest place and a tenth of the lowest one, as the curve is made", () => {
  for (const [middle, rise] of [
    [1e-3, 0.3],
    [1e-2, 1],
  ] as const) {
    const points = smoothRates(curve(fall(middle, rise), 180), iterations);
    const suggested = suggestRates(points, iterations);
    assert.ok(suggested);
    // A fifth of a decade: three places of this sweep.
    const isNear = (rate: number, expected: number) => Math.abs(Math.log10(rate / expected)) < 0.2;
    assert.ok(isNear(suggested.steepest, middle), `${suggested.steepest} for ${middle}`);
    // Smoothing sees the rise up to 8 iterations before: 0.3 decades.
    const { minimumTenth } = suggested;
    assert.ok(minimumTenth <= rise / 10 && minimumTenth > rise / 10 / 2.1, `${minimumTenth} for ${rise / 10}`);
  }
});

test("noise of a batch moves the suggestions by no more than the smoothing does", () => {
  const clean = curve(fall(1e-3, 0.3), 180);
  const noisy = clean.map((point, i) => ({ ...point, loss: point.loss + 0.1 * Math.sin(997 * i) }));
  const [a, b] = [clean, noisy].map((losses) => suggestRates(smoothRates(losses, iterations), iterations));
  assert.ok(a && b && Math.abs(Math.log10(a.steepest / b.steepest)) < 0.5, `${a?.steepest}, ${b?.steepest}`);
});

test("a smoothed point is the mean of equally many points before and after it", () => {
  const line = smoothRates(
    curve((_rate, i) => 10 + i / 100),
    iterations,
  );
  // A straight line is its own mean; rounding of 17 numbers of about 10.
  for (const [i, { smoothed }] of line.entries()) assert.ok(Math.abs(smoothed - 10 - i / 100) < 1e-12);
});

test("a loss beyond what ends a sweep, or not finite, counts as that", () => {
  const losses = [
    ...curve((_rate, i) => (i < 50 ? 9 : 1), 100),
    { learningRate: 1, loss: 1e30 },
    { learningRate: 2, loss: Number.NaN },
  ];
  const smoothed = smoothRates(losses, iterations).map((point) => point.smoothed);
  assert.equal(smoothed.at(-1), 4);
  assert.ok(smoothed.every((value) => value >= 1 && value <= 9));
  assert.deepEqual(smoothed.slice(0, 40), new Array(40).fill(9));
});

test("no suggestion where the loss never fell, or the sweep had hardly begun", () => {
  for (const losses of [
    curve(() => 2.3),
    curve((rate) => 2.3 + rate),
    curve((_rate, i) => 2.3 + 0.01 * Math.sin(i)),
    curve(fall(1e-3, 0.3), 10),
    [],
  ]) {
    assert.equal(suggestRates(smoothRates(losses, iterations), iterations), undefined);
  }
});
