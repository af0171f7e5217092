/** `train --config FILE.json`: settings by their names, and the config.json of a run, which is started again to the bit. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { resolve } from "../src/settings/resolve.ts";
import { at, flagOf, type Members, replaced, type SettingTable } from "../src/settings/setting.ts";
import { type RunSettings, settings } from "../src/settings/settings.ts";
import { readSettingsFile } from "../src/settings/settingsFile.ts";
import { type TrainOptions, trainClassifier, trainRun } from "../src/trainer/trainClassifier.ts";
import { findRecipe } from "../src/training/recipe.ts";
import { restoreVersion } from "./earlierVersionFiles.ts";
import { runMain } from "./mainOutput.ts";
import { noise, writePicture } from "./packPictures.ts";
import { root } from "./sourceFiles.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

let folder: string;
const cacheBefore = process.env["XDG_CACHE_HOME"];

before(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "alexnet-settings-file-")));
  process.env["XDG_CACHE_HOME"] = join(folder, "cache");
  await mkdir(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 96, test: 20 });
});
after(async () => {
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
  await rm(folder, { recursive: true });
});

/** Writes a file, reads its settings. */
async function read(name: string, json: unknown, flags: RunSettings = {}) {
  await writeFile(join(folder, name), JSON.stringify(json));
  return readSettingsFile(join(folder, name), flags);
}

/** Two values of each setting. */
const samples: {
  readonly [K in keyof RunSettings]-?: readonly [NonNullable<RunSettings[K]>, NonNullable<RunSettings[K]>];
} = {
  dataset: ["cifar10", "flowers"],
  network: [tinyNetwork, "alexnet"],
  recipe: ["d2l", findRecipe("photos")],
  epochs: [0.5, 3],
  batchSize: [16, 8],
  learningRate: [0.1, 0.2],
  baseBatchSize: [128, 64],
  inputSize: [32, 64],
  seed: [1, 2],
  dataDir: ["a", "b"],
  labels: ["labels.csv", "other.csv"],
  imageColumn: ["id", "file"],
  labelColumn: ["breed", "label"],
  splitColumn: ["split", "part"],
  labelSeparator: [";", "|"],
  labelColumns: [["cat", "dog"], ["cat"]],
  groupColumn: ["patient", "site"],
  folds: [5, 10],
  fold: [1, 2],
  classes: ["classes.txt", "names.txt"],
  classOrder: ["natural", "text"],
  trainLimit: [10, 20],
  testLimit: [10, 20],
  validationShare: [0.1, 0.2],
  maxBad: [0, 0.5],
  fit: ["pad", "crop"],
  filter: ["bicubic", "bilinear"],
  normalization: ["unit", "mean"],
  augment: [["flip"], []],
  schedule: [{ kind: "step", everyEpochs: 2, factor: 0.5 }, "cosine"],
  everyEpochs: [10, 20],
  everyFraction: [0.25, 0.5],
  monitor: ["loss", "accuracy"],
  warmup: [1, 0],
  earlyStopping: [{ patience: 3, minDelta: 0.001 }, 4],
  labelSmoothing: [0.1, 0],
  mixup: [0.2, 0],
  cutmix: [1, 0],
  classWeights: [{ Shirt: 2 }, "balanced"],
  positiveWeights: [{ Shirt: 2 }, 3],
  thresholds: ["fitted", "fixed"],
  sampler: ["balanced", "shuffle"],
  optimizer: [{ kind: "sgd", form: "pytorch", momentum: 0.5, weightDecay: 0 }, "adam"],
  momentum: [0.5, 0],
  nesterov: [true, false],
  weightDecay: [0.1, 0],
  clipNorm: [1, 2],
  accumulate: [2, 1],
  average: [0.9, 0.99],
  from: ["runs/a", "torchvision"],
  freeze: [["conv"], ["none"]],
  oldLayersRate: [0.5, 0],
  keptViews: [2, 0],
  onDivergence: ["rollback", "stop"],
  rollbackFactor: [0.5, 0.1],
  maxRollbacks: [1, 2],
  engine: ["reference", "onednn"],
  precision: ["f32", "bf16"],
  exact: [true, false],
  threads: [1, 2],
};

