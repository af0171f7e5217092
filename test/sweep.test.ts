/** Sweeps over settings: what they try, and that one that was stopped ends as one that was not. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { drawSweepFigure } from "../src/report/charts/sweepFigure.ts";
import { formatSweep } from "../src/report/tables/sweepTable.ts";
import { findRecipe } from "../src/training/recipe.ts";
import { runSweep, type SweepResult } from "../src/tuning/sweep.ts";
import { readSweepPlan, type SweepPlan, sweepPlanSchema, trialsOf } from "../src/tuning/sweepPlan.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

let folder: string;
let plan: SweepPlan;
const grid = { learningRate: [0.01, 1e30, 0.03], "optimizer.momentum": [0.5, 0.9] };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-sweep-"));
  await writeTinyDataset(folder, { train: 200, test: 40 });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
  const base = { network: join(folder, "tiny.json"), dataDir: folder, threads: 1, batchSize: 16, epochs: 2 };
  plan = sweepPlanSchema.parse({ base, grid });
});
after(() => rm(folder, { recursive: true }));

/** What is known at the end, without where and how long. */
const outcome = ({ results }: SweepResult) => results;

test("a grid is every combination, a random plan a function of its seed; values lie where they should", async () => {
  const values = (await trialsOf(plan)).map((trial) => Object.values(trial.values));
  assert.deepEqual(values, [
    [0.01, 0.5],
    [0.01, 0.9],
    [1e30, 0.5],
    [1e30, 0.9],
    [0.03, 0.5],
    [0.03, 0.9],
  ]);
  const space = {
    learningRate: { min: 1e-4, max: 1e-1, scale: "log" },
    batchSize: { min: 8, max: 11, integer: true },
    "optimizer.form": ["paper", "pytorch"],
  };
  const draw = async (trials: number, seed: number, of: object = space) => {
    const trialsOfSpace = await trialsOf(sweepPlanSchema.parse({ random: { trials, seed, space: of } }));
    return trialsOfSpace.map((trial) => trial.values);
  };
  const drawn = await draw(400, 1);
  assert.deepEqual(drawn.slice(0, 20), await draw(20, 1), "more trials leave the first ones as they are");
  assert.notDeepEqual(drawn.slice(0, 20), await draw(20, 2));
  const rates = drawn.map((of) => of["learningRate"] as number);
  assert.ok(rates.every((rate) => rate >= 1e-4 && rate <= 1e-1));
  // A third of the logarithm; 400 draws have a deviation of 2.4 %.
  const share = rates.filter((rate) => rate < 1e-3).length / rates.length;
  assert.ok(Math.abs(share - 1 / 3) < 0.1, `${share} below 0.001`);
  assert.deepEqual([...new Set(drawn.map((of) => of["batchSize"]))].sort(), [10, 11, 8, 9]);
  assert.equal(new Set(drawn.map((of) => of["optimizer.form"])).size, 2);
});

test("a trial's settings are the base's with its own values, whichever way they are set", async () => {
  const both = sweepPlanSchema.parse({
    base: { learningRate: 0.5, momentum: 0.1, epochs: 7 },
    grid: { learningRate: [0.25], schedule: [{ kind: "step", everyEpochs: 3 }], inputSize: [99], weightDecay: [0.125] },
  });
  const [trial] = await trialsOf(both);
  const { recipe, ...rest } = trial?.settings ?? {};
  assert.ok(recipe && typeof recipe === "object");
  assert.deepEqual(rest, { inputSize: 99 });
  assert.deepEqual([recipe.learningRate, recipe.epochs], [0.25, 7]);
  assert.deepEqual(recipe.optimizer, { kind: "sgd", form: "paper", momentum: 0.1, weightDecay: 0.125 });
  assert.deepEqual(recipe.schedule, { kind: "step", everyEpochs: 3, factor: 0.1 });
  // Values that fit only together.
  const places = { "schedule.everyEpochs": [2], "schedule.kind": ["step"], "augmentation.flip": [0.25] };
  const [placed] = await trialsOf(sweepPlanSchema.parse({ grid: places }));
  const { recipe: made } = placed?.settings ?? {};
  assert.ok(made && typeof made === "object");
  assert.deepEqual(made.schedule, { kind: "step", everyEpochs: 2, factor: 0.1 });
  assert.deepEqual(made.augmentation, { flip: 0.25 });
});

test("what a recipe has an object for may be named in a trial as in the base, and as train has it", async () => {
  const grid = { optimizer: ["adam", { kind: "adamw" }], schedule: ["cosine"], earlyStopping: [3, { patience: 4 }] };
  const trials = await trialsOf(sweepPlanSchema.parse({ base: { warmup: 1 }, grid }));
  const made = trials.map(({ settings: { recipe } }) => {
    assert.ok(recipe && typeof recipe === "object");
    assert.deepEqual([recipe.schedule, recipe.warmup], [{ kind: "cosine", floor: 0 }, 1]);
    return [recipe.optimizer.kind, recipe.earlyStopping?.patience];
  });
  assert.deepEqual(made, [
    ["adam", 3],
    ["adam", 4],
    ["adamw", 3],
    ["adamw", 4],
  ]);
});

