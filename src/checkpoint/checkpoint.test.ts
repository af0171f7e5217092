/** Checkpoints on disk: saved, corrupt, restored. Longer than other files: all tests save and restore the same small model. */
import assert from "node:assert/strict";
import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { bitsOf, fillStoreAt, memoryStore, tinyModel, tinyStores } from "../../test/checkpoints.ts";
import { CheckpointError } from "../errors.ts";
import { checkFreeSpace, loadCheckpoint, restoreCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { checkpointFiles, resolveModelFile } from "./checkpointFiles.ts";
import { writeFileDurably } from "./durable.ts";
import { loadModel, readWeights } from "./model.ts";
import { writeSafetensors } from "./safetensorsWriter.ts";

const folders: string[] = [];
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-checkpoint-"));
  folders.push(folder);
});
after(async () => {
  for (const each of folders) await rm(each, { recursive: true });
});

function save(iteration: number, best = false): Promise<void> {
  return saveCheckpoint(folder, {
    model: tinyModel,
    iteration,
    position: { iteration },
    best,
    ...tinyStores(iteration),
  });
}

/** Iteration that training would resume from, after checking the restored values. */
async function restored(): Promise<number | undefined> {
  const stored = await loadCheckpoint(folder);
  if (!stored) return undefined;
  const { weights, optimizer } = tinyStores(-1);
  await restoreCheckpoint(stored, weights, optimizer);
  const expected = tinyStores(stored.iteration);
  assert.equal(bitsOf(weights), bitsOf(expected.weights));
  assert.equal(bitsOf(optimizer), bitsOf(expected.optimizer));
  assert.deepEqual(stored.position, { iteration: stored.iteration });
  assert.deepEqual(stored.model, tinyModel);
  return stored.iteration;
}

async function weightsIn(file: string): Promise<string> {
  const { weights } = tinyStores(-1);
  await readWeights(file, weights);
  return bitsOf(weights);
}

/** Saves as `save`, with a NaN among the weights or the optimizer's state. */
async function saveWithNaN(iteration: number, where: "weights" | "optimizer"): Promise<void> {
  const stores = tinyStores(iteration);
  const [values] = stores[where].values.values();
  values?.fill(Number.NaN, 2, 3);
  await saveCheckpoint(folder, { model: tinyModel, iteration, position: { iteration }, best: false, ...stores });
}

/** Flips one bit near the end of a file, in place. */
async function damage(file: string): Promise<void> {
  const bytes = await readFile(file);
  const position = bytes.length - 5;
  bytes[position] = (bytes[position] as number) ^ 4;
  await writeFile(file, bytes);
}

test("an empty folder has no checkpoint", async () => {
  assert.equal(await loadCheckpoint(folder), undefined);
});

test("last, previous and best after each save", async () => {
  const { last, previous, best } = checkpointFiles(folder);
  await save(1);
  assert.deepEqual((await readdir(folder)).sort(), ["last.optimizer.safetensors", "last.safetensors"]);
  assert.equal(await restored(), 1);
  await save(2, true);
  await save(3);
  assert.equal(await restored(), 3);
  assert.equal(await weightsIn(last), bitsOf(tinyStores(3).weights));
  assert.equal(await weightsIn(previous), bitsOf(tinyStores(2).weights));
  assert.equal(await weightsIn(best), bitsOf(tinyStores(2).weights));
  assert.equal((await stat(best)).ino, (await stat(previous)).ino, "a link, not a copy");
  assert.equal((await readdir(folder)).length, 5);
  assert.deepEqual(await loadModel(best), tinyModel);
});

for (const damaged of ["last", "lastOptimizer"] as const) {
  test(`a damaged ${damaged} gives way to the previous pair, with a warning, and the next save keeps that`, async () => {
    const files = checkpointFiles(folder);
    await save(1);
    await save(2);
    await damage(files[damaged]);
    const stored = await loadCheckpoint(folder);
    assert.equal(stored?.iteration, 1);
    assert.equal(stored.warnings.length, 1);
    assert.match(stored.warnings[0] as string, new RegExp(`${basename(files[damaged])}: corrupt, .*checksum differs`));
    assert.equal(await restored(), 1);
    await save(2);
    await damage(files[damaged]);
    assert.equal(await restored(), 1);
  });
}

test("a truncated last and a missing previous: an error, not a new start", async () => {
  await save(1);
  await truncate(checkpointFiles(folder).last, 1000);
  await assert.rejects(loadCheckpoint(folder), (error: Error) => {
    assert.ok(error instanceof CheckpointError);
    assert.match(error.message, /no usable checkpoint; start a new run in another directory:\n.*last\.safetensors/);
    return true;
  });
});

test("weights without optimizer state are an error, not a new start", async () => {
  await save(1);
  await rm(checkpointFiles(folder).lastOptimizer);
  await assert.rejects(loadCheckpoint(folder), /last\.safetensors: its optimizer file is missing/);
});

test("metrics that are not finite and an empty position do not break a checkpoint", async () => {
  const model = { ...tinyModel, metrics: { testLoss: Number.NaN, testAccuracy: 0.5 } };
  await saveCheckpoint(folder, { model, iteration: 1, position: undefined, best: false, ...tinyStores(1) });
  const stored = await loadCheckpoint(folder);
  assert.deepEqual(stored?.model.metrics, { testAccuracy: 0.5 });
  assert.equal(stored.position, null);
});

test("an optimizer's state goes with its own weights only, whatever the iteration says", async () => {
  await save(1);
  const files = checkpointFiles(folder);
  await copyFile(files.lastOptimizer, join(folder, "kept"));
  const other = tinyStores(5);
  await saveCheckpoint(folder, { model: tinyModel, iteration: 1, position: {}, best: false, ...other });
  await copyFile(join(folder, "kept"), files.lastOptimizer);
  assert.equal(await restored(), 1);
});

