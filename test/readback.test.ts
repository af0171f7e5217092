/** Training whose numbers arrive late: the same weights and the same figures to the bit, and no checkpoint after a divergence. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadCheckpoint, restoreCheckpoint } from "../src/checkpoint/checkpoint.ts";
import { readLog } from "../src/checkpoint/runLog.ts";
import { type Dataset, limitSplit } from "../src/dataset/dataset.ts";
import { loadFashionMnist } from "../src/dataset/sources/fashionMnist.ts";
import type { Engine } from "../src/engine/engine.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { ConfigError, DivergenceError } from "../src/errors.ts";
import { optimizerStore } from "../src/model/tensorStores.ts";
import type { DivergencePolicy } from "../src/settings/divergencePolicy.ts";
import { type RunConfig, readRunConfig } from "../src/settings/runConfig.ts";
import { compileModel, runPreparation, runTraining } from "../src/trainer/compiledModel.ts";
import { writeInitialWeights } from "../src/trainer/initialWeights.ts";
import { ownStores } from "../src/trainer/jointStores.ts";
import { readPosition, trainGuarded } from "../src/trainer/rollback.ts";
import { createRecorder } from "../src/trainer/runRecorder.ts";
import type { TrainOptions } from "../src/trainer/trainClassifier.ts";
import { createOptimizer } from "../src/training/optimizers/optimizer.ts";
import { initialPosition, type Position } from "../src/training/state.ts";
import { type Training, type TrainingListener, train } from "../src/training/train.ts";
import { createDeviceEngine, type DeviceLog } from "./deviceEngine.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

const images = 50;
let folder: string;
let dataset: Dataset;
let options: TrainOptions;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-readback-"));
  await writeTinyDataset(folder, { train: images, test: 10 });
  dataset = await loadFashionMnist({ dataDir: folder });
  const compute = { engine: "onednn", precision: "f32", threads: 1 } as const;
  options = { network: tinyNetwork, dataDir: folder, ...compute, batchSize: 8, epochs: 3, learningRate: 0.01 };
});
after(() => rm(folder, { recursive: true }));

/** A run's configuration: the run is stopped after some iterations. */
async function stoppedRun(name: string, given: TrainOptions = {}, iterations = 1): Promise<RunConfig> {
  const controller = new AbortController();
  let done = 0;
  const onProgress = () => {
    if (++done === iterations) controller.abort();
  };
  const run = join(folder, name);
  await trainWithoutReport({ ...options, ...given, run, signal: controller.signal, observer: { onProgress } });
  const config = await readRunConfig(run);
  assert.ok(config);
  return config;
}

/** Weights and optimizer state in f32, as a device keeps them. */
const inner = createOneDnnEngine({ threads: 1 });
after(() => inner.close());

/** A run compiled on an engine, with its first weights. */
async function compiled(config: RunConfig, engine: Engine) {
  const run = { config, engine, dataset: { ...dataset, train: limitSplit(dataset.train, images) } };
  const model = await compileModel(run);
  const optimizer = createOptimizer(model.program, config.recipe);
  await writeInitialWeights(model.weights, config);
  optimizer.start();
  const training = runTraining(run, model.program, optimizer, run.dataset, runPreparation(run));
  return {
    model,
    training,
    weights: model.weights,
    optimizer: optimizerStore(model.program, config.network, optimizer),
  };
}

/** Records what is told; seconds are left out. */
function recording(own: Partial<TrainingListener> = {}) {
  const told: unknown[] = [];
  const timeless = ({ seconds: _, epochTally, windowTally, ...position }: Position) => [
    position,
    epochTally.loss,
    epochTally.correct,
    windowTally.loss,
  ];
  const listener: TrainingListener = {
    signal: undefined,
    onIteration: (position) => void told.push(timeless(position)),
    onWindow: async (position, window, rate) => void told.push(timeless(position), window.loss, rate),
    isDue: () => false,
    betweenIterations: async () => undefined,
    onEvaluationProgress() {},
    onEvaluation: async (position, epoch, { loss, confusion }, rate) =>
      void told.push(timeless(position), epoch.loss, loss, confusion, rate),
    onStuck() {},
    onEarlyStop() {},
    ...own,
  };
  return { told, listener };
}

async function weightsOf({ program }: Training): Promise<readonly Float32Array[]> {
  return Promise.all(program.parameters.map(({ value }) => program.read(value)));
}

for (const given of [
  {},
  { momentum: 0.9, clipNorm: 0.5, mixup: 0.4, labelSmoothing: 0.1 },
  { accumulate: 3, average: 0.9, augment: ["flip", "shift"] },
] satisfies readonly TrainOptions[]) {
  test(`late numbers, ${JSON.stringify(given)}: weights, figures and evaluations are the same to the bit`, async () => {
    const config = await stoppedRun(`late-${JSON.stringify(given).length}`, given);
    const expected = recording();
    const plain = await compiled(config, inner);
    await train(plain.training, initialPosition, expected.listener);
    for (const everySteps of [1, 3, 20]) {
      const log: DeviceLog = { overlapped: 0, checks: 0 };
      const { training, model } = await compiled(config, createDeviceEngine(inner, everySteps, log));
      const { told, listener } = recording();
      await train(training, initialPosition, listener);
      assert.deepEqual(told, expected.told);
      assert.deepEqual(await weightsOf(training), await weightsOf(plain.training));
      // 7 iterations an epoch.
      assert.ok(log.checks <= 3 * Math.ceil(7 / everySteps), `${log.checks} checks`);
      if (everySteps > 1) assert.ok(log.overlapped > 6, `${log.overlapped} steps queued behind others`);
      await model.close();
    }
    await plain.model.close();
  });
}