test("settings by their names: each is read, a flag overrides it and that is said", async () => {
  assert.deepEqual(Object.keys(samples).sort(), Object.keys(settings).sort());
  const rows: SettingTable = settings;
  for (const [key, [value, other]] of Object.entries(samples)) {
    const { settings: alone, messages: silent } = await read("one.json", { [key]: value });
    assert.deepEqual([alone, silent], [{ [key]: value }, []], key);
    const { settings: given, messages } = await read("one.json", { [key]: value }, { [key]: other });
    assert.deepEqual(given, { [key]: other }, key);
    const flag = flagOf(key, rows[key] as SettingTable[string]);
    assert.equal(messages.length, 1, key);
    assert.ok(
      messages[0]?.startsWith(`${flag} `) && messages[0].endsWith(` from ${join(folder, "one.json")}`),
      messages[0],
    );
  }
  const all = Object.fromEntries(Object.entries(samples).map(([key, [value]]) => [key, value]));
  assert.deepEqual((await read("all.json", all)).settings, all);
  assert.deepEqual((await read("all.json", all, { epochs: 0.5 })).messages, [], "the same value overrides nothing");
});

test("what does not fit is an error of usage that names it, and the run directory is not taken from a file", async () => {
  const refused: readonly (readonly [json: unknown, says: RegExp])[] = [
    [{ lerningRate: 1 }, /wrong\.json: .*"lerningRate"/s],
    [{ run: "runs/a" }, /wrong\.json: .*"run"/s],
    [{ resume: true }, /wrong\.json: .*"resume"/s],
    [{ epochs: -1 }, /wrong\.json: .*epochs/s],
    [{ recipe: { name: "r" } }, /wrong\.json: .*recipe/s],
    [[], /wrong\.json/],
  ];
  for (const [json, says] of refused) {
    await assert.rejects(read("wrong.json", json), (error: Error & { exitCode?: number }) => {
      assert.deepEqual([error.name, error.exitCode], ["UsageError", 2]);
      assert.match(error.message, says);
      return true;
    });
  }
  const file = join(folder, "wrong.json");
  await writeFile(file, "{");
  await assert.rejects(readSettingsFile(file, {}), /^ConfigError: .*wrong\.json: expected a JSON file/);
  await writeFile(file, JSON.stringify({ lerningRate: 1 }));
  assert.equal((await runMain("train", "--config", file, "--run", join(folder, "never"))).exit, 2);
  assert.ok(!(await readdir(folder)).includes("never"));
});

/** Trains a run, and once more from its config.json: the same weights, log and configuration. */
async function trainTwice(name: string, options: TrainOptions): Promise<Members> {
  const [first, again] = [join(folder, name), join(folder, `${name}-again`)];
  await trainClassifier({ threads: 1, epochs: 2, batchSize: 16, ...options, run: first });
  const file = await readSettingsFile(join(first, "config.json"), {});
  assert.deepEqual(file.messages, []);
  const messages: string[] = [];
  const onMessage = (message: string) => messages.push(message);
  await trainRun(await resolve({ ...file.settings, run: again }, file), { observer: { onMessage } });
  assert.ok((await lastWeights(again)).equals(await lastWeights(first)), `${name}: weights differ`);
  assert.deepEqual(await timelessLog(again), await timelessLog(first));
  assert.doesNotMatch(messages.join("\n"), /other images/);
  const [a, b] = await Promise.all([first, again].map(configOf));
  assert.deepEqual({ ...b, started: a?.["started"], command: a?.["command"] }, a);
  return a as Members;
}

async function configOf(run: string): Promise<Members> {
  return JSON.parse(await readFile(join(run, "config.json"), "utf8"));
}

