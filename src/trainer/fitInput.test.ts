import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyNetwork } from "../../test/tinyRuns.ts";
import { fromArrays } from "../dataset/arrays.ts";
import { createPreprocessor } from "../image/prepare/preprocess.ts";
import { fillUniform, randomStream } from "../random.ts";
import { findRecipe } from "../training/recipe.ts";
import { fitInput } from "./fitInput.ts";

test("standard normalization of colour for a network of one channel: the inputs have mean 0 and deviation 1", async () => {
  const [count, size] = [40, 28 * 28 * 3];
  // Independent colours: the deviation of luma is well below the mean of the colours' deviations.
  const pixels = new Float32Array(count * size);
  fillUniform(randomStream(3, "pixels"), 0, pixels, 0, 1);
  const labels = Array.from({ length: count }, (_, i) => i % 2);
  const dataset = fromArrays(pixels, labels, { width: 28, height: 28, channels: 3 });
  for (const kind of ["resize", "native"] as const) {
    const fitting = { size: [28, 28], channels: 1, fit: { kind }, resize: "bilinear" } as const;
    const { preprocessing } = await fitInput(findRecipe("fashion"), tinyNetwork, dataset, fitting);
    const prepare = createPreprocessor(preprocessing);
    const [input, all]: [Float32Array, number[]] = [new Float32Array(28 * 28), []];
    for (let i = 0; i < dataset.train.length; i++) {
      prepare(dataset.train.image(i), input, 0);
      all.push(...input);
    }
    const mean = all.reduce((sum, x) => sum + x, 0) / all.length;
    const deviation = Math.sqrt(all.reduce((sum, x) => sum + (x - mean) ** 2, 0) / all.length);
    assert.ok(Math.abs(mean) < 0.01 && Math.abs(deviation - 1) < 0.01, `${kind}: ${mean}, ${deviation}`);
  }
});
