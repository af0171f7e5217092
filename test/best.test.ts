/** Best weights: which are kept, who uses them and says so; evaluations and logs that are not finite. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadModel } from "../src/checkpoint/model.ts";
import { readLog } from "../src/checkpoint/runLog.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { formatComparison } from "../src/report/tables/comparison.ts";
import { formatRunTable } from "../src/report/tables/runTable.ts";
import { compareRuns } from "../src/runs/compareRuns.ts";
import { createLiveRun } from "../src/runs/liveRun.ts";
import { figuresOf, listRuns, readRun } from "../src/runs/runState.ts";
import { resolve } from "../src/settings/resolve.ts";
import type { RunSettings } from "../src/settings/settings.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { findRecipe, recipes } from "../src/training/recipe.ts";
import { scheduleNames } from "../src/training/schedule.ts";
import { runSweep } from "../src/tuning/sweep.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

let folder: string;
let options: RunSettings;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-best-"));
  await writeTinyDataset(folder, { train: 200, test: 20 });
  const engine = { engine: "reference", precision: "f32", threads: 1 } as const;
  options = { ...engine, network: tinyNetwork, dataDir: folder, batchSize: 16, epochs: 5 };
  // Accuracy 0.95, 1, 1, 1, 1; loss 0.845, 0.046, 0.057, 0.008, 0.009.
  await trainClassifier({ ...options, learningRate: 0.05, seed: 1, run: join(folder, "accuracy") });
  // Accuracy 0.55, 0.1, 0.15, 0.3, 0.25; loss 3.710, 2.370, 2.305, 1.839, 2.420.
  await trainClassifier({ ...options, learningRate: 0.3, seed: 3, monitor: "loss", run: join(folder, "loss") });
});
after(() => rm(folder, { recursive: true }));

const evaluationsIn = async (run: string) =>
  (await readLog(join(folder, run))).flatMap(({ epoch, testAccuracy, testLoss }) =>
    testAccuracy === undefined || testLoss === undefined ? [] : [{ epoch, testAccuracy, testLoss }],
  );

test("the best weights are those of the monitored figure, the other one deciding ties; runs and compare name their epoch", async () => {
  for (const monitor of ["accuracy", "loss"] as const) {
    const evaluations = await evaluationsIn(monitor);
    const [best] = evaluations.toSorted((a, b) => {
      const [accuracy, loss] = [b.testAccuracy - a.testAccuracy, a.testLoss - b.testLoss];
      return monitor === "loss" ? loss || accuracy : accuracy || loss;
    });
    assert.equal(best?.epoch, 4);
    const { metrics } = await loadModel(join(folder, monitor, "best.safetensors"));
    assert.deepEqual([metrics["epoch"], metrics["testLoss"]], [best.epoch, best.testLoss], monitor);
    const figures = figuresOf(await readRun(join(folder, monitor)));
    assert.deepEqual([figures.bestEpoch, figures.bestLoss], [best.epoch, best.testLoss]);
    const { recipe } = JSON.parse(await readFile(join(folder, monitor, "config.json"), "utf8"));
    assert.equal(recipe.monitor, monitor);
  }
});

test("report, evaluate and predict use the best weights, and each says so with both epochs", async () => {
  const run = join(folder, "loss");
  const evaluations = await evaluationsIn("loss");
  const [best, last] = [evaluations.toSorted((a, b) => a.testLoss - b.testLoss)[0], evaluations.at(-1)];
  assert.ok(best && last && best.epoch !== last.epoch, "the last epoch must not be the best for this test");
  const page = await readFile(join(run, "report.html"), "utf8");
  const percent = (fraction: number) => `${(100 * fraction).toFixed(1)}`;
  assert.match(page, new RegExp(`test accuracy, best \\(epoch ${best.epoch}\\)</dt><dd>${percent(best.testAccuracy)}`));
  assert.match(page, new RegExp(`test accuracy, last \\(epoch ${last.epoch}\\)</dt><dd>${percent(last.testAccuracy)}`));
  assert.ok(page.includes(`<dt>test loss, best</dt><dd>${best.testLoss.toFixed(3)}</dd>`));
  const messages: string[] = [];
  const classifier = await openClassifier(run, {
    engine: "reference",
    onMessage: (message) => messages.push(message),
  });
  try {
    const evaluation = await classifier.evaluate({ dataDir: folder });
    // The file has the weights in f32; this engine trains in f64.
    assert.ok(Math.abs((evaluation?.loss ?? 0) - best.testLoss) < 1e-6);
  } finally {
    classifier.close();
  }
  assert.deepEqual(messages, [
    `${run}: best.safetensors, the weights of epoch ${best.epoch}; last.safetensors has those of epoch ${last.epoch}`,
  ]);
});

test("a sweep that monitors the loss ranks by it", async () => {
  const base = { ...options, epochs: 1, monitor: "loss" } as const;
  const plan = { base, grid: { learningRate: [0.001, 0.01, 0.05] } };
  const { results } = await runSweep({ plan, directory: join(folder, "sweep") });
  const losses = results.map(({ bestLoss = Number.NaN }) => bestLoss);
  assert.deepEqual(
    losses,
    losses.toSorted((a, b) => a - b),
  );
  assert.ok(losses.every(Number.isFinite));
});

/** A run whose log has null where an earlier version had a number that is not finite. */
async function withNulls(name: string, keys: readonly string[]): Promise<string> {
  const run = join(folder, name);
  await cp(join(folder, "accuracy"), run, { recursive: true });
  const file = join(run, "log.jsonl");
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  const changed = lines.map((line) =>
    JSON.stringify(JSON.parse(line), (key, value: unknown) => (keys.includes(key) ? null : value)),
  );
  await writeFile(file, `${changed.join("\n")}\n`);
  return run;
}

