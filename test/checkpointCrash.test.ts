/** Saving dies at every single step, again while it recovers, at random moments, and for want of space. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { cp, mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from "../src/checkpoint/checkpoint.ts";
import { checkpointFiles, fileExists } from "../src/checkpoint/checkpointFiles.ts";
import { removeTemporaries } from "../src/checkpoint/durable.ts";
import { readWeights } from "../src/checkpoint/model.ts";
import { fillWords, randomStream } from "../src/random.ts";
import { bitsOf, tinyModel, tinyStores } from "./checkpoints.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-crash-"));
});
after(async () => {
  await rm(folder, { recursive: true });
});

function save(directory: string, iteration: number): Promise<void> {
  const position = { iteration };
  return saveCheckpoint(directory, { model: tinyModel, iteration, position, best: true, ...tinyStores(iteration) });
}

/** What the system does for a save, in order; each can be the last. */
const steps = ["open", "link", "rename", "copyFile", "rm"] as const;

/**
 * Runs an action as if the process died just before its `fatal`-th call to the system, or in the middle of it if that
 * writes. Returns whether it came that far. There are no hard links if `links` is false.
 */
async function dying(fatal: number, links: boolean, action: () => Promise<void>): Promise<boolean> {
  const promises = fs.promises as unknown as Record<string, (...args: never[]) => Promise<unknown>>;
  const probe = await open(folder, "r");
  const handle = Object.getPrototypeOf(probe) as typeof promises;
  await probe.close();
  const originals = new Map<readonly [typeof promises, string], (...args: never[]) => Promise<unknown>>();
  let calls = 0;
  let died: () => void = () => {};
  const death = new Promise<void>((resolve) => {
    died = resolve;
  });
  const intercept = (owner: typeof promises, name: string) => {
    const original = owner[name] as (...args: never[]) => Promise<unknown>;
    originals.set([owner, name], original);
    owner[name] = async function (this: unknown, ...args: never[]) {
      if (calls++ === fatal) {
        // A write may have got half-way.
        if (name === "write") {
          const [bytes, offset, length, position] = args as unknown as [Uint8Array, number, number, number];
          await original.call(this, ...([bytes, offset, length >> 1, position] as unknown as never[]));
        }
        died();
      }
      // The dead do nothing more, not even clean up.
      if (calls > fatal) return new Promise(() => {});
      if (name === "link" && !links) throw Object.assign(new Error("EPERM"), { code: "EPERM", syscall: "link" });
      // Only a loss of power would show whether this was done.
      return name === "sync" ? undefined : original.call(this, ...args);
    };
  };
  for (const name of steps) intercept(promises, name);
  for (const name of ["write", "sync"]) intercept(handle, name);
  syncBuiltinESMExports();
  try {
    const finished = await Promise.race([action().then(() => true), death.then(() => false)]);
    return !finished;
  } finally {
    for (const [[owner, name], original] of originals) owner[name] = original;
    syncBuiltinESMExports();
  }
}

/** Everything that must hold of a directory at any moment. Returns the iteration to go on from, the restoring of which may die too. */
async function check(directory: string, atLeast: number): Promise<number> {
  const stored = await loadCheckpoint(directory);
  const files = checkpointFiles(directory);
  if (atLeast > 0) assert.ok(await fileExists(files.last), "last.safetensors is there");
  for (const file of [files.last, files.best]) {
    if (await fileExists(file)) await readWeights(file, tinyStores(-1).weights);
  }
  if (!stored) return 0;
  assert.deepEqual(stored.warnings, []);
  return stored.iteration;
}

async function restore(directory: string): Promise<void> {
  const stored = await loadCheckpoint(directory);
  if (!stored) return;
  const { weights, optimizer } = tinyStores(-1);
  await restoreCheckpoint(stored, weights, optimizer);
  const expected = tinyStores(stored.iteration);
  assert.equal(bitsOf(weights), bitsOf(expected.weights));
  assert.equal(bitsOf(optimizer), bitsOf(expected.optimizer));
}

/** Restoring, then saving the next one. */
async function goOn(directory: string): Promise<void> {
  const iteration = (await loadCheckpoint(directory))?.iteration ?? 0;
  await restore(directory);
  await save(directory, iteration + 1);
}

