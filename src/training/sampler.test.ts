import assert from "node:assert/strict";
import { test } from "node:test";
import { permutation, randomStream } from "../random.ts";
import { createSampler } from "./sampler.ts";

/** Class 0 has 900 images, 1 has 90, 2 none, 3 has 10; scattered. */
const labels = Array.from({ length: 1000 }, (_, i) => (i % 100 === 7 ? 3 : i % 11 === 3 && i % 100 !== 7 ? 1 : 0));
const split = { length: labels.length, label: (index: number) => labels[index] as number };

test("shuffle: each image once, in the order of earlier versions", () => {
  const sample = createSampler("shuffle", split, 4);
  assert.deepEqual(sample(2), permutation(randomStream(4, "shuffle"), 2, 1000));
});

test("balanced: classes with images are drawn equally often, and so are the images of a class", () => {
  const sample = createSampler("balanced", split, 4);
  const [epochs, byClass, byPicture] = [60, new Map<number, number>(), new Uint32Array(1000)];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = sample(epoch);
    assert.equal(order.length, 1000);
    for (const index of order) {
      byClass.set(split.label(index), (byClass.get(split.label(index)) ?? 0) + 1);
      byPicture[index] = (byPicture[index] as number) + 1;
    }
  }
  const draws = epochs * 1000;
  assert.deepEqual([...byClass.keys()].sort(), [0, 1, 3]);
  // Four deviations of a count with probability 1/3; five for a thousand images at once.
  for (const count of byClass.values()) {
    assert.ok(Math.abs(count - draws / 3) < 4 * Math.sqrt((draws * 2) / 9), `${count} of ${draws}`);
  }
  byPicture.forEach((count, index) => {
    const mean = draws / 3 / labels.filter((label) => label === labels[index]).length;
    assert.ok(Math.abs(count - mean) < 5 * Math.sqrt(mean) + 1, `image ${index}: ${count}, expected ${mean}`);
  });
});

test("balanced: a function of seed and epoch", () => {
  const order = createSampler("balanced", split, 4)(3);
  const again = createSampler("balanced", split, 4);
  again(7);
  assert.deepEqual(again(3), order);
  assert.notDeepEqual(again(4), order);
  assert.notDeepEqual(createSampler("balanced", split, 5)(3), order);
});
