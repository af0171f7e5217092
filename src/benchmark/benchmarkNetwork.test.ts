import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyNetwork } from "../../test/tinyRuns.ts";
import { createReferenceEngine } from "../engine/reference/reference.ts";
import { findNetwork } from "../network/alexnet.ts";
import { findRecipe } from "../training/recipe.ts";
import { measureNetwork } from "./benchmarkNetwork.ts";
import { directFlops } from "./profile.ts";

test("a step's arithmetic: two operations per MAC, three passes, two for the first layer", () => {
  // Krizhevsky et al. 2012: 724,406,816 MACs per image, of which conv1, 55×55 positions of 96 kernels of 11×11×3, has 105,415,200.
  assert.equal(directFlops(findNetwork("alexnet"), 128), 2 * 128 * (3 * 724_406_816 - 105_415_200));
});

test("a round's figures agree with each other", async () => {
  const engine = createReferenceEngine();
  const batchSize = 4;
  const measured = await measureNetwork(
    engine,
    tinyNetwork,
    { precision: "f32", batchSize, exact: true },
    findRecipe("fashion"),
  );
  const { imagesPerSecond, stepSeconds, flopsPerSecond, primitiveShare, reorderShare, outsideShare, peakMemoryBytes } =
    measured.training;
  const seconds = stepSeconds.median;
  // Two roundings.
  assert.ok(Math.abs(imagesPerSecond.median * seconds - batchSize) < 1e-12);
  assert.ok(Math.abs((flopsPerSecond.median * seconds) / directFlops(tinyNetwork, batchSize) - 1) < 1e-12);
  // This engine records no profile.
  assert.deepEqual([primitiveShare.median, reorderShare.median, outsideShare.median], [0, 0, 1]);
  assert.deepEqual(measured.layers, []);
  // Node.js alone takes tens of megabytes: neither kilobytes nor pages were counted.
  assert.ok(peakMemoryBytes.median > 2e7 && peakMemoryBytes.median < 2e10, `${peakMemoryBytes.median} bytes`);
  assert.deepEqual(
    measured.inference.map((inference) => inference.batchSize),
    [1, batchSize],
  );
  for (const { imagesPerSecond: rate } of measured.inference)
    assert.ok(rate.median > 0 && Number.isFinite(rate.median));
  engine.close();
});
