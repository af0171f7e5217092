/** Runs whose first convolution starts with the principal components of the training images' patches. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { conv2d } from "../src/layers/kinds.ts";
import { initialValues } from "../src/network/initialize.ts";
import type { Network } from "../src/network/network.ts";
import type { TrainOptions } from "../src/trainer/trainClassifier.ts";
import { findRecipe, parseRecipe } from "../src/training/recipe.ts";
import { testFolder } from "./testFolder.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { tensorsIn, trainFor } from "./trainedRuns.ts";

const recipe = parseRecipe({
  ...findRecipe("fashion"),
  name: "whitened",
  batchSize: 48,
  epochs: 2,
  initializer: { weight: { kind: "xavierUniform" }, layers: { conv1: { kind: "whitening" } } },
});

let options: TrainOptions;
const at = testFolder("whitening", async (path) => {
  await writeTinyDataset(path(""), { train: 400, test: 100 });
  options = { network: tinyNetwork, recipe, dataDir: path(""), threads: 1, precision: "f32" };
});

const train = (run: string, given: TrainOptions, iterations = Infinity) =>
  trainFor(iterations, { ...given, run: at(run) });

test("kernels are pairs of a component, scaled to variance 1, and its negative; config.json has the components", async () => {
  const kept = parseRecipe({ ...recipe, multipliers: { "conv1.weight": { learningRate: 0, weightDecay: 0 } } });
  await train("kept", { ...options, recipe: kept }, 2);
  const kernels = (await tensorsIn(at("kept/last.safetensors"))).get("features.0.weight") ?? new Float32Array();
  const { eigenvalues, eigenvectors } = JSON.parse(await readFile(at("kept/config.json"), "utf8")).patches;
  const length = eigenvectors[0].length;
  assert.deepEqual([kernels.length, length], [8 * 25, 25]);
  for (let k = 0; k < 8; k++) {
    const scale = (k % 2 === 0 ? 1 : -1) / Math.sqrt(eigenvalues[Math.floor(k / 2)] + 5e-4);
    const expected = eigenvectors[Math.floor(k / 2)].map((entry: number) => Math.fround(entry * scale));
    assert.deepEqual([...kernels.slice(k * length, (k + 1) * length)], expected, `kernel ${k}`);
  }
});

test("grey in three channels has a third of the components: further kernels are drawn", () => {
  const length = 3 * 25;
  const eigenvectors = Array.from({ length }, (_, i) => Array.from({ length }, (_, j) => Number(i === j)));
  const eigenvalues = eigenvectors.map((_, i) => (i < 25 ? 1 / (1 + i) : 1e-16));
  const network = { ...tinyNetwork, input: [3, 28, 28] as const };
  const layers = tinyNetwork.layers.map((layer) =>
    layer.name === "conv1" ? conv2d("conv1", { outChannels: 64, kernelSize: 5 }) : layer,
  );
  const patches = { eigenvalues, eigenvectors };
  const [first] = initialValues({ ...network, layers } as Network, recipe.initializer, 0, { patches });
  const kernels = first?.values ?? new Float32Array();
  assert.equal(kernels.length, 64 * length);
  const isWhite = (k: number) => kernels.subarray(k * length, (k + 1) * length).filter((x) => x !== 0).length === 1;
  assert.deepEqual([isWhite(49), isWhite(50), isWhite(63)], [true, false, false]);
});

test("stopped and resumed, a run ends to the bit as if undisturbed", async () => {
  await train("whole", options);
  await train("parts", options, 5);
  await train("parts", { resume: true });
  assert.deepEqual(await lastWeights(at("parts")), await lastWeights(at("whole")));
  assert.deepEqual(await timelessLog(at("parts")), await timelessLog(at("whole")));
});

test("other recipes store no components", async () => {
  await train("plain", { ...options, recipe: "fashion", epochs: 0.2 });
  assert.equal(JSON.parse(await readFile(at("plain/config.json"), "utf8")).patches, undefined);
});
