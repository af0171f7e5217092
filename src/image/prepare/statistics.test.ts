import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../errors.ts";
import { preprocessingSchema } from "./preprocess.ts";
import { statisticsProblem, unitStatistics } from "./statistics.ts";

const imagenet = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };
const levels = { mean: [123.675, 116.28, 103.53], deviation: [58.395, 57.12, 57.375] };

test("unitStatistics: levels of 0 to 255 become the same numbers of 0 to 1, which is said", () => {
  const { notes, ...unit } = unitStatistics(levels);
  assert.deepEqual(unit, imagenet);
  assert.deepEqual(notes, [
    "converted from the scale of 0 to 255: mean 123.675,116.28,103.53, deviation 58.395,57.12,57.375 to mean 0.485,0.456,0.406, deviation 0.229,0.224,0.225",
  ]);
  const cases = [
    // Caffe: levels less the mean.
    [
      [123, 117, 104],
      [1, 1, 1],
      [123 / 255, 117 / 255, 104 / 255],
      [1 / 255, 1 / 255, 1 / 255],
    ],
    // −1 to 1.
    [[127.5], [127.5], [0.5], [0.5]],
    // 0 to 1.
    [
      [0, 0, 0],
      [255, 255, 255],
      [0, 0, 0],
      [1, 1, 1],
    ],
    [[0], [256], [0], [256 / 255]],
    // MNIST, and a dark data set in which one channel is black.
    [[33.3185], [78.5675], [33.3185 / 255], [78.5675 / 255]],
    [
      [0, 1.5, 3],
      [12, 12, 20],
      [0, 1.5 / 255, 3 / 255],
      [12 / 255, 12 / 255, 20 / 255],
    ],
  ] as const;
  for (const [mean, deviation, unitMean, unitDeviation] of cases) {
    const found = unitStatistics({ mean, deviation });
    // 1e-11: twelve digits are kept.
    const isClose = (a: readonly number[] = [], b: readonly number[]) =>
      a.length === b.length && a.every((value, i) => Math.abs(value - (b[i] as number)) <= 1e-11);
    assert.ok(isClose(found.mean, unitMean) && isClose(found.deviation, unitDeviation), JSON.stringify(found));
    assert.equal(found.notes.length, 1);
  }
  assert.deepEqual(unitStatistics({ mean: levels.mean }).mean, imagenet.mean);
  assert.deepEqual(unitStatistics({ deviation: levels.deviation }).deviation, imagenet.deviation);
});

test("unitStatistics: what is on the scale of 0 to 1 stays as it is", () => {
  for (const stated of [
    imagenet,
    { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
    { mean: [0.1307], deviation: [0.3081] },
    { mean: [0, 0, 0], deviation: [1 / 255, 1 / 255, 1 / 255] },
    { mean: [1, 0, 0.2], deviation: [1, 1, 1] },
    { mean: [0.485, 0.456, 0.406] },
    { deviation: [1, 1, 1] },
    {},
  ]) {
    const { notes, ...unit } = unitStatistics(stated);
    assert.deepEqual(
      { mean: unit.mean, deviation: unit.deviation },
      { mean: undefined, deviation: undefined, ...stated },
    );
    assert.deepEqual(notes, []);
  }
  // Both scales have these: the one that is documented is taken, and said.
  const { mean, deviation, notes } = unitStatistics({ mean: [0, 0, 0], deviation: [1, 1, 1] });
  assert.deepEqual(
    [mean, deviation],
    [
      [0, 0, 0],
      [1, 1, 1],
    ],
  );
  assert.match(notes.join(), /inputs from 0 to 1; for inputs from 0 to 255 give --deviation 0\.0039/);
});

test("unitStatistics: what is on neither scale, or on both, is refused", () => {
  const cases = [
    // The mean on one scale, the deviation on the other.
    [
      [123.675, 116.28, 103.53],
      [0.229, 0.224, 0.225],
      /^mean 123\.675.*: expected one scale, got 0 to 255 and 0 to 1; give both/,
    ],
    [[0.485, 0.456, 0.406], [58.395, 57.12, 57.375], /expected one scale, got 0 to 1 and 0 to 255/],
    [[1], [127.5], /expected one scale/],
    // Factors instead of divisors, as ncnn and TVM state them.
    [[123.675, 116.28, 103.53], [0.01712475, 0.0175, 0.01742919], /expected one scale/],
    // Biases, levels of 16 bits, two scales in one list, a deviation that is none.
    [[-123.675, -116.28, -103.53], [1, 1, 1], /^mean: expected numbers from 0 to 1, or from 0 to 255, got -123\.675/],
    [[31_600], [14_800], /^mean: expected/],
    [[0.485, 116.28, 103.53], [58.395, 57.12, 57.375], /^mean: expected/],
    [[0.5], [2], /^deviation: expected numbers above 0 up to 1, or from 10 to 256 for levels of 0 to 255, got 2/],
    [[127.5], [0], /^deviation: expected/],
    [[0.5], [-0.5], /^deviation: expected/],
    [[0.5], [Number.NaN], /^deviation: expected/],
    [[Number.NaN], [1], /^mean: expected/],
    [[127.5], [2550], /^deviation: expected/],
    [[123, 117, 104], [1, 58, 57], /^deviation: expected/],
  ] as const;
  for (const [mean, deviation, message] of cases) {
    assert.throws(
      () => unitStatistics({ mean, deviation }),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.match(error.message, message);
        return true;
      },
      `${mean} ${deviation}`,
    );
  }
});

test("a stored preprocessing on the scale of 0 to 255 is refused", () => {
  const stored = { size: [8, 8], channels: 3, fit: { kind: "resize" }, resize: "bilinear" };
  assert.ok(preprocessingSchema.safeParse({ ...stored, ...imagenet }).success);
  const parsed = preprocessingSchema.safeParse({ ...stored, ...levels });
  assert.match(parsed.error?.issues[0]?.message ?? "", /^expected mean and deviation on the scale of 0 .* divide both/);
  assert.equal(statisticsProblem({ mean: [0.5], deviation: [1 / 255] }), undefined);
  assert.equal(statisticsProblem({ mean: [0], deviation: [2] }), undefined);
});
