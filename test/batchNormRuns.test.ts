/** Runs of a network with batch normalization: the statistics are part of every checkpoint. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { UnimplementedError } from "../src/errors.ts";
import { exportModel } from "../src/exchange/exportModel.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { batchNorm2d } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import type { OpenOptions } from "../src/model/openModel.ts";
import type { Network } from "../src/network/network.ts";
import type { TrainOptions } from "../src/trainer/trainClassifier.ts";
import { testFolder } from "./testFolder.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { accuracyOn, tensorsIn, trainFor } from "./trainedRuns.ts";

const norm = (name: string) => batchNorm2d(name) as AnyLayer;
const network: Network = {
  ...tinyNetwork,
  name: "tiny-norm",
  layers: tinyNetwork.layers.flatMap((layer) => (layer.name === "norm1" ? [] : [layer])).toSpliced(1, 0, norm("norm1")),
};

let options: TrainOptions;
const at = testFolder("batch-norm-runs", async (path) => {
  await writeTinyDataset(path(""), { train: 400, test: 100 });
  options = { network, dataDir: path(""), threads: 1, batchSize: 48, epochs: 3, precision: "f32" };
});

const train = (run: string, given: TrainOptions, iterations = Infinity) =>
  trainFor(iterations, { ...given, run: at(run) });
const accuracyOf = (path: string, more: OpenOptions = {}) => accuracyOn(at(""), path, more);

const variants: Readonly<Record<string, TrainOptions>> = {
  "with momentum": {},
  "averaged, over two batches a step": { average: 0.9, accumulate: 2 },
  "in bf16": { precision: "bf16" },
};

for (const [name, more] of Object.entries(variants)) {
  test(`stopped and resumed, a run ends to the bit as if undisturbed: ${name}`, async (t) => {
    try {
      await train(`${name}-whole`, { ...options, ...more });
    } catch (error) {
      if (!(error instanceof UnimplementedError) || more.precision !== "bf16") throw error;
      t.skip(error.message);
      return;
    }
    // 400 images in batches of 48: the last of each epoch has 16.
    await train(`${name}-parts`, { ...options, ...more }, 5);
    await train(`${name}-parts`, { resume: true }, 6);
    await train(`${name}-parts`, { resume: true });
    assert.deepEqual(await lastWeights(at(`${name}-parts`)), await lastWeights(at(`${name}-whole`)));
    assert.deepEqual(await timelessLog(at(`${name}-parts`)), await timelessLog(at(`${name}-whole`)));
  });
}

test("the statistics are learned, saved, and used at evaluation", async () => {
  const run = at("with momentum-whole");
  const tensors = await tensorsIn(`${run}/last.safetensors`);
  const [mean, variance] = ["mean", "var"].map((role) => tensors.get(`features.1.running_${role}`)) as Float32Array[];
  assert.ok(mean?.some((value) => Math.abs(value) > 1e-3) && variance?.every((value) => value > 0 && value !== 1));
  const log = await timelessLog(run);
  const best = Math.max(...log.map(({ testAccuracy = 0 }) => testAccuracy));
  assert.ok(best > 0.5, `learned: ${best}`);
  assert.equal(await accuracyOf(run), best, "evaluation of the best weights is that of the log");
});

test("averaged weights are saved with the statistics of the weights that they are averages of", async () => {
  // The weights of a single epoch are the last and the best.
  await train("averaged", { ...options, average: 0.9, epochs: 1 });
  const [last, best] = [
    await tensorsIn(at("averaged/last.safetensors")),
    await tensorsIn(at("averaged/best.safetensors")),
  ];
  const names = [...best.keys()].filter((name) => name.includes("running_"));
  assert.equal(names.length, 2);
  for (const name of names) assert.deepEqual(best.get(name), last.get(name));
  assert.notDeepEqual(best.get("features.0.weight"), last.get("features.0.weight"));
});

test("exported and imported, it has the same accuracy; in int8 nearly the same", async () => {
  const run = at("with momentum-whole");
  const accuracy = await accuracyOf(run);
  for (const extension of ["onnx", "pth", "safetensors"]) {
    await exportModel(run, at(`out.${extension}`));
    await importModel(at(`out.${extension}`), at(`from-${extension}`), { like: run });
    assert.equal(await accuracyOf(at(`from-${extension}`)), accuracy, extension);
  }
  const int8 = await accuracyOf(run, { precision: "int8" });
  // A few images lie on the edge between two classes.
  assert.ok(Math.abs(int8 - accuracy) <= 0.03, `${int8}, f32 ${accuracy}`);
  await exportModel(run, at("int8.onnx"), { int8: { threads: 1, dataDir: at("") } });
  assert.ok((await readFile(at("int8.onnx"))).length > 0);
});

test("a run that diverges goes back to the statistics of its checkpoint", async () => {
  const settings = { ...options, onDivergence: "rollback", rollbackFactor: 2 ** -100 } as const;
  await train("rolled", settings, 12);
  const before = await tensorsIn(at("rolled/last.safetensors"));
  const file = at("rolled/config.json");
  const config = JSON.parse(await readFile(file, "utf8"));
  const rate = config.recipe.learningRate;
  config.recipe.learningRate = rate * 2 ** 100;
  await writeFile(file, JSON.stringify(config));
  await train("rolled", { resume: true });
  await train("unfaulted", options, 12);
  assert.deepEqual(await tensorsIn(at("unfaulted/last.safetensors")), before);
  await train("unfaulted", { resume: true });
  assert.deepEqual(await tensorsIn(at("rolled/last.safetensors")), await tensorsIn(at("unfaulted/last.safetensors")));
});

test("frozen, a layer keeps its statistics; cached features are those of the running ones", async () => {
  const from = at("with momentum-whole");
  const start = await tensorsIn(`${from}/best.safetensors`);
  for (const keptViews of [0, 1]) {
    await train(`tuned-${keptViews}`, { ...options, epochs: 1, from, freeze: ["conv"], keptViews });
    const tuned = await tensorsIn(at(`tuned-${keptViews}/last.safetensors`));
    for (const name of [
      "features.0.weight",
      "features.1.weight",
      "features.1.running_mean",
      "features.1.running_var",
    ]) {
      assert.deepEqual(tuned.get(name), start.get(name), `${name}, ${keptViews} views`);
    }
  }
});

test("initialized and trained, it takes the learning rate factor for its weights; the statistics follow the new images", async () => {
  const from = at("with momentum-whole");
  const start = await tensorsIn(`${from}/best.safetensors`);
  await train("tuned", { ...options, from, oldLayersRate: 0 }, 3);
  const tuned = await tensorsIn(at("tuned/last.safetensors"));
  assert.deepEqual(tuned.get("features.1.weight"), start.get("features.1.weight"));
  assert.notDeepEqual(tuned.get("features.1.running_mean"), start.get("features.1.running_mean"));
});
