/** Limits: some of each class, in proportion. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../errors.ts";
import { fillUniform, randomStream } from "../random.ts";
import { countsWithin, limitedIndices, requireLimit } from "./limit.ts";

const labelled = (labels: readonly number[]) => ({ length: labels.length, label: (i: number) => labels[i] as number });
/** Labels of classes of these sizes, one class after the other. */
const sorted = (...sizes: readonly number[]) => sizes.flatMap((size, c) => new Array<number>(size).fill(c));

/** The largest difference between a count and its exact proportion. */
function deviationOf(sizes: readonly number[], counts: readonly number[], limit: number): number {
  const all = sizes.reduce((sum, size) => sum + size, 0);
  return Math.max(...sizes.map((size, c) => Math.abs((counts[c] as number) - (limit * size) / all)));
}

test("countsWithin: known divisions", () => {
  assert.deepEqual(countsWithin([90, 9, 4], 20), [17, 2, 1]);
  assert.deepEqual(countsWithin([90, 9, 4], 3), [1, 1, 1]);
  assert.deepEqual(countsWithin([10, 10, 10], 10), [4, 3, 3]);
  assert.deepEqual(countsWithin([1000, 1, 1, 1], 10), [7, 1, 1, 1]);
  // Without a minimum: the largest remainders, 0.6 and 0.5, get the rest.
  assert.deepEqual(countsWithin([26, 15, 59], 10), [3, 1, 6]);
});

test("countsWithin: any sizes and limit give the sum, at least one each and no more than there are", () => {
  const numbers = new Float32Array(60_000);
  fillUniform(randomStream(5, "limits"), 0, numbers);
  let at = 0;
  const draw = () => numbers[at++ % numbers.length] as number;
  for (let round = 0; round < 3000; round++) {
    const classes = 1 + Math.floor(8 * draw());
    const sizes = Array.from({ length: classes }, () => 1 + Math.floor(10 ** (3 * draw())));
    const all = sizes.reduce((sum, size) => sum + size, 0);
    if (all === classes) continue;
    const limit = classes + Math.floor((all - classes) * draw());
    const counts = countsWithin(sizes, limit);
    const context = `${sizes} limit ${limit}: ${counts}`;
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      limit,
      context,
    );
    for (const [c, count] of counts.entries()) assert.ok(count >= 1 && count <= (sizes[c] as number), context);
    // In proportion, if no class is too small.
    if (Math.min(...sizes) * limit >= all) assert.ok(deviationOf(sizes, counts, limit) < 1, context);
  }
});

test("limitedIndices: in a folder, some of each class, evenly spaced", () => {
  assert.deepEqual([...limitedIndices(labelled(sorted(8, 4)), 6, "sorted", "test")], [0, 2, 4, 6, 8, 10]);
  assert.deepEqual([...limitedIndices(labelled(sorted(90, 9, 4)), 3, "sorted", "test")], [0, 90, 99]);
  assert.deepEqual([...limitedIndices(labelled([0, 1]), 2, "sorted", "test")], [0, 1]);
  assert.deepEqual([...limitedIndices(labelled([0, 1]), undefined, "sorted", "test")], [0, 1]);
});

test("limitedIndices: in random order the first n, unless a class were missing", () => {
  const labels = [0, 1, 0, 0, 2, 1, 0, 0, 2, 0];
  assert.deepEqual([...limitedIndices(labelled(labels), 5, "random", "test")], [0, 1, 2, 3, 4]);
  assert.deepEqual([...limitedIndices(labelled(labels), 4, "random", "test")], [0, 1, 2, 4]);
  assert.deepEqual([...limitedIndices(labelled(labels), 3, "random", "test")], [0, 1, 4]);
});

test("limitedIndices: as in earlier versions", () => {
  const labels = sorted(10, 2);
  assert.deepEqual([...limitedIndices(labelled(labels), { inOrder: 3 }, "sorted", "test")], [0, 4, 8]);
  assert.deepEqual([...limitedIndices(labelled(labels), { inOrder: 3 }, "random", "test")], [0, 1, 2]);
  assert.deepEqual([...limitedIndices(labelled(labels), { inOrder: 0 }, "sorted", "test")], []);
});

test("limits other than whole numbers above 0, or below the number of classes, are refused", () => {
  for (const limit of [0, -1, 2.5, Number.NaN, Number.POSITIVE_INFINITY, "3" as unknown as number]) {
    assert.throws(() => requireLimit("top", limit), ConfigError);
    assert.throws(() => limitedIndices(labelled(sorted(2, 2)), limit, "random", "test"), ConfigError);
  }
  assert.throws(
    () => limitedIndices(labelled(sorted(5, 5, 5)), 2, "sorted", "training"),
    new ConfigError("limit of training images: expected at least 3, one for each class, got 2; raise it"),
  );
});