test("a run is started again to the bit: network, optimizer, schedule, loss and initializer as JSON", async () => {
  const data = { dataDir: join(folder, "data"), network: tinyNetwork };
  await trainTwice("plain", data);
  await trainTwice("many", {
    ...data,
    recipe: {
      ...findRecipe("fashion"),
      initializer: {
        weight: { kind: "heNormal" },
        layers: { conv1: { kind: "whitening" } },
        bias: "zero",
        ones: ["fc2"],
      },
    },
    precision: "f32",
    exact: true,
    seed: 7,
    trainLimit: 64,
    testLimit: 10,
    optimizer: "adamw",
    clipNorm: 1,
    accumulate: 2,
    average: 0.9,
    schedule: { kind: "step", everyEpochs: 1, factor: 0.5 },
    warmup: 0.5,
    labelSmoothing: 0.1,
    mixup: 0.2,
    classWeights: "balanced",
    sampler: "balanced",
    earlyStopping: { patience: 4, minDelta: 0.01 },
    augment: ["flip", "lighting"],
    normalization: "mean",
    inputSize: 24,
    onDivergence: "rollback",
    rollbackFactor: 0.5,
    maxRollbacks: 2,
  });
  await trainTwice("slow", { ...data, engine: "reference", trainLimit: 16, testLimit: 10, epochs: 1 });
});

test("… of a folder, at the images' own size, and with weights to begin with, their scale or another", async () => {
  const photos = join(folder, "photos");
  for (const [label, name] of ["a", "b"].entries()) {
    for (let i = 0; i < 16; i++) await writePicture(photos, `${name}/${i}.png`, noise(100 * label + i, 28, 28, 3));
  }
  const base = { dataset: photos, batchSize: 4, validationShare: 0.25, maxBad: 0.1 };
  await trainTwice("folder", { ...base, network: tinyNetwork, recipe: "photos", fit: "resize" });
  await trainTwice("native", { ...base, network: tinyNetwork, fit: "native", epochs: 1 });
  const from = join(folder, "plain");
  const tuned = await trainTwice("tuned", { ...base, from, freeze: ["conv"], keptViews: 2, oldLayersRate: 0.5 });
  assert.equal(at(tuned, "fineTuning.keptViews"), 2);
  await trainTwice("tuned-once", { ...base, from, freeze: ["conv"], recipe: "photos" });
  // Its scale is the folder's own, and of the same name as that of the weights.
  const scaled = await trainTwice("tuned-scaled", {
    ...base,
    from,
    normalization: "standard",
    inputSize: 24,
    fit: "crop",
  });
  assert.notDeepEqual(at(scaled, "preprocessing.mean"), at(tuned, "preprocessing.mean"));

  // Images that are others by now are said to be.
  await writePicture(photos, "a/new.png", noise(1, 28, 28, 3));
  const file = await readSettingsFile(join(folder, "folder/config.json"), { epochs: 1 });
  const messages: string[] = [];
  await trainRun(await resolve({ ...file.settings, run: join(folder, "changed") }, file), {
    observer: { onMessage: (message) => messages.push(message) },
  });
  assert.match(
    messages.join("\n"),
    /photos: other images than those of the run that is repeated; the weights will differ/,
  );

  // So are weights.
  const config = await configOf(join(folder, "tuned"));
  const other = replaced(config, "fineTuning.checksum", "0".repeat(64));
  await assert.rejects(
    read("other-weights.json", other),
    /^CheckpointError: .*expected the weights that the run started from/,
  );
  assert.equal(
    (await read("other-weights.json", other, { from: join(folder, "many") })).settings.from,
    join(folder, "many"),
  );
});