test("missing, extra and mis-shaped tensors are all listed, and nothing is written", async () => {
  await save(1);
  const store = memoryStore([
    { name: "classifier.0.weight", shape: [1, 16, 3] },
    { name: "classifier.2.weight", shape: [2, 2] },
  ]);
  fillStoreAt(store, 9);
  const before = bitsOf(store);
  const { last } = checkpointFiles(folder);
  await assert.rejects(readWeights(last, store), {
    name: "CheckpointError",
    message:
      `${last}: 3 tensors do not match:\n  classifier.0.weight: expected [1, 16, 3], got [1, 3, 16]\n` +
      "  classifier.2.weight: missing, expected [2, 2]\n  classifier.0.bias: not expected, got [1, 3]",
  });
  assert.equal(bitsOf(store), before);
});

test("a checkpoint with a NaN: the one before is restored, and the file and its tensor are named", async () => {
  for (const where of ["weights", "optimizer"] as const) {
    await save(1);
    await saveWithNaN(2, where);
    const { warnings = [] } = (await loadCheckpoint(folder)) ?? {};
    assert.match(
      warnings.join(),
      /last\.(optimizer\.)?safetensors: \S+: expected finite numbers, got NaN at index 2 \(1 of \d+ are/,
    );
    assert.equal(await restored(), 1);
  }
});

test("weights with a NaN: file and tensor are named, after the checksum is verified", async () => {
  await saveWithNaN(1, "weights");
  const { last } = checkpointFiles(folder);
  await assert.rejects(weightsIn(last), {
    name: "CheckpointError",
    message: /last\.safetensors: classifier\.0\.weight: expected finite numbers, got NaN at index 2/,
  });
  await damage(last);
  await assert.rejects(weightsIn(last), /its checksum differs/);
});

test("files other than weights files of this program", async () => {
  const file = join(folder, "foreign.safetensors");
  const { weights } = tinyStores(1);
  const good = {
    formatVersion: "1",
    network: JSON.stringify(tinyModel.network),
    classNames: '["a","b","c"]',
    preprocessing: JSON.stringify(tinyModel.preprocessing),
    metrics: "{}",
    precision: "f32",
  };
  const cases: readonly [RegExp, Readonly<Record<string, string>>][] = [
    [/expected a weights file of format version 1 or 2, got none: it was not written by this program/, {}],
    [/got "3"/, { ...good, formatVersion: "3" }],
    [/not a weights file: network: not JSON/, { ...good, network: "{" }],
    [/network: fc: unknown kind "linaer"/, { ...good, network: good.network.replace('"linear"', '"linaer"') }],
    [
      /network: fc .*outFeatures|network: fc/,
      { ...good, network: good.network.replace('"outFeatures":3', '"outFeatures":0') },
    ],
    [/expected 3 class names for its network, got 2/, { ...good, classNames: '["a","b"]' }],
    [/preprocessing/, { ...good, preprocessing: "{}" }],
    [/metrics/, { ...good, metrics: '{"a":"b"}' }],
    [/precision/, { ...good, precision: "f8" }],
  ];
  for (const [message, metadata] of cases) {
    await writeSafetensors(file, metadata, weights);
    await assert.rejects(loadModel(file), (error: Error) => {
      assert.ok(error instanceof CheckpointError, String(error));
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(file), error.message);
      return true;
    });
  }
  await writeSafetensors(file, good, weights);
  assert.equal((await loadModel(file)).network.name, "tiny");
});

test("a path resolves to itself, or to a run's best, last or previous weights", async () => {
  const { last, previous, best } = checkpointFiles(folder);
  await assert.rejects(resolveModelFile(join(folder, "none")), /none: no such file or folder/);
  await assert.rejects(resolveModelFile(folder), /contains no checkpoint/);
  for (const file of [previous, last, best]) {
    await writeFile(file, "");
    assert.equal(await resolveModelFile(folder), file);
  }
  assert.equal(await resolveModelFile(last), last);
});

test("free space for checkpoints: existing files count once each", async () => {
  await checkFreeSpace(folder, { weights: 1000, optimizer: 1000 });
  await assert.rejects(checkFreeSpace(folder, { weights: 1e18, optimizer: 0 }), {
    name: "CheckpointError",
    message: /expected 4\.00 EB of free space for checkpoints, got [\d.,]+ [GT]B; free some space/,
  });
  await assert.rejects(checkFreeSpace(join(folder, "none"), { weights: 1, optimizer: 1 }), CheckpointError);
});

test("a file written durably has the new content, or the old one if it cannot be written", async () => {
  const file = join(folder, "config.json");
  await writeFileDurably(file, "old");
  await writeFileDurably(file, Buffer.from("new"));
  assert.equal(await readFile(file, "utf8"), "new");
  assert.deepEqual(await readdir(folder), ["config.json"]);
  const inNowhere = join(folder, "none", "config.json");
  await assert.rejects(writeFileDurably(inNowhere, "x"), (error: Error) => {
    assert.ok(error instanceof CheckpointError);
    assert.equal(
      error.message,
      `${inNowhere}: cannot be written: the folder ${join(folder, "none")} does not exist; create it first, or choose another`,
    );
    return true;
  });
  // Other messages are the system's, without the name of the temporary file.
  await assert.rejects(writeFileDurably(join(file, "x"), "x"), (error: Error) => {
    assert.match(
      error.message,
      /config\.json\/x: cannot be written: a file is in the place of a folder; choose another path$/,
    );
    return true;
  });
});
