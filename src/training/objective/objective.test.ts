import assert from "node:assert/strict";
import { test } from "node:test";
import { fillUniform, randomStream } from "../../random.ts";
import { createMixes } from "./mixup.ts";
import { createObjective } from "./objective.ts";

const classNames = ["a", "b", "c"];
const labels = Int32Array.of(0, 1, 2, 1, 0, 0, 0, 0);
const split = { length: labels.length, label: (index: number) => labels[index] as number };
const plain = { labelSmoothing: 0, classWeights: "none", mixup: 0, seed: 6 } as const;
const sizes = { batchSize: 8, imageShape: [1, 1, 1] } as const;
/** One number per image. */
const batchOf = (count: number) => {
  const images = new Float32Array(labels.length);
  fillUniform(randomStream(1, "objective.test"), 0, images);
  return { images, labels, indices: new Uint32Array(labels.length), count, view: 0 };
};

test("by default, targets are one-hot and images are unchanged", () => {
  const batch = batchOf(8);
  const before = batch.images.slice();
  const { targets } = createObjective(plain, sizes, split, classNames).prepare(batch, 0);
  assert.deepEqual(
    [...targets],
    [...labels].flatMap((label) => [0, 1, 2].map((c) => Number(c === label))),
  );
  assert.deepEqual(batch.images, before);
});

test("with everything, a batch of any size has targets whose labels' weights sum to its images", () => {
  const objective = createObjective(
    { ...plain, labelSmoothing: 0, classWeights: "balanced", mixup: 1 },
    sizes,
    split,
    classNames,
  );
  for (const count of [8, 3, 1]) {
    const { targets } = objective.prepare(batchOf(count), 40 + count);
    const sum = targets.subarray(0, 3 * count).reduce((total, t) => total + t, 0);
    // f32 numbers that sum to 8 at most.
    assert.ok(Math.abs(sum - count) < 1e-5, `${sum}`);
  }
});

test("images, targets and the count of right answers are mixed by the same λ and partners", () => {
  const objective = createObjective({ ...plain, mixup: 1 }, sizes, split, classNames);
  const batch = batchOf(8);
  const before = batch.images.slice();
  const { targets, countCorrect } = objective.prepare(batch, 24);
  const { lambda, partners } = createMixes(plain.seed, 1, 8)(24, 8);
  assert.ok(lambda > 0.01 && lambda < 0.99);
  // Answers in turn: over a batch, one answer for all would be right as often for the partners as for the images.
  const scores = Float32Array.from({ length: 24 }, (_, i) => Number(i % 3 === Math.floor(i / 3) % 3));
  let right = 0;
  for (const [row, partner] of partners.entries()) {
    const [own, other] = [before[row] as number, before[partner] as number];
    assert.ok(Math.abs((batch.images[row] as number) - (lambda * own + (1 - lambda) * other)) < 1e-6);
    for (const c of [0, 1, 2]) {
      const expected = lambda * Number(labels[row] === c) + (1 - lambda) * Number(labels[partner] === c);
      assert.ok(Math.abs((targets[row * 3 + c] as number) - expected) < 1e-6);
    }
    right += lambda * Number(labels[row] === row % 3) + (1 - lambda) * Number(labels[partner] === row % 3);
  }
  assert.ok(Math.abs(countCorrect(scores) - right) < 1e-9);
});
