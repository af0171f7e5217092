import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bitsOf, memoryStore } from "../../../test/checkpoints.ts";
import { pytorchSample, sampleDigest } from "../../../test/pytorchSample.ts";
import { ShapeError } from "../../errors.ts";
import { bytesInMemory } from "../containers/byteSource.ts";
import { readZip } from "../containers/zip.ts";
import { readPytorch } from "./readPytorch.ts";
import { writePytorch } from "./writePytorch.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-pytorch-"));
});
after(() => rm(folder, { recursive: true }));

test("the file is the one that PyTorch was seen to load", async () => {
  const file = join(folder, "sample.pth");
  await writePytorch(file, pytorchSample());
  const digest = createHash("sha256").update(await readFile(file));
  assert.equal(digest.digest("hex"), sampleDigest);
});

test("names, shapes and values come back to the bit", async () => {
  const file = join(folder, "back.pth");
  const sample = pytorchSample();
  await writePytorch(file, sample);
  const read = await readPytorch(bytesInMemory(file, await readFile(file)));
  assert.deepEqual(read.tensors, sample.tensors);
  const back = memoryStore(sample.tensors);
  for (const { name } of sample.tensors) await read.read(name, back.values.get(name) as Float32Array);
  assert.equal(bitsOf(back), bitsOf(sample));
});

test("every file in it begins at a multiple of 64, as PyTorch maps them", async () => {
  const file = join(folder, "aligned.pth");
  await writePytorch(file, pytorchSample());
  const entries = await readZip(bytesInMemory(file, await readFile(file)));
  assert.equal(entries.size, 6 + 3);
  for (const { name, position } of entries.values()) assert.equal(position % 64, 0, name);
});

test("a source with the wrong number of values", async () => {
  const source = { tensors: [{ name: "w", shape: [2] }], read: async () => Float32Array.of(1) };
  await assert.rejects(writePytorch(join(folder, "wrong.pth"), source), ShapeError);
});