for (const links of [true, false]) {
  for (const saved of [0, 1, 2]) {
    test(`death at each step of save ${saved + 1}, and again on the way back, ${links ? "with" : "without"} links`, async () => {
      const start = join(folder, `start-${saved}-${links}`);
      fs.mkdirSync(start);
      for (let iteration = 1; iteration <= saved; iteration++) await save(start, iteration);
      let deaths = 0;
      for (let first = 0; ; first++) {
        const directory = join(folder, "once");
        await cp(start, directory, { recursive: true });
        const died = await dying(first, links, () => save(directory, saved + 1));
        const reached = await check(directory, saved);
        assert.ok(
          died ? reached === saved || reached === saved + 1 : reached === saved + 1,
          `step ${first}: ${reached}`,
        );
        deaths += Number(died);
        // Not all of the second deaths: their number would be the square.
        for (let second = first % 5; died; second += 5) {
          const again = join(folder, "twice");
          await cp(directory, again, { recursive: true });
          const diedAgain = await dying(second, links, () => goOn(again));
          const after = await check(again, reached);
          assert.ok(after >= reached, `steps ${first}, ${second}: back from ${reached} to ${after}`);
          await restore(again);
          await removeTemporaries(again);
          await save(again, after + 1);
          assert.equal(await check(again, after + 1), after + 1);
          assert.ok((await readdir(again)).length <= 5, "nothing is left over");
          await rm(again, { recursive: true });
          if (!diedAgain) break;
        }
        await rm(directory, { recursive: true });
        if (!died) break;
      }
      // Two files opened, written thrice or more and synced, two renames, two folders synced.
      assert.ok(deaths > 15, `only ${deaths} steps`);
    });
  }
}

const child = ["--import", "tsx", join(import.meta.dirname, "checkpointProcess.ts")];

test("kill -9 at random moments of a process that saves all the time", async () => {
  const directory = join(folder, "killed");
  const delays = new Uint32Array(8);
  fillWords(randomStream(2, "kill"), 0, delays);
  let reached = 0;
  for (const delay of delays) {
    const saving = spawn(process.execPath, [...child, "save", directory], { stdio: ["ignore", "pipe", "inherit"] });
    await Promise.race([once(saving.stdout, "data"), once(saving, "exit")]);
    assert.equal(saving.exitCode, null, "it restored the right values and goes on");
    await setTimeout(delay % 60);
    saving.kill("SIGKILL");
    await once(saving, "exit");
    const iteration = await check(directory, reached);
    assert.ok(iteration > reached, `${iteration} after ${reached}`);
    reached = iteration;
  }
  await restore50(directory);
});

async function restore50(directory: string): Promise<void> {
  const stored = await loadCheckpoint(directory);
  assert.ok(stored);
  const { weights, optimizer } = tinyStores(-1, 50);
  await restoreCheckpoint(stored, weights, optimizer);
  assert.equal(bitsOf(weights), bitsOf(tinyStores(stored.iteration, 50).weights));
  assert.equal(bitsOf(optimizer), bitsOf(tinyStores(stored.iteration, 50).optimizer));
}

test("no room: an error that names file and cause, the old checkpoint untouched, nothing left over", async () => {
  const directory = join(folder, "full");
  fs.mkdirSync(directory);
  await save(directory, 1);
  const before = await contents(directory);
  // A limit on the size of files stands in for a full disk: no rights are needed to set it.
  const limited = ["-c", 'ulimit -f 100; exec "$0" "$@"', process.execPath, ...child, "saveOnce", directory];
  const { stdout } = await promisify(execFile)("bash", limited);
  assert.match(
    stdout,
    /^CheckpointError: .*last\.safetensors: cannot be written: EFBIG: .*; free some space: what was saved/,
  );
  assert.deepEqual(await contents(directory), before);
  assert.equal(await check(directory, 1), 1);
});

async function contents(directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of (await readdir(directory)).sort()) {
    found.set(name, (await readFile(join(directory, name))).toString("hex"));
  }
  return found;
}
