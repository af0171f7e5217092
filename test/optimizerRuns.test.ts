/** Whole runs with every optimizer, clipping, accumulation, averaging and schedules: stopped and resumed to the bit, and what is kept of them. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { checkpointFiles } from "../src/checkpoint/checkpointFiles.ts";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { openClassifier } from "../src/model/classifier.ts";
import type { TrainOptions } from "../src/trainer/trainClassifier.ts";
import { optimizerNames } from "../src/training/optimizers/optimizers.ts";
import { parseRecipe } from "../src/training/recipe.ts";
import { positionSchema } from "../src/training/state.ts";
import { assertClose, assertCloseNorm } from "./assertClose.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-optimizers-"));
  await writeTinyDataset(folder, { train: 300, test: 60 });
});
after(() => rm(folder, { recursive: true }));

/** 200 images in batches of 16: 13 iterations an epoch. */
const recipe = parseRecipe(
  {
    name: "tiny",
    epochs: 2,
    batchSize: 16,
    learningRate: 0.01,
    optimizer: { momentum: 0.9, weightDecay: 0.0005 },
    initializer: { weight: { kind: "heNormal" } },
    normalization: "standard",
  },
  "tiny",
);

/**
 * Of a loss, relative: a program for training and one for inference add up the products of a logit in different orders, which differ by some
 * √200 · 2^-24 = 8e-7 of a sum of 200 products, the largest here; a loss follows its logits.
 */
const betweenPrograms = 2e-6;

/** A run of the tiny network in a folder of its own; where `stopAt` is given, up to that iteration. */
async function trainTiny(name: string, options: TrainOptions = {}, stopAt?: number): Promise<string> {
  const run = join(folder, name);
  const controller = new AbortController();
  let iterations = 0;
  const onProgress = () => {
    if (++iterations === stopAt) controller.abort();
  };
  const given = { network: tinyNetwork, recipe, trainLimit: 200, threads: 1, dataDir: folder, run };
  await trainWithoutReport({ ...given, signal: controller.signal, observer: { onProgress }, ...options });
  return run;
}

/** All tensors of a file, and its position if it has one. */
async function contentOf(path: string) {
  return withReader(path, async (reader) => {
    const { metadata, tensors } = reader.header;
    const values = new Map<string, Float32Array>();
    for (const name of tensors.keys()) values.set(name, await reader.read(name));
    const position = metadata["position"];
    return { values, position: position === undefined ? undefined : positionSchema.parse(JSON.parse(position)) };
  });
}

const every: readonly TrainOptions[] = [
  {},
  { nesterov: true, accumulate: 3 },
  { optimizer: "adam", weightDecay: 0.01, schedule: "cosine", warmup: 0.5 },
  { optimizer: "adam", clipNorm: 0.5, accumulate: 3, average: 0.9 },
  { optimizer: "adamw", average: 0.99, clipNorm: 1, schedule: "cosine", accumulate: 2 },
  { optimizer: "lars", baseBatchSize: 4, schedule: "polynomial", warmup: 0.5, accumulate: 2 },
];

for (const [i, options] of every.entries()) {
  test(`stopped in the middle of an epoch and of a step, it goes on to the bit: ${JSON.stringify(options)}`, async () => {
    const { average, accumulate = 1 } = options;
    const whole = await trainTiny(`whole-${i}`, options);
    const stopped = await trainTiny(`stopped-${i}`, options, 16);
    const { position, values } = await contentOf(checkpointFiles(stopped).lastOptimizer);
    assert.ok(position);
    // 13 iterations of the first epoch, 3 of the second.
    const steps = { 1: 16, 2: 8, 3: 6 }[accumulate];
    assert.deepEqual([position.iteration, position.steps], [16, steps]);
    assert.deepEqual(position.sinceStep, accumulate === 2 ? { batches: 1, images: 16 } : { batches: 0, images: 0 });
    const kinds = new Set([...values.keys()].map((name) => name.slice(0, name.indexOf("."))));
    assert.equal(kinds.has("average"), average !== undefined);
    assert.equal(kinds.has("accumulated"), accumulate > 1);
    await trainWithoutReport({ run: stopped, resume: true });
    assert.ok((await lastWeights(stopped)).equals(await lastWeights(whole)));
    assert.deepEqual(await timelessLog(stopped), await timelessLog(whole));
    for (const file of ["best", "lastOptimizer"] as const) {
      const [a, b] = [await contentOf(checkpointFiles(stopped)[file]), await contentOf(checkpointFiles(whole)[file])];
      assert.deepEqual(a.values, b.values, file);
    }
  });
}