test("a log with null for numbers that are not finite is read: runs, compare, live, resume", async () => {
  for (const keys of [["testLoss"], ["testLoss", "testAccuracy", "trainLoss", "trainAccuracy", "examplesPerSecond"]]) {
    const run = await withNulls(`null-${keys.length}`, keys);
    assert.ok((await readLog(run)).some(({ testLoss }) => testLoss !== undefined && Number.isNaN(testLoss)));
    const listed = await listRuns(run);
    assert.ok(listed.every((one) => !("problem" in one)));
    formatRunTable(listed);
    formatComparison(await compareRuns([run, join(folder, "accuracy")]));
    await (await createLiveRun(run)).view();
    await rm(join(run, "report.html"));
    const resumed = await trainClassifier({ run, resume: true, onDivergence: "rollback" });
    assert.equal(resumed.end, "already finished");
    assert.match(await readFile(join(run, "report.html"), "utf8"), /Curves/);
  }
});

test("every schedule goes with every recipe by its name alone", async () => {
  for (const { name, epochs } of recipes) {
    for (const schedule of scheduleNames) {
      const { recipe } = await resolve({ recipe: name, schedule, run: join(folder, "none") });
      assert.deepEqual([recipe.schedule.kind, recipe.epochs], [schedule, epochs], `${name}, ${schedule}`);
    }
  }
});

test("the network of a recipe has the channels of native images; a requested one keeps its own", async () => {
  const channelsOf = async (given: RunSettings) =>
    (await resolve({ recipe: "modern-fashion", ...given, run: join(folder, "none") })).network?.input[0];
  assert.equal(await channelsOf({ dataset: "fashion-mnist" }), 1);
  assert.equal(await channelsOf({ dataset: "fashion-mnist", network: "alexnet-small-bn" }), 3);
  assert.equal(await channelsOf({ dataset: "fashion-mnist", fit: "resize" }), 3);
  assert.equal(await channelsOf({ dataset: "cifar10" }), 3);
});

test("an interval that is given replaces that of the recipe, by flag or as a place; a run's own is kept on resume", async () => {
  const scheduleOf = async (given: RunSettings, places = {}) =>
    (await resolve({ ...given, run: join(folder, "none") }, { places })).recipe.schedule;
  assert.deepEqual(await scheduleOf({ recipe: "photos", everyEpochs: 5 }), {
    kind: "step",
    everyEpochs: 5,
    factor: 0.1,
  });
  assert.deepEqual(await scheduleOf({ recipe: "photos", everyFraction: 0.5 }), {
    kind: "step",
    everyFraction: 0.5,
    factor: 0.1,
  });
  const listed = { ...findRecipe("photos"), schedule: { kind: "step" as const, at: [0.5], factor: 0.1 } };
  assert.deepEqual(await scheduleOf({ recipe: listed, everyEpochs: 5 }), { kind: "step", everyEpochs: 5, factor: 0.1 });
  assert.deepEqual(await scheduleOf({ recipe: "photos" }, { "schedule.everyEpochs": 2 }), {
    kind: "step",
    everyEpochs: 2,
    factor: 0.1,
  });
  const { messages } = await resolve({
    recipe: "photos",
    everyEpochs: 10,
    epochs: 400,
    run: join(folder, "none"),
  });
  assert.equal(messages.length, 1);
  assert.match(messages[0] ?? "", /below 0.000001 of its initial value in 330 of 400 epochs/);
});
