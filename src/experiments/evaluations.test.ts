/** Numbers of images of evaluations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluationLimit } from "./evaluations.ts";

test("an evaluation has its own number of test images unless the call sets one, and no training images but those of the run", () => {
  const none = { split: undefined, limit: undefined };
  const all = { split: undefined, limit: 10_000 };
  assert.equal(evaluationLimit({ testLimit: 1000 }, {}, all), 10_000, "more than after each epoch");
  assert.equal(evaluationLimit({ testLimit: 40 }, { testLimit: 40 }, all), 40);
  assert.equal(evaluationLimit({ testLimit: 1000 }, {}, none), 1000);
  assert.equal(evaluationLimit({}, {}, none), undefined);
  const train = { split: "train", limit: 10_000 } as const;
  assert.equal(evaluationLimit({ trainLimit: 6000, testLimit: 2000 }, {}, train), 6000);
  assert.equal(evaluationLimit({ testLimit: 2000 }, {}, train), 10_000);
});
