/** Runs that diverge and go back to a checkpoint with a smaller rate. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadCheckpoint } from "../src/checkpoint/checkpoint.ts";
import { loadModel } from "../src/checkpoint/model.ts";
import type { RollbackEntry } from "../src/checkpoint/runLog.ts";
import { DivergenceError } from "../src/errors.ts";
import { readPosition } from "../src/trainer/rollback.ts";
import { type TrainOptions, type TrainResult, trainClassifier } from "../src/trainer/trainClassifier.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;
let options: TrainOptions;
const rate = 0.01;
/** A power of two: the rate that is divided by it is the old one to the bit. */
const fault = 2 ** 100;
const rescue = { onDivergence: "rollback", rollbackFactor: 1 / fault } as const;
const undisturbed = "undisturbed";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-rollback-"));
  await writeTinyDataset(folder, { train: 400, test: 40 });
  options = { network: tinyNetwork, dataDir: folder, threads: 1, batchSize: 16, epochs: 3, learningRate: rate };
  await trainWithoutReport({ ...options, run: join(folder, undisturbed) });
});
after(() => rm(folder, { recursive: true }));

/** Trains so many iterations of this call, as far as Ctrl-C goes. Returns what was said, too. */
async function trainFor(
  iterations: number,
  run: string,
  given: TrainOptions,
  train = trainWithoutReport,
): Promise<{ readonly result: TrainResult; readonly messages: readonly string[] }> {
  const controller = new AbortController();
  const messages: string[] = [];
  let done = 0;
  const observer = {
    onMessage: (message: string) => messages.push(message),
    onProgress() {
      if (++done === iterations) controller.abort();
    },
  };
  const result = await train({ ...given, run: join(folder, run), signal: controller.signal, observer });
  return { result, messages };
}

/** A run stopped after some iterations, whose rate from there on is so high that it diverges in the next step or two. */
async function faultyRun(name: string, iterations: number, given: TrainOptions): Promise<void> {
  await trainFor(iterations, name, { ...options, ...given });
  const file = join(folder, name, "config.json");
  const config = JSON.parse(await readFile(file, "utf8"));
  config.recipe.learningRate *= fault;
  await writeFile(file, JSON.stringify(config));
}

const resume = (run: string, given: TrainOptions = {}, train = trainWithoutReport) =>
  trainFor(Infinity, run, { resume: true, ...given }, train);

async function logOf(run: string) {
  const lines = await timelessLog(join(folder, run));
  const isRollback = (line: object): line is RollbackEntry => "rollback" in line;
  return { rollbacks: lines.filter(isRollback), entries: lines.filter((line) => !isRollback(line)) };
}

async function assertAsUndisturbed(run: string): Promise<void> {
  assert.ok((await lastWeights(join(folder, run))).equals(await lastWeights(join(folder, undisturbed))), run);
  assert.deepEqual((await logOf(run)).entries, (await logOf(undisturbed)).entries);
}

async function rollbacksOf(run: string) {
  const stored = await loadCheckpoint(join(folder, run));
  assert.ok(stored);
  return { ...readPosition(stored).rollbacks, at: stored.iteration };
}

test("back from divergence, a run goes on from its checkpoint with the smaller rate, to the bit, and says so", async () => {
  await faultyRun("rescued", 30, rescue);
  const { result, messages } = await resume("rescued", {}, trainClassifier);
  assert.equal(result.end, "finished");
  await assertAsUndisturbed("rescued");
  const [said] = messages.filter((message) => message.includes("rollback"));
  assert.match(
    said ?? "",
    /^training: .* after iteration 3[123]; back to iteration 30 with the learning rate × 7\.88861e-31 \(rollback 1 of 3\)$/,
  );
  const { rollbacks } = await logOf("rescued");
  assert.equal(rollbacks.length, 1);
  const { reason, ...line } = rollbacks[0] as RollbackEntry;
  assert.match(reason, /^training: .* after iteration 3[123]$/);
  assert.deepEqual(line, { epoch: 1.2, iteration: 30, rollback: 1, learningRateFactor: 1 / fault });
});

test("interrupted after a rollback, at any iteration, a run is resumed to the bit and keeps to its smaller rate", async () => {
  await faultyRun("to-stop", 30, rescue);
  for (const iterations of [3, 4, 12, 22]) {
    const name = `stopped-${iterations}`;
    await cp(join(folder, "to-stop"), join(folder, name), { recursive: true });
    const { messages } = await trainFor(iterations, name, { resume: true });
    assert.equal(messages.filter((message) => message.includes("rollback 1 of 3")).length, 1);
    assert.equal((await rollbacksOf(name)).count, 1);
    const again = await resume(name);
    assert.deepEqual(again.messages, []);
    await assertAsUndisturbed(name);
    assert.equal((await logOf(name)).rollbacks.length, 1);
  }
});