test("wrong keys and values are named before anything is trained", async () => {
  const file = join(folder, "wrong.json");
  const refused: readonly (readonly [plan: object, says: RegExp])[] = [
    [{ base: { learnRate: 1 }, grid: {} }, /wrong\.json: expected a sweep .*learnRate/s],
    [{ grids: { seed: [1] } }, /grids/],
    [{}, /expected one of grid, random and trials/],
    [{ grid: { seed: [1] }, random: { trials: 1, space: {} } }, /expected one of grid, random and trials/],
    [{ grid: { seed: [] } }, /grid\.seed/],
    [{ random: { trials: 1, space: { learningRate: { min: 0, max: 1, scale: "log" } } } }, /above 0 for scale log/],
    [{ grid: { lerningRate: [1] } }, /sweep: unknown setting "lerningRate"; expected one of .*learningRate/],
    [{ grid: { "optimizer.momentun": [1] } }, /trial 1 \(optimizer\.momentun 1\): .*momentun/s],
    [{ grid: { learningRate: [0.1, -1] } }, /trial 2 \(learningRate -1\): .*learningRate/s],
    [{ grid: { optimizer: ["adamm"] } }, /trial 1 \(optimizer adamm\): .*optimizer/s],
    [{ grid: { network: ["alexnet-xl"] } }, /trial 1 \(network alexnet-xl\): network "alexnet-xl"/],
  ];
  for (const [content, says] of refused) {
    await writeFile(file, JSON.stringify(content));
    const start = async () => runSweep({ plan: await readSweepPlan(file), directory: join(folder, "refused") });
    await assert.rejects(start, (error: Error) => {
      assert.equal(error.name, "ConfigError");
      assert.match(error.message, says);
      return true;
    });
  }
  assert.equal((await readdir(folder)).includes("refused"), false);
});

test("a sweep stopped in the middle of a trial, and once more, ends with the same table and weights; what diverges is recorded", async () => {
  const whole = await runSweep({ plan, directory: join(folder, "whole") });
  assert.equal(whole.end, "finished");
  assert.deepEqual(
    whole.results.map(({ status }) => status),
    ["finished", "finished", "finished", "finished", "diverged", "diverged"],
  );
  const accuracies = whole.results.slice(0, 4).map(({ bestAccuracy }) => bestAccuracy ?? 0);
  assert.deepEqual(
    accuracies,
    accuracies.toSorted((a, b) => b - a),
  );

  const directory = join(folder, "stopped");
  const begun: number[] = [];
  /** Stops after so many iterations of this call. */
  const part = async (iterations: number) => {
    const controller = new AbortController();
    let done = 0;
    const observer = {
      onProgress() {
        if (++done === iterations) controller.abort();
      },
    };
    const onTrial = ({ number }: { readonly number: number }) => begun.push(number);
    return runSweep({ plan, directory, signal: controller.signal, observer, onTrial });
  };
  // A trial has 26 iterations.
  assert.equal((await part(10)).end, "interrupt");
  const second = await part(26);
  assert.deepEqual([second.end, second.results.length, second.trials], ["interrupt", 1, 6]);
  const last = await part(Infinity);
  assert.equal(last.end, "finished");
  assert.deepEqual(begun, [1, 1, 2, 2, 3, 4, 5, 6]);
  assert.deepEqual(outcome(last), outcome(whole));
  for (const run of ["trial-001", "trial-002", "trial-006"]) {
    const [a, b] = [join(directory, run), join(folder, "whole", run)];
    assert.ok((await lastWeights(a)).equals(await lastWeights(b)), run);
    assert.deepEqual(await timelessLog(a), await timelessLog(b));
  }
  const again = await runSweep({ plan, directory, onTrial: () => assert.fail("nothing is left to train") });
  assert.deepEqual(outcome(again), outcome(whole));
  const other = sweepPlanSchema.parse({ base: plan.base, grid: { seed: [1] } });
  await assert.rejects(runSweep({ plan: other, directory }), /stopped: contains another sweep.*choose another --run/);
});

test("a trial that fails is recorded, the others are trained, and it is tried again", async () => {
  const failing = sweepPlanSchema.parse({ base: { ...plan.base, epochs: 1 }, grid: { inputSize: [8, 28] } });
  const directory = join(folder, "failing");
  const { results } = await runSweep({ plan: failing, directory });
  assert.deepEqual(
    results.map(({ number, status }) => [number, status]),
    [
      [2, "finished"],
      [1, "failed"],
    ],
  );
  assert.match(results[1]?.error ?? "", /pool1: window 3 exceeds/);
  const again: number[] = [];
  await runSweep({ plan: failing, directory, onTrial: ({ number }) => again.push(number) });
  assert.deepEqual(again, [1]);
});

