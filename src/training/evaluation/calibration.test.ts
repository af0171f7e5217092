import assert from "node:assert/strict";
import { test } from "node:test";
import { fillUniform, randomStream } from "../../random.ts";
import { countCalibration } from "./calibration.ts";

test("bins hold (from, to], and the error weighs their gaps by their images", () => {
  const counter = countCalibration();
  // Two bins: 0.9 three times, of which two are right; 0.5 once, wrong.
  for (const isCorrect of [true, true, false]) counter.add(0.9, isCorrect);
  counter.add(0.5, false);
  const { error, confidence, bins } = counter.result();
  assert.ok(Math.abs(error - (3 * (0.9 - 2 / 3) + 0.5) / 4) < 1e-15);
  assert.ok(Math.abs(confidence - 0.8) < 1e-15);
  assert.deepEqual(
    bins.flatMap(({ images }, bin) => (images > 0 ? [[bin, images]] : [])),
    [
      [7, 1],
      [13, 3],
    ],
  );
  assert.deepEqual([bins[0]?.accuracy, bins[0]?.confidence], [null, null]);
});

test("ends of the scale and of a bin", () => {
  const counter = countCalibration();
  for (const probability of [0, 1 / 15, 2 / 15, 1]) counter.add(probability, true);
  const { bins } = counter.result();
  assert.deepEqual(
    bins.map(({ images }) => images),
    [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  );
});

test("who is right as often as they say has no error but chance's", () => {
  const draws = new Float32Array(2 * 20_000);
  fillUniform(randomStream(1, "calibration"), 0, draws);
  const [honest, sure] = [countCalibration(), countCalibration()];
  for (let i = 0; i < draws.length; i += 2) {
    const isCorrect = (draws[i + 1] as number) < (draws[i] as number);
    honest.add(draws[i] as number, isCorrect);
    sure.add(1, isCorrect);
  }
  // A bin of 1,333 has a standard deviation of at most 0.5 / √1333 = 0.014, of which the mean size is 0.8.
  assert.ok(honest.result().error < 0.02, String(honest.result().error));
  assert.ok(Math.abs(sure.result().error - 0.5) < 0.02);
});