test("a run that diverges before anything else goes back to its first weights", async () => {
  const recipe = { ...options, learningRate: rate * fault, ...rescue };
  const { result } = await trainFor(Infinity, "at-once", recipe, trainClassifier);
  assert.equal(result.end, "finished");
  await assertAsUndisturbed("at-once");
});

test("a second divergence from one checkpoint goes back to the one before", async () => {
  // Evaluated after iteration 25, and stopped after 30: two checkpoints.
  await faultyRun("twice", 30, { onDivergence: "rollback", rollbackFactor: 2 ** -50 });
  const { messages } = await resume("twice");
  const places = messages.flatMap((message) => message.match(/back to iteration (\d+)/)?.[1] ?? []);
  assert.deepEqual(places, ["30", "25"]);
  await assertAsUndisturbed("twice");
  assert.deepEqual(
    (await logOf("twice")).rollbacks.map(({ rollback, iteration }) => [rollback, iteration]),
    [
      [1, 30],
      [2, 25],
    ],
  );
});

test("best weights of an evaluation that a rollback discarded are replaced by the next best of the log", async () => {
  const best = (run: string) => readFile(join(folder, run, "best.safetensors"));
  await trainFor(20, "discarded", options);
  // At least as accurate as any of these three epochs, by an evaluation that is not in this run's log.
  await trainFor(Number.POSITIVE_INFINITY, "better", { ...options, seed: 5, epochs: 8 });
  const accuracyOf = async (run: string) =>
    (await loadModel(join(folder, run, "best.safetensors"))).metrics["testAccuracy"] ?? Number.NaN;
  assert.ok((await accuracyOf("better")) >= (await accuracyOf(undisturbed)));
  await cp(join(folder, "better", "best.safetensors"), join(folder, "discarded", "best.safetensors"));
  const messages = (await resume("discarded")).messages;
  assert.deepEqual(messages, []);
  assert.ok((await best("discarded")).equals(await best(undisturbed)));
});

test("when the rollbacks are used up a run stops as without them; the last checkpoint is good, and more may be allowed", async () => {
  await faultyRun("hopeless", 30, { onDivergence: "rollback", rollbackFactor: 0.5, maxRollbacks: 2 });
  await assert.rejects(resume("hopeless"), (error) => {
    assert.ok(error instanceof DivergenceError);
    assert.equal(error.exitCode, 3);
    assert.match(
      error.message,
      /; gave up after 2 rollbacks \(learning rate now 3\.16913e\+27\); resume with a higher/,
    );
    return true;
  });
  assert.deepEqual(await rollbacksOf("hopeless"), { count: 2, factor: 0.25, iteration: 25, at: 25 });
  await resume("hopeless", { maxRollbacks: 3, rollbackFactor: 4 / fault });
  await assertAsUndisturbed("hopeless");
});

test("by default a run that diverges stops, and its directory is as it was; it can be resumed with rollback", async () => {
  await faultyRun("stopping", 30, {});
  const before = await lastWeights(join(folder, "stopping"));
  await assert.rejects(resume("stopping"), /training: .*; start another run .*--resume --on-divergence rollback$/);
  assert.ok((await lastWeights(join(folder, "stopping"))).equals(before));
  await resume("stopping", rescue);
  await assertAsUndisturbed("stopping");
});

test("weights that are finite while their evaluation is not are divergence: nothing of it is logged, and rollback cures it", async () => {
  // One step an epoch: no later loss of training finds the weights too large.
  const given = { ...options, trainLimit: 16, epochs: 2, learningRate: 1e30, rollbackFactor: 1e-32 };
  const diverged = trainFor(Infinity, "evaluated", given);
  await assert.rejects(diverged, (error: unknown) => {
    assert.ok(error instanceof DivergenceError);
    assert.match(error.message, /evaluation|test loss/);
    return true;
  });
  assert.deepEqual((await logOf("evaluated").catch(() => ({ entries: [] }))).entries, []);
  const { result } = await resume("evaluated", { onDivergence: "rollback" }, trainClassifier);
  assert.equal(result.end, "finished");
  const { rollbacks, entries } = await logOf("evaluated");
  assert.match(rollbacks[0]?.reason ?? "", /evaluation|test loss/);
  assert.equal(entries.length, 2);
  for (const entry of entries) {
    for (const value of Object.values(entry)) assert.ok(Number.isFinite(value), JSON.stringify(entry));
  }
});