test("a divergence is found, with its iteration, before the listener may save", async () => {
  const config = await stoppedRun("due");
  const messages: string[] = [];
  const places: (readonly [number, boolean])[] = [];
  for (const engine of [inner, createDeviceEngine(inner, 20)]) {
    const { training, model } = await compiled(config, engine);
    let begun = 0;
    const rateOf = (iteration: number) => {
      begun = iteration;
      return iteration < 2 ? 0.01 : 1e30;
    };
    const { listener } = recording({
      isDue: () => begun >= 5,
      async betweenIterations({ iteration }) {
        places.push([iteration, (await training.program.firstNonFinite("values")) === undefined]);
        return undefined;
      },
      onEvaluation: async () => assert.fail("evaluated after a divergence"),
    });
    await assert.rejects(train({ ...training, rateOf }, initialPosition, listener), (error) => {
      assert.ok(error instanceof DivergenceError);
      messages.push(error.message);
      return true;
    });
    await model.close();
  }
  assert.match(messages[0] ?? "", /^training: .*conv1\.weight .*is NaN or infinite after iteration 4;/);
  assert.match(
    messages[1] ?? "",
    /^training: the loss is NaN, and conv1\.weight .* is NaN or infinite after iteration 4;/,
  );
  // Only where every step is read was there anything to save: the device is first read when something is due.
  assert.deepEqual(places, [
    [1, true],
    [2, true],
    [3, true],
  ]);
});

interface DeviceRun {
  readonly policy: DivergencePolicy;
  /** Multiplies the learning rate of the recipe. */
  readonly rateFactor: number;
  readonly rateOf?: Training["rateOf"];
  readonly signal?: AbortSignal;
}

/** Resumes a stopped run on a device whose numbers are read every 20 steps; an epoch has 7. */
async function resumeOnDevice(name: string, { policy, rateFactor, rateOf, signal }: DeviceRun) {
  const directory = join(folder, name);
  const stored = await readRunConfig(directory);
  const checkpoint = await loadCheckpoint(directory);
  assert.ok(stored && checkpoint);
  const recipe = { ...stored.recipe, learningRate: rateFactor * stored.recipe.learningRate };
  const config: RunConfig = { ...stored, recipe };
  const { model, training, ...stores } = await compiled(config, createDeviceEngine(inner, 20));
  await restoreCheckpoint(checkpoint, stores.weights, stores.optimizer);
  const from = { start: readPosition(checkpoint), log: await readLog(directory) };
  const common = { ...stores, directory, joint: ownStores, observer: undefined };
  const record = (stretch: typeof from) =>
    createRecorder({ ...common, ...stretch, average: undefined, config, signal, deadline: Number.POSITIVE_INFINITY });
  try {
    const run = { ...common, training: { ...training, ...(rateOf ? { rateOf } : {}) }, policy, record };
    const { position, end, recorder } = await trainGuarded(run, from);
    await recorder.save(position);
    return end;
  } finally {
    await model.close();
  }
}

test("a run on a device rolls back and ends as an undisturbed one, to the bit", async () => {
  const [whole, run] = [join(folder, "whole"), join(folder, "rolled-back")];
  await trainWithoutReport({ ...options, run: whole });
  await stoppedRun("rolled-back", {}, 9);
  // A power of two: the rate that is multiplied and divided by it is the old one to the bit.
  const fault = 2 ** 100;
  const policy = { action: "rollback", factor: 1 / fault, times: 1 } as const;
  assert.equal(await resumeOnDevice("rolled-back", { policy, rateFactor: fault }), "finished");
  assert.ok((await lastWeights(run)).equals(await lastWeights(whole)));
  const lines = await timelessLog(run);
  const rollbacks = lines.filter((line) => "rollback" in line);
  assert.deepEqual(
    rollbacks.map(({ iteration }) => iteration),
    [9],
  );
  assert.deepEqual(
    lines.filter((line) => !("rollback" in line)),
    await timelessLog(whole),
  );
});

test("interrupted after a divergence that was not read yet, a run saves nothing and says that it diverged", async () => {
  await stoppedRun("interrupted", {}, 8);
  const before = await lastWeights(join(folder, "interrupted"));
  const controller = new AbortController();
  const rateOf = (iteration: number) => {
    if (iteration === 12) controller.abort();
    return 1e30;
  };
  const policy = { action: "stop", factor: 0.1, times: 1 } as const;
  await assert.rejects(
    resumeOnDevice("interrupted", { policy, rateFactor: 1, rateOf, signal: controller.signal }),
    (error) => error instanceof DivergenceError && /after iteration (9|1[0-3]);/.test(error.message),
  );
  assert.ok((await lastWeights(join(folder, "interrupted"))).equals(before));
});

test("an engine that does not train is refused", async () => {
  const config = await stoppedRun("untrained");
  const engine = { ...createReferenceEngine(), name: "viewer", trains: false };
  await assert.rejects(
    compileModel({ config, dataset, engine }),
    new ConfigError("engine viewer: cannot train; choose another --engine"),
  );
});
