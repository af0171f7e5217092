import assert from "node:assert/strict";
import { test } from "node:test";
import { assertClose } from "../../../test/assertClose.ts";
import { readGolden } from "../../../test/golden.ts";
import { mcnemar } from "./pairedTest.ts";
import { spreadOf } from "./spread.ts";

const { mcnemar: cases } = await readGolden<{ readonly mcnemar: readonly (readonly [number, number, number])[] }>(
  "evaluation",
);

test("McNemar's test is SciPy's binomial test, from no image to 60,700", () => {
  for (const [b, c, p] of cases) {
    // 30,000 logarithms, each rounded at 1e-16, of a sum of 42,000.
    assertClose([mcnemar(b, c)], [p], { relative: 1e-9, absolute: 0 }, `${b} and ${c}`);
    assert.equal(mcnemar(c, b), mcnemar(b, c));
  }
  assert.deepEqual([mcnemar(0, 0), mcnemar(1, 1)], [1, 1]);
  const none = mcnemar(0, 5000);
  assert.ok(none >= 0 && none < 1e-300);
});

test("mean and sample standard deviation by hand", () => {
  assert.deepEqual(spreadOf([1, 2, 3]), { mean: 2, deviation: 1 });
  assert.deepEqual(spreadOf([2, 2]), { mean: 2, deviation: 0 });
});
