/** Sweeps of the learning rate on a small network. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { drawRateFigure } from "../src/report/charts/rateFigure.ts";
import { formatRateChart } from "../src/report/tables/rateChart.ts";
import { findLearningRate, type RateFinderOptions } from "../src/tuning/learningRateFinder.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;
let options: RateFinderOptions;
const cacheBefore = process.env["XDG_CACHE_HOME"];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-lr-find-"));
  process.env["XDG_CACHE_HOME"] = join(folder, "cache");
  await writeTinyDataset(folder, { train: 500, test: 40 });
  options = { network: tinyNetwork, dataDir: folder, threads: 1, batchSize: 16, minRate: 1e-4, maxRate: 1e3 };
});
after(async () => {
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
  await rm(folder, { recursive: true });
});

test("the rate grows by one factor until the loss explodes; the same seed gives the same curve; nothing is written", async () => {
  const before = await readdir(folder);
  const found = await findLearningRate(options);
  assert.deepEqual(await findLearningRate(options), found);
  assert.notDeepEqual((await findLearningRate({ ...options, seed: 1 })).points, found.points);
  assert.deepEqual(await readdir(folder), before);
  assert.ok(found.end === "exploded" && found.points.length < 200, `${found.end} after ${found.points.length}`);
  assert.equal(found.points[0]?.learningRate, 1e-4);
  for (const [i, { learningRate }] of found.points.entries()) {
    // 1e7 in 199 equal steps, from their definition; a power rounds in its last digits.
    assert.ok(Math.abs(Math.log10(learningRate) + 4 - (7 * i) / 199) < 1e-12);
  }
  assert.ok(found.suggestions);
  for (const rate of Object.values(found.suggestions)) assert.ok(rate > 1e-4 && rate < 1, String(rate));
});

/** The first losses of a sweep and of training at one rate are the same: pictures, order, weights and optimizer. */
async function assertAsTrained(run: string, given: RateFinderOptions, rate: number): Promise<void> {
  // From a rate to hardly more, so that training at the first is the same but for the last digits.
  const { points, end } = await findLearningRate({ ...given, minRate: rate, maxRate: rate * 1.0001, iterations: 40 });
  assert.deepEqual([end, points.length], ["finished", 40]);
  const losses: number[] = [];
  const onProgress = ({ loss }: { readonly loss: number }) => losses.push(loss);
  await trainWithoutReport({
    ...given,
    epochs: 1,
    learningRate: rate,
    run: join(folder, run),
    observer: { onProgress },
  });
  for (const i of [0, 1, 10, 30]) {
    // `onProgress` tells the mean so far; rates differ by 1e-4 at the end, and so do weights after 30 steps, in bf16 somewhat more.
    const mean = points.slice(0, i + 1).reduce((sum, { loss }) => sum + loss, 0) / (i + 1);
    assert.ok(Math.abs(mean - (losses[i] as number)) < 2e-3, `${i}: ${mean}, ${losses[i]}`);
  }
}

test("the first losses are those of training, from the weights of another run too", async () => {
  await assertAsTrained("run", options, 0.01);
  const { network: _, ...rest } = options;
  const adam = { optimizer: "adam", weightDecay: 0, accumulate: 2 } as const;
  await assertAsTrained("tuned", { ...rest, ...adam, from: join(folder, "run"), freeze: ["conv"] }, 0.001);
});

test("a loss that is not finite ends the sweep, and so does an abort; what there is by then is returned", async () => {
  const diverged = await findLearningRate({ ...options, minRate: 1e35, maxRate: 1e38 });
  assert.equal(diverged.end, "diverged");
  assert.equal(diverged.suggestions, undefined);
  const controller = new AbortController();
  const stopped = await findLearningRate({
    ...options,
    signal: controller.signal,
    onIteration: (iteration) => {
      if (iteration === 7) controller.abort();
    },
  });
  assert.deepEqual([stopped.end, stopped.points.length], ["interrupt", 7]);
  for (const finding of [diverged, stopped]) {
    assert.match(formatRateChart(finding, { unicode: false }), /No suggestion: the loss never fell/);
    assert.match(await drawRateFigure(finding), /<svg/);
  }
});

test("the chart keeps to 80 columns, and marks what it suggests, as the figure does", async () => {
  const finding = await findLearningRate({ ...options, iterations: 100 });
  for (const unicode of [true, false]) {
    const chart = formatRateChart(finding, { unicode });
    for (const line of chart.split("\n")) assert.ok([...line].length <= 80, line);
    assert.match(chart, /learning rate \S+ +steepest fall/);
    assert.match(chart, /learning rate \S+ +a tenth of the rate with the lowest loss/);
    assert.ok(chart.includes(unicode ? "┊" : ":"));
  }
  const svg = await drawRateFigure(finding);
  assert.equal(svg.match(/role-mark suggestion-\d/g)?.length, 2);
  const heights = [...svg.matchAll(/translate\([\d.]+,(-?[\d.]+)\)"[^>]*>[^<]*: (?:steepest|a tenth)/g)].map(
    ([, y]) => y,
  );
  assert.equal(heights.length, 2);
  assert.notEqual(heights[0], heights[1], "two entries of the legend on one line");
  assert.doesNotMatch(svg, /NaN|undefined/);
});

test("rates and iterations that make no sweep are refused", async () => {
  await assert.rejects(findLearningRate({ ...options, minRate: 1, maxRate: 1 }), /--min-rate: expected less than/);
  await assert.rejects(findLearningRate({ ...options, iterations: 5 }), /--iterations: expected 20 or more, got 5/);
});
