/** Settings that meet others: one that overrides another, and combinations that cannot train. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadModel } from "../src/checkpoint/model.ts";
import { ConfigError } from "../src/errors.ts";
import { batchNorm2d, conv2d, flatten, linear, maxPool2d } from "../src/layers/kinds.ts";
import { resolve } from "../src/settings/resolve.ts";
import { readSettingsFile } from "../src/settings/settingsFile.ts";
import type { TrainOptions } from "../src/trainer/trainClassifier.ts";
import { parseRecipe } from "../src/training/recipe.ts";
import { advance, initialScheduleState } from "../src/training/schedule.ts";
import { sweepPlanSchema, trialsOf } from "../src/tuning/sweepPlan.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder = "";
const at = (name: string) => join(folder, name);
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-combinations-"));
  await writeTinyDataset(folder, { train: 61, test: 20 });
});
after(() => rm(folder, { recursive: true }));

const tiny = parseRecipe({
  name: "tiny",
  epochs: 2,
  batchSize: 20,
  learningRate: 0.02,
  optimizer: { momentum: 0.9 },
  initializer: { weight: { kind: "heNormal" } },
  normalization: "standard",
});

function train(run: string, options: TrainOptions = {}) {
  return trainWithoutReport({ threads: 1, dataDir: folder, run: at(run), ...options });
}

const fresh = { network: tinyNetwork, recipe: tiny } as const;

async function storedRecipe(run: string) {
  return JSON.parse(await readFile(join(at(run), "config.json"), "utf8")).recipe;
}

test("intervals of a step schedule: both flags stay, a flag overrides a file's, a trial the base's, and a run resumes with its flags", async () => {
  const both = await resolve({ recipe: "photos", dataset: "cifar10", everyEpochs: 15, everyFraction: 0.1 });
  assert.deepEqual(both.recipe.schedule, { kind: "step", everyEpochs: 15, everyFraction: 0.1, factor: 0.1 });
  const base = { recipe: "photos", dataset: "cifar10", everyFraction: 0.5 };
  await writeFile(at("settings.json"), JSON.stringify(base));
  const { settings } = await readSettingsFile(at("settings.json"), { everyEpochs: 3 });
  assert.deepEqual((await resolve(settings)).recipe.schedule, { kind: "step", everyEpochs: 3, factor: 0.1 });
  const trials = await trialsOf(sweepPlanSchema.parse({ base, grid: { everyEpochs: [2, 4] } }));
  assert.deepEqual(
    trials.map(({ plan }) => plan.recipe.schedule),
    [2, 4].map((everyEpochs) => ({ kind: "step", everyEpochs, factor: 0.1 })),
  );
  const placed = await resolve(base, { places: { "schedule.at": [0.5] } });
  assert.deepEqual(placed.recipe.schedule, { kind: "step", at: [0.5], factor: 0.1 });
  const listed = { ...tiny, schedule: { kind: "step", at: [0.5], factor: 0.1 } } as const;
  for (const [name, options] of [
    ["both", { recipe: { ...tiny, schedule: { kind: "step", factor: 0.1 } }, everyEpochs: 3, everyFraction: 0.1 }],
    ["listed", { recipe: listed, everyEpochs: 1 }],
  ] as const) {
    const given = { network: tinyNetwork, epochs: 1, ...options } as TrainOptions;
    await train(name, given);
    assert.equal((await train(name, { ...given, resume: true })).end, "already finished");
  }
});

test("nesterov false removes it, in a sweep and on resume", async () => {
  const plan = sweepPlanSchema.parse({
    base: { recipe: "modern-small", dataset: "cifar10" },
    grid: { nesterov: [true, false] },
  });
  const forms = (await trialsOf(plan)).map(
    ({ plan: { recipe } }) => "form" in recipe.optimizer && recipe.optimizer.form,
  );
  assert.equal(forms[0], "nesterov");
  assert.notEqual(forms[1], "nesterov");
  const recipe = { ...tiny, epochs: 1, optimizer: { ...tiny.optimizer, form: "nesterov" } } as typeof tiny;
  await train("nesterov", { ...fresh, recipe, nesterov: false });
  assert.notEqual((await storedRecipe("nesterov")).optimizer.form, "nesterov");
  assert.equal((await train("nesterov", { nesterov: false, resume: true })).end, "already finished");
});

test("more epochs: refused after a shortened warm-up; a run that stopped early says so", async () => {
  await train("warm", { ...fresh, recipe: { ...tiny, warmup: 5 } });
  await assert.rejects(train("warm", { resume: true, epochs: 6 }), {
    name: "ConfigError",
    message: /resume: --epochs 6: the warm-up of 5 epochs was shortened to the 2 epochs of the run; .*--from/,
  });
  await train("early", { ...fresh, earlyStopping: { patience: 1, minDelta: 0.9 }, epochs: 8 });
  const messages: string[] = [];
  const { end } = await train("early", {
    resume: true,
    epochs: 20,
    observer: { onMessage: (message) => void messages.push(message) },
  });
  assert.equal(end, "already finished");
  assert.match(messages.join("\n"), /early: stopped early after epoch 2; to train on, start a new run with --from/);
});

test("plateau: the first evaluation counts as better, with an accuracy of 0 too", () => {
  const factors = [0, 0.1].map((testAccuracy) => {
    let state = initialScheduleState;
    return [1, 2, 3].map((done) => {
      const plateau = { kind: "plateau", factor: 0.1, patience: 2, reductions: 3 } as const;
      state = advance(plateau, state, { done, total: 10 }, { testAccuracy, testLoss: 1 }, "accuracy");
      return state.factor;
    });
  });
  assert.deepEqual(factors, [
    [1, 1, 0.1],
    [1, 1, 0.1],
  ]);
});

test("what cannot train is refused before anything is written or computed", async () => {
  await train("old", { ...fresh, epochs: 1 });
  const messages: string[] = [];
  const observer = { onMessage: (message: string) => void messages.push(message) };
  const cached = { from: at("old"), freeze: ["conv1"], cutmix: 1, observer } as const;
  await assert.rejects(train("cutmix", cached), /cutmix: expected images, got cached features of frozen layers/);
  assert.doesNotMatch(messages.join("\n"), /features/);
  // A run of an earlier version, which wrote its directory before it refused.
  await train("spoilt", { ...cached, cutmix: 0, epochs: 1 });
  const config = JSON.parse(await readFile(at("spoilt/config.json"), "utf8"));
  await writeFile(at("spoilt/config.json"), JSON.stringify({ ...config, recipe: { ...config.recipe, cutmix: 1 } }));
  await assert.rejects(train("spoilt", { resume: true }), /cutmix: expected images, got cached features/);
  const layers = [
    conv2d("conv1", { outChannels: 4, kernelSize: 5, stride: 4 }),
    maxPool2d("pool1", { kernelSize: 6, stride: 6 }),
    batchNorm2d("norm1"),
    flatten("flatten"),
    linear("fc2", { outFeatures: 10 }),
  ];
  const single = { ...tinyNetwork, layers };
  await assert.rejects(
    train("single", { ...fresh, network: single }),
    /^ConfigError: batchSize: expected at least 2 images in every batch, whose statistics norm1 computes, got 1 in the last of an epoch \(61 images/,
  );
  await train("several", { ...fresh, network: single, batchSize: 21, epochs: 1 });
  const means = { ...tiny, normalization: "mean-image", fit: "crop" } as const;
  await train("means", { ...fresh, recipe: means, epochs: 1 });
  for (const fit of ["resize", "pad"] as const) {
    await assert.rejects(
      train(`means-${fit}`, { from: at("means"), fit, epochs: 1 }),
      (error) =>
        error instanceof ConfigError && /mean image, got images of .*; choose a --normalization/.test(error.message),
    );
  }
  for (const run of ["cutmix", "single", "means-resize", "means-pad"]) assert.ok(!existsSync(at(run)), run);
});

test("a random augmentation of a sweep is not lost to an empty list of the base", async () => {
  await train("base", { ...fresh, epochs: 1 });
  const plan = sweepPlanSchema.parse({
    base: { dataDir: folder, from: at("base"), freeze: ["conv1"], augment: [], threads: 1 },
    grid: { "augmentation.flip": [0.5] },
  });
  const [trial] = await trialsOf(plan);
  assert.deepEqual(trial?.plan.initFrom?.augment, ["flip"]);
});

test("the weights of training have no figures of the averaged ones", async () => {
  await train("average", { ...fresh, average: 0.9 });
  const [last, best] = await Promise.all(
    ["last", "best"].map((name) => loadModel(join(at("average"), `${name}.safetensors`))),
  );
  assert.equal(last?.metrics["testAccuracy"], undefined);
  assert.ok(Number.isFinite(last?.metrics["trainLoss"]) && Number.isFinite(best?.metrics["testAccuracy"]));
});
