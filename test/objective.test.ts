/** Label smoothing, mixup, class weights, the balanced sampler and early stopping in whole runs: each counts, and goes on to the bit where it was stopped. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ConfigError } from "../src/errors.ts";
import type { TrainOptions } from "../src/trainer/trainClassifier.ts";
import { findRecipe } from "../src/training/recipe.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-objective-"));
  await writeTinyDataset(folder, { train: 400, test: 40 });
});
after(() => rm(folder, { recursive: true }));

const base: TrainOptions = { network: tinyNetwork, threads: 1, batchSize: 16, epochs: 2 };
const everything: TrainOptions = {
  labelSmoothing: 0.1,
  mixup: 0.4,
  classWeights: "balanced",
  sampler: "balanced",
  earlyStopping: 20,
  augment: ["flip", "shift", "reflectCrop"],
};

/** A run in a folder of its own, stopped after so many iterations of this call. */
async function run(name: string, options: TrainOptions, stopAfter = Number.POSITIVE_INFINITY) {
  const messages: string[] = [];
  const controller = new AbortController();
  let iterations = 0;
  const result = await trainWithoutReport({
    dataDir: folder,
    run: join(folder, name),
    ...options,
    signal: controller.signal,
    observer: {
      onMessage: (message) => messages.push(message),
      onProgress() {
        if (++iterations === stopAfter) controller.abort();
      },
    },
  });
  return { ...result, messages };
}

async function assertSameRun(actual: string, expected: string): Promise<void> {
  const [a, b] = [join(folder, actual), join(folder, expected)];
  assert.ok((await lastWeights(a)).equals(await lastWeights(b)), `${actual}: weights differ from those of ${expected}`);
  assert.deepEqual(await timelessLog(a), await timelessLog(b));
}

test("each option makes another network; early stopping that does not stop makes the same", async () => {
  await run("plain", base);
  const plain = await lastWeights(join(folder, "plain"));
  for (const key of ["labelSmoothing", "mixup", "classWeights", "sampler"] as const) {
    await run(key, { ...base, [key]: everything[key] });
    assert.ok(!(await lastWeights(join(folder, key))).equals(plain), key);
  }
  await run("patient", { ...base, earlyStopping: 20 });
  assert.ok((await lastWeights(join(folder, "patient"))).equals(plain));
});

test("with all of them, a run that is stopped in both of its epochs ends as the one that was not", async () => {
  await run("whole", { ...base, ...everything });
  assert.equal((await run("stopped", { ...base, ...everything }, 13)).end, "interrupt");
  assert.equal((await run("stopped", { resume: true }, 20)).end, "interrupt");
  await run("stopped", { resume: true });
  await assertSameRun("stopped", "whole");
});

test("patience ends a run as finished, and says so; a run stopped in between ends after the same epoch", async () => {
  // So slow that no answer changes: the first evaluation is the best.
  const still = { ...base, epochs: 9, learningRate: 1e-12, earlyStopping: 3 };
  const whole = await run("still", still);
  assert.deepEqual([whole.end, whole.last?.epoch], ["finished", 4]);
  const says = /^stopped early, after epoch 4 of 9: no better test accuracy than \d+\.\d+ ?% in the last 3 evaluations/;
  assert.equal(whole.messages.filter((message) => says.test(message)).length, 1, whole.messages.join("\n"));
  assert.match(await readFile(join(folder, "still", "report.html"), "utf8"), /early stopping/);

  await run("still-stopped", still, 60);
  const rest = await run("still-stopped", { resume: true });
  assert.deepEqual([rest.end, rest.last?.epoch], ["finished", 4]);
  await assertSameRun("still-stopped", "still");

  await cp(join(folder, "still"), join(folder, "unreported"), { recursive: true });
  await rm(join(folder, "unreported", "report.html"));
  for (const name of ["still", "unreported"]) {
    assert.equal((await run(name, { resume: true })).end, "already finished");
    await assertSameRun(name, "still");
  }
});

test("on resume, each one that differs is named with both values", async () => {
  await run("settled", { ...base, ...everything, epochs: 0.1 });
  const same = { ...everything, recipe: "fashion", resume: true };
  assert.equal((await run("settled", same)).end, "already finished");
  for (const [given, says] of [
    [{ labelSmoothing: 0.2 }, "--label-smoothing is 0.2, the run was started with 0.1"],
    [{ mixup: 0 }, "--mixup is 0, the run was started with 0.4"],
    [{ classWeights: "none" }, "--class-weights is none, the run was started with balanced"],
    [{ sampler: "shuffle" }, "--sampler is shuffle, the run was started with balanced"],
    [{ earlyStopping: 2 }, "--early-stopping is 2, the run was started with 20"],
  ] as const) {
    await assert.rejects(
      run("settled", { resume: true, ...given }),
      (error) => error instanceof ConfigError && error.message.includes(says),
      says,
    );
  }
});

test("weights of a class that is none are refused, and leave no run", async () => {
  const recipe = { ...findRecipe("fashion"), classWeights: { trouser: 2 } };
  await assert.rejects(
    run("refused", { ...base, recipe }),
    (error) =>
      error instanceof ConfigError && /^classWeights: expected names of classes .*got trouser/.test(error.message),
  );
  assert.equal(existsSync(join(folder, "refused")), false);
});
