/** A training run that loses a thread of the WebAssembly engine: an error, an intact checkpoint, and the same weights after it is resumed. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import threads from "node:worker_threads";
import { loadCheckpoint } from "../src/checkpoint/checkpoint.ts";
import { control } from "../src/engine/wasm/kernels/kernel.ts";
import { type TrainOptions, trainClassifier } from "../src/trainer/trainClassifier.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;
let options: TrainOptions;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-wasm-failure-"));
  await writeTinyDataset(folder, { train: 400, test: 40 });
  options = { engine: "wasm", threads: 2, network: tinyNetwork, dataDir: folder, batchSize: 16, epochs: 2 };
});
after(() => rm(folder, { recursive: true }));

/** In place of a worker's loop: the same, until `fault` is set. It then throws in the middle of a phase, before the first barrier. */
const serveUntilFault = `
  const { fault } = arguments[0];
  for (let seen = 0; Atomics.load(words, ${control.ended / 4}) === 0; instance.exports.run(thread)) {
    Atomics.wait(words, ${control.started / 4}, seen);
    seen = Atomics.load(words, ${control.started / 4});
    if (Atomics.load(words, ${control.ended / 4}) !== 0) break;
    if (Atomics.load(fault, 0) !== 0) throw new Error("a fault");
  }`;

/** Runs an action with workers of the engine that die once `fault[0]` is set. */
async function withFault<T>(action: (fault: Int32Array) => Promise<T>): Promise<T> {
  const fault = new Int32Array(new SharedArrayBuffer(4));
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    constructor(source: string | URL, given?: threads.WorkerOptions) {
      const text = String(source).replace("instance.exports.serve(thread)", serveUntilFault);
      if (text === String(source)) super(source, given);
      else super(text, { ...given, workerData: { ...given?.workerData, fault } });
    }
  };
  syncBuiltinESMExports();
  try {
    return await action(fault);
  } finally {
    threads.Worker = Worker;
    syncBuiltinESMExports();
  }
}

test("a run whose engine loses a thread in a step is an error; its checkpoint is intact, and resumes to the same weights", async () => {
  const [undisturbed, run] = [join(folder, "undisturbed"), join(folder, "run")];
  await trainWithoutReport({ ...options, run: undisturbed });
  await withFault(async (fault) => {
    let iterations = 0;
    const onProgress = () => {
      if (++iterations === 30) fault[0] = 1;
    };
    await assert.rejects(trainClassifier({ ...options, run, observer: { onProgress } }), {
      name: "NativeError",
      message: /^engine wasm: a thread ended \(.*\); run again, or use --threads 1$/,
    });
    assert.equal(iterations, 30);
  });
  assert.equal((await loadCheckpoint(run))?.iteration, 25);
  await trainWithoutReport({ run, resume: true });
  assert.ok((await lastWeights(run)).equals(await lastWeights(undisturbed)));
  assert.deepEqual(await timelessLog(run), await timelessLog(undisturbed));
});