test("stopped between the batches of one step, whichever batch is the last, it goes on to the bit", async () => {
  const options = { optimizer: "adam", accumulate: 3, average: 0.9 } as const;
  const whole = await trainTiny("between", options);
  for (const stopAt of [1, 2, 11, 12, 14]) {
    const stopped = await trainTiny(`between-${stopAt}`, options, stopAt);
    const { position } = await contentOf(checkpointFiles(stopped).lastOptimizer);
    assert.equal(position?.sinceStep.batches, (stopAt % 13) % 3);
    await trainWithoutReport({ run: stopped, resume: true });
    assert.ok((await lastWeights(stopped)).equals(await lastWeights(whole)), `${stopAt}`);
  }
});

test("stopped in the evaluation of an epoch, its line of the log has the rate of its last step", async () => {
  const options = { schedule: "cosine", warmup: 0.5, accumulate: 3 } as const;
  const whole = await trainTiny("evaluated", options);
  for (const stopAt of [13, 26]) {
    const stopped = await trainTiny(`evaluated-${stopAt}`, options, stopAt);
    const { position } = await contentOf(checkpointFiles(stopped).lastOptimizer);
    assert.equal(position?.images, 200, "the epoch lacks its evaluation only");
    await trainWithoutReport({ run: stopped, resume: true });
    assert.deepEqual(await timelessLog(stopped), await timelessLog(whole), `${stopAt}`);
  }
});

test("every optimizer is among them", () => {
  const kinds = new Set(every.map(({ optimizer = "sgd" }) => optimizer));
  assert.deepEqual([...kinds], optimizerNames);
});

test("two batches of 8 make the step of one of 16, also where the last are 8 images alone", async () => {
  const [one, two] = [await trainTiny("one-of-16"), await trainTiny("two-of-8", { batchSize: 8, accumulate: 2 })];
  const [a, b] = [await contentOf(checkpointFiles(one).last), await contentOf(checkpointFiles(two).last)];
  assert.equal((await contentOf(checkpointFiles(two).lastOptimizer)).position?.steps, 26);
  for (const [name, values] of a.values) {
    // f32 sums in another order, 26 steps on.
    assertCloseNorm(b.values.get(name) ?? [], values, 1e-4, name);
  }
});

test("averaging and a limit that is never reached change nothing of the training itself", async () => {
  const plain = await trainTiny("plain");
  const watched = await trainTiny("watched", { average: 0.9, clipNorm: 1e6 });
  const [a, b] = [await contentOf(checkpointFiles(plain).last), await contentOf(checkpointFiles(watched).last)];
  assert.deepEqual(a.values, b.values);
  const clipped = await contentOf(checkpointFiles(await trainTiny("clipped", { clipNorm: 0.1 })).last);
  assert.notDeepEqual(clipped.values, a.values);
});

test("the averaged weights are what is evaluated and kept as the best; the log says what they do", async () => {
  const run = await trainTiny("averaged", { average: 0.9, epochs: 1 });
  const { best, last, lastOptimizer } = checkpointFiles(run);
  const [averaged, trained, state] = [await contentOf(best), await contentOf(last), await contentOf(lastOptimizer)];
  for (const [name, values] of averaged.values) {
    assert.deepEqual(values, state.values.get(`average.${name}`));
    assert.notDeepEqual(values, trained.values.get(name));
  }
  const lossOf = async (file: string) => {
    const classifier = await openClassifier(file);
    const evaluation = await classifier.evaluate({ dataDir: folder });
    classifier.close();
    return evaluation?.loss ?? Number.NaN;
  };
  const { testLoss = Number.NaN } = (await timelessLog(run)).at(-1) ?? {};
  assertClose([await lossOf(run), await lossOf(best)], [testLoss, testLoss], { relative: betweenPrograms }, "loss");
  const difference = Math.abs((await lossOf(last)) / testLoss - 1);
  assert.ok(difference > 100 * betweenPrograms, `the loss of the last weights differs by ${difference} only`);
});

test("rates of a warm-up and a cosine are used, iteration by iteration", async () => {
  const rates: number[] = [];
  const options = { schedule: "cosine", warmup: 0.5, batchSize: 1, trainLimit: 100 } as const;
  const run = await trainTiny("rates", options);
  for (const { learningRate } of await timelessLog(run)) rates.push(learningRate ?? Number.NaN);
  // At the 20th, 40th … of 200 steps, of which 50 are warm-up; twice at the end of each epoch.
  const at = [19, 39, 59, 79, 99, 99, 119, 139, 159, 179, 199, 199];
  const expected = at.map(
    (step) => 0.01 * (step < 50 ? (step + 1) / 50 : (1 + Math.cos((Math.PI * (step - 50)) / 150)) / 2),
  );
  assertCloseNorm(rates, expected, 1e-12, "rates");
});
