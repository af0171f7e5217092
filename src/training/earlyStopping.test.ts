import assert from "node:assert/strict";
import { test } from "node:test";
import { type EarlyStopping, earlyStoppingSchema, initialEarlyStopping, stopsEarly, watch } from "./earlyStopping.ts";

/** The number of evaluations after which a run ends, or undefined. */
function endOf(rule: EarlyStopping | undefined, accuracies: readonly number[]): number | undefined {
  let state = initialEarlyStopping;
  for (const [i, accuracy] of accuracies.entries()) {
    state = watch(rule, state, { testAccuracy: accuracy });
    if (stopsEarly(rule, state)) return i + 1;
  }
  return undefined;
}

test("ends at the first evaluation that makes `patience` in a row without a better one", () => {
  const accuracies = [0, 0.5, 0.5, 0.6, 0.6, 0.55, 0.6, 0.7];
  assert.equal(endOf({ patience: 1, minDelta: 0 }, accuracies), 3);
  assert.equal(endOf({ patience: 2, minDelta: 0 }, accuracies), 6);
  assert.equal(endOf({ patience: 3, minDelta: 0 }, accuracies), 7);
  assert.equal(endOf({ patience: 4, minDelta: 0 }, accuracies), undefined);
  assert.equal(endOf(undefined, new Array(100).fill(0.5)), undefined);
});

test("a rise of `minDelta` or less above the best does not count, many small ones together do", () => {
  const rising = [0.5, 0.53125, 0.5625, 0.59375, 0.625];
  assert.equal(endOf({ patience: 1, minDelta: 0.03125 }, rising), 2);
  assert.equal(endOf({ patience: 2, minDelta: 0.03125 }, rising), undefined);
  assert.equal(endOf({ patience: 2, minDelta: 0.0625 }, rising), 3);
});

test("the first evaluation counts as better, and a network that gets nothing right ends", () => {
  assert.equal(endOf({ patience: 2, minDelta: 0.9 }, [0, 0, 0]), 3);
});

test("patience is 1 or more, minDelta 0 unless it is given", () => {
  assert.deepEqual(earlyStoppingSchema.parse({ patience: 3 }), { patience: 3, minDelta: 0 });
  for (const rule of [{}, { patience: 0 }, { patience: 1.5 }, { patience: 2, minDelta: -0.1 }]) {
    assert.equal(earlyStoppingSchema.safeParse(rule).success, false);
  }
});

test("with the loss monitored, accuracies do not count", () => {
  const rule = { patience: 2, minDelta: 0 };
  const evaluated = [
    { testAccuracy: 0.5, testLoss: 2 },
    { testAccuracy: 0.6, testLoss: 1 },
    { testAccuracy: 0.7, testLoss: 1 },
    { testAccuracy: 0.8, testLoss: 1.5 },
  ];
  const states = evaluated.map((_, i) =>
    evaluated.slice(0, i + 1).reduce((state, one) => watch(rule, state, one, "loss"), initialEarlyStopping),
  );
  assert.deepEqual(
    states.map((state) => stopsEarly(rule, state)),
    [false, false, false, true],
  );
  assert.deepEqual(states[1], { bestAccuracy: 0.6, bestLoss: 1, evaluationsSinceBest: 0 });
});
