import assert from "node:assert/strict";
import { test } from "node:test";
import { createBeta } from "./beta.ts";

const N = 200_000;
const draws = (alpha: number, seed = 1) => {
  const beta = createBeta(seed, "beta.test", alpha);
  return Float64Array.from({ length: N }, (_, i) => beta(i));
};

/** Distribution functions that have a closed form: arcsine, uniform, and 3x² − 2x³. */
const closedForms: readonly (readonly [alpha: number, cdf: (x: number) => number])[] = [
  [0.5, (x) => (2 / Math.PI) * Math.asin(Math.sqrt(x))],
  [1, (x) => x],
  [2, (x) => 3 * x ** 2 - 2 * x ** 3],
];

for (const [alpha, cdf] of closedForms) {
  test(`Beta(${alpha}, ${alpha}): the distribution function, by Kolmogorov and Smirnov`, () => {
    const sorted = draws(alpha).sort();
    let distance = 0;
    sorted.forEach((x, i) => {
      distance = Math.max(distance, cdf(x) - i / N, (i + 1) / N - cdf(x));
    });
    // One sample in a thousand is further away than 1.95 / √N; the seed is fixed.
    assert.ok(distance < 1.95 / Math.sqrt(N), `${distance}`);
  });
}

for (const alpha of [0.05, 0.2, 0.4, 1, 3, 50]) {
  test(`Beta(${alpha}, ${alpha}): mean ½, variance 1 / (4 (2α + 1)), fourth moment`, () => {
    const values = draws(alpha);
    const moment = (k: number) => values.reduce((sum, x) => sum + (x - 0.5) ** k, 0) / N;
    const variance = 1 / (4 * (2 * alpha + 1));
    const fourth = (variance ** 2 * 3 * (2 * alpha + 1)) / (2 * alpha + 3);
    // Four deviations of a mean of N.
    assert.ok(Math.abs(moment(1)) < 4 * Math.sqrt(variance / N), `mean ${0.5 + moment(1)}`);
    const spread = Math.sqrt((fourth - variance ** 2) / N);
    assert.ok(Math.abs(moment(2) - variance) < 4 * spread, `variance ${moment(2)}, not ${variance}`);
    assert.ok(Math.abs(moment(4) / fourth - 1) < 0.1, `fourth moment ${moment(4)}, not ${fourth}`);
  });
}

test("α → 0: λ is 0 or 1, each as often, and never NaN", () => {
  const values = draws(1e-4);
  assert.ok(values.every((x) => x >= 0 && x <= 1));
  const far = values.filter((x) => Math.min(x, 1 - x) > 1e-6).length;
  // P(10⁻⁶ < λ < 1 − 10⁻⁶) is about 2α · ln 10⁶ · ½ = 0.0014.
  assert.ok(far < 0.003 * N, `${far} of ${N}`);
  const ones = values.filter((x) => x > 0.5).length;
  assert.ok(Math.abs(ones - N / 2) < 4 * Math.sqrt(N / 4), `${ones} of ${N}`);
});

test("a function of seed and counter, in any order", () => {
  const beta = createBeta(3, "beta.test", 0.2);
  const forwards = Array.from({ length: 100 }, (_, i) => beta(i));
  const backwards = Array.from({ length: 100 }, (_, i) => beta(99 - i)).reverse();
  assert.deepEqual(backwards, forwards);
  assert.equal(new Set(forwards).size, 100);
  assert.notDeepEqual([...draws(0.2, 1)], [...draws(0.2, 2)]);
});
