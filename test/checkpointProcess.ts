/** A process for tests to kill, starve and race: `node --import tsx test/checkpointProcess.ts TASK DIRECTORY`. */
import { setTimeout } from "node:timers/promises";
import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from "../src/checkpoint/checkpoint.ts";
import { openRun } from "../src/checkpoint/runDirectory.ts";
import { appendLog } from "../src/checkpoint/runLog.ts";
import { bitsOf, tinyModel, tinyStores } from "./checkpoints.ts";

const tasks: Readonly<Record<string, (directory: string) => Promise<void>>> = {
  /** Goes on from the last checkpoint, and saves one after the other until it is killed. */
  async save(directory) {
    const run = await openRun(directory);
    const stored = await loadCheckpoint(run.directory);
    const start = stored?.iteration ?? 0;
    if (stored) {
      const { weights, optimizer } = tinyStores(-1, 50);
      await restoreCheckpoint(stored, weights, optimizer);
      const expected = tinyStores(start, 50);
      const right = bitsOf(weights) === bitsOf(expected.weights) && bitsOf(optimizer) === bitsOf(expected.optimizer);
      if (!right || stored.warnings.length > 0) throw new Error(`wrong values restored at ${start}`);
    }
    for (let iteration = start + 1; ; iteration++) {
      const position = { iteration };
      const best = iteration % 2 === 0;
      await saveCheckpoint(directory, { model: tinyModel, iteration, position, best, ...tinyStores(iteration, 50) });
      console.log(iteration);
    }
  },

  /** Saves one checkpoint of about 400 KB and prints what went wrong. */
  async saveOnce(directory) {
    const checkpoint = { model: tinyModel, iteration: 2, position: {}, best: true, ...tinyStores(2, 1000) };
    await saveCheckpoint(directory, checkpoint).catch((error: Error) => console.log(`${error.name}: ${error.message}`));
  },

  /** Adds lines to the log until one does not fit, and prints what went wrong. */
  async log(directory) {
    const values = { trainLoss: 1, trainAccuracy: 0, learningRate: 1, examplesPerSecond: 1, seconds: 1 };
    const append = async () => {
      for (let iteration = 10; ; iteration++) await appendLog(directory, { epoch: 0, iteration, ...values });
    };
    await append().catch((error: Error) => console.log(`${error.name}: ${error.message}`));
  },

  /** Holds the run directory until it is killed. */
  async hold(directory) {
    const outcome = await openRun(directory).then(
      () => "held",
      (error: Error) => error.message,
    );
    console.log(outcome);
    await setTimeout(60_000);
  },

  /** Ends without closing the run directory. */
  async leave(directory) {
    await openRun(directory);
    process.exit(0);
  },

  /** Dies with the run directory open. */
  async die(directory) {
    await openRun(directory);
    process.kill(process.pid, "SIGKILL");
  },
};

const [, , task = "", directory = ""] = process.argv;
await tasks[task]?.(directory);
