/** Learning rates of large-batch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { rateScale } from "../training/rateScale.ts";
import { largeBatch } from "./largeBatch.ts";

test("the learning rate of SGD is in proportion to the batch; that of LARS is too, up to 8", () => {
  const rates = largeBatch.arms.map(({ name, values }) => {
    const { learningRate, batchSize } = values as { readonly learningRate: number; readonly batchSize: number };
    return [name, learningRate * rateScale({ batchSize, baseBatchSize: 128 })];
  });
  assert.deepEqual(rates, [
    ["SGD, batch 128", 0.01],
    ["SGD, batch 1,024", 0.08],
    ["SGD, batch 4,096", 0.32],
    ["LARS, batch 128", 1],
    ["LARS, batch 1,024", 8],
    ["LARS, batch 4,096", 8],
  ]);
});