test("a sweep of another version is the same one if its settings are, whatever it left at defaults and however it worded sources", async () => {
  const directory = join(folder, "version");
  const recipe = findRecipe("small");
  const base = { dataset: "fashion-mnist", dataDir: folder, threads: 1, seed: 3 };
  const planOf = (given: object) =>
    sweepPlanSchema.parse({ base, trials: [JSON.parse(JSON.stringify({ network: tinyNetwork, recipe, ...given }))] });
  const { labelSmoothing: _default, ...shorter } = recipe;
  await mkdir(directory);
  await writeFile(
    join(directory, "sweep.json"),
    JSON.stringify(planOf({ recipe: { ...shorter, source: "elsewhere" }, network: { ...tinyNetwork, source: "too" } })),
  );
  const done = [{ number: 1, run: "trial-001", values: {}, status: "finished" }];
  await writeFile(join(directory, "results.json"), JSON.stringify(done));
  const { end, results } = await runSweep({ plan: planOf({}), directory });
  assert.deepEqual([end, results.length], ["finished", 1]);
  for (const other of [{ learningRate: 0.5 }, { recipe: { ...recipe, labelSmoothing: 0.1 } }, { seed: 4 }]) {
    await assert.rejects(runSweep({ plan: planOf(other), directory }), /version: contains another sweep/);
  }
});

test("stopped for time, a sweep goes on later", async () => {
  const timed = sweepPlanSchema.parse({ base: plan.base, grid: { seed: [1, 2] } });
  const directory = join(folder, "timed");
  const { end } = await runSweep({ plan: timed, directory, maxMinutes: 1e-3 });
  assert.equal(end, "time");
  const { results } = await runSweep({ plan: timed, directory });
  const whole = await runSweep({ plan: timed, directory: join(folder, "untimed") });
  for (const run of ["trial-001", "trial-002"])
    assert.ok((await lastWeights(join(directory, run))).equals(await lastWeights(join(folder, "untimed", run))));
  assert.deepEqual(results, whole.results);
});

test("the table shows what differs, in 80 columns; the figure has a panel for each of it, and every trial", async () => {
  const trials = Array.from({ length: 5 }, (_, i) => ({
    number: i + 1,
    values: {
      "optimizer.momentum": 0.9,
      learningRate: 10 ** -i,
      network: `a-network-with-a-long-name-${"x".repeat(60)}-${i % 2}`,
    },
    status: i === 4 ? "diverged" : "finished",
    ...(i === 4
      ? { error: "training: the loss is NaN after iteration 3; and so on" }
      : { bestAccuracy: 0.9 - i / 10, trainLoss: 3e16 }),
  }));
  const table = formatSweep(trials);
  for (const line of table.split("\n")) assert.ok(line.length <= 80, line);
  assert.doesNotMatch(table, /momentum/);
  assert.match(table, /learningRate/);
  assert.match(table, /\ntrial 5: training: the loss is NaN/);
  const svg = await drawSweepFigure(trials);
  assert.equal(svg.match(/class="mark-group role-scope panel-\d+"/g)?.length, 2);
  assert.equal(
    svg
      .match(/aria-roledescription="symbol mark container".*?<\/g>/gs)
      ?.join("")
      .match(/<path/g)?.length,
    10,
  );
  assert.match(svg, /4 trials, the best one in orange, and 1 without a result/);
  // Two values whose labels begin alike are two columns, and labels show how they end. Whole numbers keep all digits.
  const alike = trials
    .slice(0, 2)
    .map((trial, i) => ({ ...trial, values: { from: `runs/pretrained-${i}`, seed: 10001 + i } }));
  const columns = await drawSweepFigure(alike);
  for (const end of [0, 1]) assert.match(columns, new RegExp(`>…[a-z/]*-${end}<`));
  const places = [...columns.matchAll(/translate\(([\d.]+),[\d.]+\)[^>]*><title>trial \d[^<]*/g)].map(([, x]) => x);
  assert.equal(new Set(places.slice(0, 2)).size, 2, columns);
  assert.match(formatSweep(alike), /10001[\s\S]*10002/);
});

test("results that are damaged are not taken for none", async () => {
  const directory = join(folder, "failing");
  const file = join(directory, "results.json");
  const content = await readFile(file, "utf8");
  await writeFile(file, content.slice(0, -20));
  const failing = sweepPlanSchema.parse({ base: { ...plan.base, epochs: 1 }, grid: { inputSize: [8, 28] } });
  await assert.rejects(runSweep({ plan: failing, directory }), /results\.json: not a file of a sweep/);
});
