import assert from "node:assert/strict";
import { test } from "node:test";
import { bestOf, improves, isBetter, type Monitor } from "./monitor.ts";

/** Epoch, test accuracy and test loss of five evaluations. */
const evaluations = [
  { epoch: 1, testAccuracy: 0.5, testLoss: 1.5 },
  { epoch: 2, testAccuracy: 1, testLoss: 0.9 },
  { epoch: 3, testAccuracy: 0.75, testLoss: 0.25 },
  { epoch: 4, testAccuracy: 1, testLoss: 0.5 },
  { epoch: 5, testAccuracy: 1, testLoss: 0.5 },
];

const bestEpoch = (monitor: Monitor | undefined) => bestOf(monitor, evaluations)?.epoch;

test("accuracy: on a tie the lower loss wins; loss: the lowest; earlier versions' runs: the first of the highest accuracies", () => {
  assert.equal(bestEpoch("accuracy"), 4);
  assert.equal(bestEpoch("loss"), 3);
  assert.equal(bestEpoch(undefined), 2);
  assert.equal(bestOf("loss", []), undefined);
});

test("a loss that is missing or not finite loses every tie, and is never the lowest", () => {
  for (const testLoss of [undefined, Number.NaN, Infinity]) {
    for (const monitor of ["accuracy", "loss"] as const) {
      assert.ok(isBetter(monitor, { testAccuracy: 0.5, testLoss: 9 }, { testAccuracy: 0.5, testLoss }));
      assert.ok(!isBetter(monitor, { testAccuracy: 0.5, testLoss }, { testAccuracy: 0.5, testLoss: 9 }));
    }
    assert.ok(!isBetter("loss", { testAccuracy: 1, testLoss }, { testAccuracy: 0, testLoss: 9 }));
  }
});

test("patience follows the monitored figure; a tie does not improve on the best", () => {
  const best = { bestAccuracy: 0.5, bestLoss: 0.5 };
  assert.ok(!improves("accuracy", { testAccuracy: 0.5, testLoss: 0.1 }, best));
  assert.ok(improves("loss", { testAccuracy: 0.25, testLoss: 0.25 }, best));
  assert.ok(!improves("loss", { testAccuracy: 1, testLoss: 0.5 }, best));
  assert.ok(!improves("loss", { testAccuracy: 1, testLoss: 0.25 }, best, 0.25));
  assert.ok(!improves("loss", { testAccuracy: 1, testLoss: Number.NaN }, best));
});
