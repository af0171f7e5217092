import assert from "node:assert/strict";
import { test } from "node:test";
import { createReferenceEngine } from "../engine/reference/reference.ts";
import { batchNorm2d, conv2d, dropout, flatten, linear, maxPool2d, relu } from "../layers/kinds.ts";
import type { AnyLayer } from "../layers/layer.ts";
import { writeWeights } from "../model/networkModel.ts";
import { initialValues } from "../network/initialize.ts";
import { type Network, operations } from "../network/network.ts";
import { findRecipe } from "../training/recipe.ts";
import { createClassActivator, featureMapLayer } from "./classActivation.ts";

const layers = [
  conv2d("conv1", { outChannels: 3, kernelSize: 3, padding: 1 }),
  relu("relu1"),
  maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
  flatten("flatten"),
  dropout("drop2", { probability: 0.5 }),
  linear("fc2", { outFeatures: 4 }),
] as readonly AnyLayer[];
const network: Network = { name: "small", source: "", deviations: [], input: [1, 6, 6], layers };

test("class activation is the definition with derivatives by finite differences, at the activation of the last convolution", async () => {
  const drawn = initialValues(network, findRecipe("flowers").initializer, 1);
  const weights = new Map([...drawn].map(({ name, values }) => [name, values]));
  const engine = createReferenceEngine();
  const activator = await createClassActivator({ network, weights, exact: false }, engine);
  assert.equal(activator.layer, "relu1");
  const maps = Float32Array.from({ length: 3 * 36 }, (_, i) => ((i * 37) % 101) / 50);
  const made = await activator.compute(maps, 2);
  assert.deepEqual([made.height, made.width], [6, 6]);

  const tail = { ...network, input: [3, 6, 6] as const, layers: layers.slice(2) };
  const program = await engine.compile({
    ops: operations(tail),
    inputShape: tail.input,
    batchSize: 1,
    precision: "f32",
  });
  await writeWeights(program, program.parameters, weights);
  const scoreOf = async (values: Float32Array) =>
    (await program.forward(values, 1, { seed: 0, first: 0 }))[2] as number;
  const [plain, step] = [await scoreOf(maps), 1 / 256];
  const sums = [0, 0, 0];
  for (let i = 0; i < maps.length; i++) {
    const moved = maps.slice();
    moved[i] = (moved[i] as number) + step;
    const k = Math.floor(i / 36);
    sums[k] = (sums[k] as number) + ((await scoreOf(moved)) - plain) / step;
  }
  const raw = Array.from({ length: 36 }, (_, p) =>
    Math.max(
      0,
      sums.reduce((sum, a, k) => sum + (a / 36) * (maps[36 * k + p] as number), 0),
    ),
  );
  const most = Math.max(...raw);
  // The scores are piecewise linear in the maps, so that differences err by rounding in f32 alone: about 1e-7 / step for each of 36 terms.
  for (const [p, value] of raw.entries())
    assert.ok(Math.abs((made.values[p] as number) - value / most) < 2e-3, String(p));
  activator.close();
  engine.close();
});

test("the maps are those of the last convolution, though channels are normalized after a pool", () => {
  const normalized = layers.toSpliced(3, 0, batchNorm2d("norm2") as AnyLayer);
  assert.equal(featureMapLayer({ ...network, layers: normalized }), "relu1");
  assert.equal(
    featureMapLayer({ ...network, layers: layers.toSpliced(1, 0, batchNorm2d("norm1") as AnyLayer) }),
    "relu1",
  );
});
