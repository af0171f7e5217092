import assert from "node:assert/strict";
import { test } from "node:test";
import { fillUniform, randomStream } from "../../random.ts";
import { createMixes, createMixScratch, mixImages } from "./mixup.ts";

function random(length: number): Float32Array {
  const values = new Float32Array(length);
  fillUniform(randomStream(1, "mixup.test"), 0, values, -2, 2);
  return values;
}

test("every mix is λ times each picture and 1 − λ times its partner, whatever the cycles; other rows stay", () => {
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
