/** Saving dies at every single step, again while it recovers, at random moments, and for want of space. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
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
import { programArguments } from "./command.ts";
import { dying } from "./dying.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-crash-"));
});
after(async () => {
  await rm(folder, { recursive: true });
});

/** With the weights as the best, or with others. */
function save(directory: string, iteration: number, best: "weights" | "average" = "weights"): Promise<void> {
  const bestWeights = best === "average" ? tinyStores(1000 + iteration).weights : undefined;
  const checkpoint = { model: tinyModel, iteration, position: { iteration }, best: true, bestWeights };
  return saveCheckpoint(directory, { ...checkpoint, ...tinyStores(iteration) });
}

/** Holds at any moment: no file but a temporary one is half-written, and last is there once it was. Returns the iteration to go on from. */
async function check(directory: string, atLeast: number, rows = 1): Promise<number> {
  const files = checkpointFiles(directory);
  if (atLeast > 0) assert.ok(await fileExists(files.last), "last.safetensors is there");
  for (const file of [files.last, files.best]) {
    if (await fileExists(file)) await readWeights(file, tinyStores(-1, rows).weights);
  }
  const stored = await loadCheckpoint(directory);
  assert.deepEqual(stored?.warnings ?? [], []);
  return stored?.iteration ?? 0;
}

/** Fills the stores from the newest checkpoint, checks every bit, and returns its iteration. */
async function restore(directory: string, rows = 1): Promise<number> {
  const stored = await loadCheckpoint(directory);
  if (!stored) return 0;
  const { weights, optimizer } = tinyStores(-1, rows);
  await restoreCheckpoint(stored, weights, optimizer);
  const expected = tinyStores(stored.iteration, rows);
  assert.equal(bitsOf(weights), bitsOf(expected.weights));
  assert.equal(bitsOf(optimizer), bitsOf(expected.optimizer));
  return stored.iteration;
}

async function goOn(directory: string, best: "weights" | "average"): Promise<void> {
  await removeTemporaries(directory);
  await save(directory, (await restore(directory)) + 1, best);
}

for (const [saved, links, best] of [
  [0, true, "weights"],
  [1, true, "weights"],
  [2, true, "weights"],
  [2, false, "weights"],
  [2, true, "average"],
] as const) {
  const how = `${links ? "with" : "without"} hard links, the best being the ${best}`;
  test(`death at each step of save ${saved + 1}, ${how}, and again on the way back`, async () => {
    const start = join(folder, `start-${saved}-${links}-${best}`);
    await mkdir(start);
    for (let iteration = 1; iteration <= saved; iteration++) await save(start, iteration, best);
    const directory = join(folder, "dying");
    let deaths = 0;
    for (let died = true; died; ) {
      await cp(start, directory, { recursive: true });
      died = await dying(deaths, links, () => save(directory, saved + 1, best));
      const reached = await check(directory, saved);
      assert.ok(reached === saved + 1 || (died && reached === saved), `step ${deaths}: at ${reached}`);
      // Steps prime to their number, so that in the end many pairs of first and second deaths have been tried.
      await dying((deaths * 7) % 30, links, () => goOn(directory, best));
      const reachedAgain = await check(directory, reached);
      assert.ok(reachedAgain >= reached, `step ${deaths}: back from ${reached} to ${reachedAgain}`);
      await goOn(directory, best);
      assert.equal(await restore(directory), reachedAgain + 1);
      const { weights } = tinyStores(-1);
      await readWeights(checkpointFiles(directory).best, weights);
      const kept = reachedAgain + 1 + (best === "average" ? 1000 : 0);
      assert.equal(bitsOf(weights), bitsOf(tinyStores(kept).weights), "the best");
      assert.ok((await readdir(directory)).length <= 5, "nothing is left over");
      await rm(directory, { recursive: true });
      deaths += Number(died);
    }
    // Two files opened and written four times (header, two tensors, checksum), and two renames, at the least.
    assert.ok(deaths >= 12, `only ${deaths} steps`);
  });
}

const child = programArguments(join(import.meta.dirname, "checkpointProcess.ts"));

test("kill -9 at random moments of a process that saves all the time", async () => {
  const directory = join(folder, "killed");
  const delays = new Uint32Array(4);
  fillWords(randomStream(2, "kill"), 0, delays);
  let reached = 0;
  for (const delay of delays) {
    const saving = spawn(process.execPath, [...child, "save", directory], { stdio: ["ignore", "pipe", "inherit"] });
    await Promise.race([once(saving.stdout, "data"), once(saving, "exit")]);
    assert.equal(saving.exitCode, null, "it restored the right values and goes on");
    await setTimeout(delay % 60);
    saving.kill("SIGKILL");
    await once(saving, "exit");
    const iteration = await check(directory, reached, 50);
    assert.ok(iteration > reached, `${iteration} after ${reached}`);
    reached = iteration;
  }
  assert.equal(await restore(directory, 50), reached);
});

test("no room: an error that names file and cause, the old checkpoint untouched, nothing left over", async () => {
  const directory = join(folder, "full");
  await mkdir(directory);
  await save(directory, 1);
  const held = await contents(directory);
  // A limit on the size of files stands in for a full disk: it takes no rights to set it.
  const limited = ["-c", 'ulimit -f 100; exec "$0" "$@"', process.execPath, ...child, "saveOnce", directory];
  const { stdout } = await promisify(execFile)("bash", limited, { env: { ...process.env, TSX_DISABLE_CACHE: "1" } });
  assert.match(
    stdout,
    /^CheckpointError: .*last\.safetensors: cannot be written: EFBIG: .*; free some space; the previously saved/,
  );
  assert.deepEqual(await contents(directory), held);
  assert.equal(await check(directory, 1), 1);
});

async function contents(directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of (await readdir(directory)).sort()) {
    found.set(name, (await readFile(join(directory, name))).toString("hex"));
  }
  return found;
}
