import assert from "node:assert/strict";
import { test } from "node:test";
import { fillUniform, randomStream } from "../../random.ts";
import { createBeta, createMixes, createMixScratch, mixImages } from "./mixup.ts";

function random(length: number): Float32Array {
  const values = new Float32Array(length);
  fillUniform(randomStream(1, "mixup.test"), 0, values, -2, 2);
  return values;
}

test("every mix is λ times each image and 1 − λ times its partner, whatever the cycles; other rows stay", () => {
  const [batchSize, scratch] = [9, createMixScratch(9)];
  const draw = createMixes(5, 1, batchSize);
  // Less than a block, not a multiple of four; and more than two blocks.
  for (const size of [1, 7, 4099]) {
    for (let counter = 0; counter < 40; counter++) {
      const count = 1 + (counter % batchSize);
      const images = random(batchSize * size);
      const before = images.slice();
      const { lambda, partners } = draw(counter, count);
      mixImages(images, count, size, { lambda, partners }, scratch);
      for (let i = 0; i < batchSize * size; i++) {
        const row = Math.floor(i / size);
        const partner = row < count ? (partners[row] as number) : row;
        const [x, y] = [before[i] as number, before[partner * size + (i % size)] as number];
        // Numbers below 2, rounded to f32 once.
        const expected = row < count ? lambda * x + (1 - lambda) * y : x;
        assert.ok(
          Math.abs((images[i] as number) - expected) <= 2 ** -23,
          `row ${row}, ${images[i]} is not ${expected}`,
        );
      }
    }
  }
});

test("partners are a permutation of the batch, each equally likely", () => {
  const draw = createMixes(2, 0.2, 5);
  const times = Array.from({ length: 5 }, () => new Array<number>(5).fill(0));
  const N = 5000;
  for (let counter = 0; counter < N; counter++) {
    const partners = [...draw(counter, 5).partners];
    assert.deepEqual(partners.toSorted(), [0, 1, 2, 3, 4]);
    for (const [row, partner] of partners.entries())
      (times[row] as number[])[partner] = (times[row]?.[partner] ?? 0) + 1;
  }
  // Four deviations of a count of N with probability 1/5.
  for (const count of times.flat()) assert.ok(Math.abs(count - N / 5) < 4 * Math.sqrt(N * 0.2 * 0.8), `${count}`);
});

test("a mix is a function of the counter, so that a run can be taken up before any batch", () => {
  const whole = createMixes(7, 0.2, 16);
  const inOrder = Array.from({ length: 20 }, (_, i) => {
    const { lambda, partners } = whole(i * 16, 16);
    return [lambda, ...partners];
  });
  for (const i of [19, 3, 11]) {
    const { lambda, partners } = createMixes(7, 0.2, 16)(i * 16, 16);
    assert.deepEqual([lambda, ...partners], inOrder[i]);
  }
  assert.notEqual(createMixes(8, 0.2, 16)(0, 16).lambda, inOrder[0]?.[0]);
});

const BETA_DRAWS = 200_000;
const draws = (alpha: number, seed = 1) => {
  const beta = createBeta(seed, "beta.test", alpha);
  return Float64Array.from({ length: BETA_DRAWS }, (_, i) => beta(i));
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
      distance = Math.max(distance, cdf(x) - i / BETA_DRAWS, (i + 1) / BETA_DRAWS - cdf(x));
    });
    // One sample in a thousand is further away than 1.95 / √BETA_DRAWS; the seed is fixed.
    assert.ok(distance < 1.95 / Math.sqrt(BETA_DRAWS), `${distance}`);
  });
}

for (const alpha of [0.05, 0.2, 0.4, 1, 3, 50]) {
  test(`Beta(${alpha}, ${alpha}): mean ½, variance 1 / (4 (2α + 1)), fourth moment`, () => {
    const values = draws(alpha);
    const moment = (k: number) => values.reduce((sum, x) => sum + (x - 0.5) ** k, 0) / BETA_DRAWS;
    const variance = 1 / (4 * (2 * alpha + 1));
    const fourth = (variance ** 2 * 3 * (2 * alpha + 1)) / (2 * alpha + 3);
    // Four deviations of a mean of BETA_DRAWS.
    assert.ok(Math.abs(moment(1)) < 4 * Math.sqrt(variance / BETA_DRAWS), `mean ${0.5 + moment(1)}`);
    const spread = Math.sqrt((fourth - variance ** 2) / BETA_DRAWS);
    assert.ok(Math.abs(moment(2) - variance) < 4 * spread, `variance ${moment(2)}, not ${variance}`);
    assert.ok(Math.abs(moment(4) / fourth - 1) < 0.1, `fourth moment ${moment(4)}, not ${fourth}`);
  });
}

test("α → 0: λ is 0 or 1, each as often, and never NaN", () => {
  const values = draws(1e-4);
  assert.ok(values.every((x) => x >= 0 && x <= 1));
  const far = values.filter((x) => Math.min(x, 1 - x) > 1e-6).length;
  // P(10⁻⁶ < λ < 1 − 10⁻⁶) is about 2α · ln 10⁶ · ½ = 0.0014.
  assert.ok(far < 0.003 * BETA_DRAWS, `${far} of ${BETA_DRAWS}`);
  const ones = values.filter((x) => x > 0.5).length;
  assert.ok(Math.abs(ones - BETA_DRAWS / 2) < 4 * Math.sqrt(BETA_DRAWS / 4), `${ones} of ${BETA_DRAWS}`);
});

test("a function of seed and counter, in any order", () => {
  const beta = createBeta(3, "beta.test", 0.2);
  const forwards = Array.from({ length: 100 }, (_, i) => beta(i));
  const backwards = Array.from({ length: 100 }, (_, i) => beta(99 - i)).reverse();
  assert.deepEqual(backwards, forwards);
  assert.equal(new Set(forwards).size, 100);
  assert.notDeepEqual([...draws(0.2, 1)], [...draws(0.2, 2)]);
});
