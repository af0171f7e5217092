import assert from "node:assert/strict";
import { test } from "node:test";
import { findRecipe } from "../training/recipe.ts";
import { fineTuningDefaults, openKeys, withFineTuningDefaults } from "./fineTuningDefaults.ts";

test("epochs and batches by the number of images: about 600 steps between the bounds", () => {
  const of = (images: number) => {
    const { epochs, batchSize } = fineTuningDefaults(images);
    return [images, epochs, batchSize];
  };
  assert.deepEqual([1, 100, 300, 1000, 4096, 10_000, 50_000].map(of), [
    [1, 40, 8],
    [100, 40, 8],
    [300, 35, 16],
    [1000, 19, 16],
    [4096, 9, 64],
    [10_000, 6, 64],
    [50_000, 4, 64],
  ]);
  for (let images = 256; images < 5000; images += 37) {
    const { epochs, batchSize } = fineTuningDefaults(images);
    const steps = epochs * Math.ceil(images / batchSize);
    // A power of two is up to twice too small.
    assert.ok(steps > 500 && steps < 1350, `${images}: ${steps}`);
  }
});

test("a flag wins over its default, a recipe over all; a place in the recipe counts as its flag", () => {
  assert.deepEqual(openKeys({ from: "runs/a" }, {}), ["epochs", "batchSize", "schedule"]);
  assert.deepEqual(openKeys({ epochs: 3 }, {}), ["batchSize", "schedule"]);
  assert.deepEqual(openKeys({ batchSize: 4, everyEpochs: 2 }, {}), ["epochs"]);
  assert.deepEqual(openKeys({}, { "schedule.floor": 0.1, epochs: 3 }), ["batchSize"]);
  assert.deepEqual(openKeys({ recipe: "photos" }, {}), []);
  const recipe = findRecipe("photos");
  assert.equal(withFineTuningDefaults(recipe, [], 100), undefined);
  assert.deepEqual(withFineTuningDefaults(recipe, ["batchSize", "schedule"], 100), {
    recipe: { ...recipe, batchSize: 8, schedule: { kind: "cosine", floor: 0 } },
    message: "fine-tuning: batches of 8, cosine schedule (defaults for 100 images)",
  });
});