test("config.json: flags override it and that is said; unknown keys are named; resume takes it as its own settings", async () => {
  const config = await configOf(join(folder, "many"));
  const {
    messages,
    settings: given,
    repeats,
  } = await read("many.json", config, {
    learningRate: 0.5,
    schedule: "cosine",
    augment: ["flip"],
    classWeights: "balanced",
    trainLimit: 32,
    threads: 2,
    network: "alexnet-fashion",
  });
  const path = join(folder, "many.json");
  assert.deepEqual(messages, [
    `--network alexnet-fashion overrides tiny from ${path}`,
    `--learning-rate 0.5 overrides 0.01 from ${path}`,
    `--train-limit 32 overrides 64 from ${path}`,
    `--augment flip overrides flip,lighting from ${path}`,
    `--schedule cosine overrides step from ${path}`,
    `--threads 2 overrides 1 from ${path}`,
  ]);
  assert.equal(repeats, undefined);
  const plan = await resolve(given);
  assert.deepEqual([plan.recipe.learningRate, plan.recipe.schedule.kind, plan.threads], [0.5, "cosine", 2]);
  assert.deepEqual([plan.network?.name, plan.recipe.optimizer.kind, plan.recipe.seed], ["alexnet-fashion", "adamw", 7]);
  assert.deepEqual(plan.divergence, { action: "rollback", factor: 0.5, times: 2 });
  for (const place of [
    "colour",
    "dataset.colour",
    "engine.colour",
    "machine.colour",
    "recipe.colour",
    "divergence.colour",
  ]) {
    await assert.rejects(read("unknown.json", replaced(config, place, 1)), (error: Error & { exitCode?: number }) => {
      assert.equal(error.exitCode, 2, place);
      assert.match(error.message, /unknown\.json: .*colour/s);
      return true;
    });
  }
  const run = join(folder, "many");
  const own = (await readSettingsFile(join(run, "config.json"), {})).settings;
  assert.equal((await trainClassifier({ ...own, run, resume: true })).end, "already finished");
  await assert.rejects(
    trainClassifier({ ...own, epochs: 1, run, resume: true }),
    /resume: --epochs is 1, the run was started with 2;/,
  );
});

test("the command: the same run again in another directory, with what a flag overrides on standard error", async () => {
  const config = join(folder, "plain", "config.json");
  const run = join(folder, "by-command");
  assert.equal((await runMain("train", "--config", config, "--run", run)).exit, 0);
  assert.ok((await lastWeights(run)).equals(await lastWeights(join(folder, "plain"))));
  const settingsFile = join(folder, "plain.json");
  const { dataDir, threads, epochs, batchSize } = {
    dataDir: join(folder, "data"),
    threads: 1,
    epochs: 2,
    batchSize: 16,
  };
  await writeFile(settingsFile, JSON.stringify({ dataDir, threads, epochs, batchSize, network: tinyNetwork }));
  assert.equal((await runMain("train", "--config", settingsFile, "--run", join(folder, "by-name"))).exit, 0);
  assert.ok((await lastWeights(join(folder, "by-name"))).equals(await lastWeights(join(folder, "plain"))));
});

test("config.json of every earlier version starts a run with the settings of the one that wrote it", async () => {
  const versions = join(root, "test/earlierVersions");
  let read = 0;
  for (const version of await readdir(versions)) {
    const restored = join(folder, version);
    await restoreVersion(join(versions, version), restored);
    for (const name of await readdir(restored)) {
      const path = join(restored, name, "config.json");
      const config: Members | undefined = await readFile(path, "utf8").then(JSON.parse, () => undefined);
      if (!config) continue;
      const plan = await resolve((await readSettingsFile(path, {})).settings);
      assert.equal(plan.source.name, at(config, "dataset.name"));
      assert.equal(plan.network?.name, at(config, "network.name"));
      for (const key of ["epochs", "batchSize", "learningRate", "normalization", "initializer.weight"]) {
        assert.deepEqual(at(plan.recipe, key), at(config, `recipe.${key}`), `${path} ${key}`);
      }
      read++;
    }
  }
  assert.ok(read >= 5, `${read} files`);
});
