import assert from "node:assert/strict";
import { test } from "node:test";
import { assertClose } from "../../test/assertClose.ts";
import { doubles, drawn, floats, readGolden } from "../../test/golden.ts";
import { principalComponents } from "./principalComponents.ts";

interface Golden {
  readonly cases: readonly {
    readonly points: number;
    readonly dimensions: number;
    readonly values: string;
    readonly coordinates: string;
    readonly explainedVariance: readonly number[];
  }[];
}

const golden = await readGolden<Golden>("principalComponents");

test("numpy's coordinates and variances", async () => {
  for (const { points: count, dimensions, values, coordinates, explainedVariance } of golden.cases) {
    const found = await principalComponents({ count, dimensions, values: floats(values) }, explainedVariance.length);
    const what = `${count} points of ${dimensions}`;
    assert.deepEqual([found.points.count, found.points.dimensions], [count, explainedVariance.length], what);
    // Exact where the subspace is all of it; in the case of 90 dimensions the iteration ends when the variance grows by less than 1e-5.
    const isExact = Math.min(count - 1, dimensions) <= explainedVariance.length + 10;
    assertClose(found.explainedVariance, explainedVariance, { absolute: isExact ? 1e-12 : 1e-6 }, what);
    assertClose(found.points.values, doubles(coordinates), { absolute: isExact ? 1e-10 : 2e-3 }, what);
  }
});

test("points of many dimensions, not four by four: as many components as hold them keep their distances", async () => {
  const [count, dimensions] = [10, 2100];
  const values = drawn(2, "pca", count * dimensions, 3, 5);
  const { points, explainedVariance } = await principalComponents({ count, dimensions, values }, 50);
  assert.equal(points.dimensions, count - 1);
  assertClose([explainedVariance.reduce((sum, share) => sum + share, 0)], [1], { absolute: 1e-12 }, "all of it");
  const distance = (of: ArrayLike<number>, length: number, i: number, j: number) =>
    Math.hypot(...Array.from({ length }, (_, k) => (of[i * length + k] as number) - (of[j * length + k] as number)));
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      const expected = distance(values, dimensions, i, j);
      // Sums of 2,100 products in f64.
      assertClose([distance(points.values, count - 1, i, j)], [expected], { relative: 1e-11 }, `${i} to ${j}`);
    }
  }
});

test("no more components than there can be, none of points that are all the same, and its end when it is asked for", async () => {
  const values = drawn(1, "pca", 5 * 30, -1, 1);
  const few = await principalComponents({ count: 5, dimensions: 30, values }, 50);
  assert.equal(few.points.dimensions, 4);
  // Four components hold five points.
  assertClose([few.explainedVariance.reduce((sum, share) => sum + share, 0)], [1], { absolute: 1e-12 }, "all of it");
  const same = await principalComponents({ count: 6, dimensions: 3, values: new Float32Array(18).fill(0.1) }, 2);
  assert.deepEqual(same.explainedVariance, [0, 0]);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(principalComponents({ count: 5, dimensions: 30, values }, 2, { signal }), /enough/);
});
