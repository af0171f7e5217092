import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeColour } from "../../test/servedNetworks.ts";
import { CheckpointError } from "../errors.ts";
import { packModel, unpackModel } from "./compactModel.ts";
import { readModelBytes, writeModelBytes } from "./modelBytes.ts";
import { readModel, writeModel } from "./modelFile.ts";
import type { NetworkModel } from "./networkModel.ts";

let folder: string;
let file: string;
let model: NetworkModel;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-model-bytes-"));
  file = join(folder, "colour.safetensors");
  await writeColour(file);
  model = await readModel(file);
});
after(() => rm(folder, { recursive: true }));

test("the bytes of a model are those of its file, and both readers read both", async () => {
  const bytes = await writeModelBytes(model);
  await writeModel(join(folder, "written.safetensors"), model);
  assert.deepEqual(Buffer.from(bytes), await readFile(join(folder, "written.safetensors")));
  assert.deepEqual(await readModelBytes(new Uint8Array(await readFile(file)), "colour"), model);
  await writeFile(join(folder, "bytes.safetensors"), bytes);
  assert.deepEqual(await readModel(join(folder, "bytes.safetensors")), model);
});

test("damaged bytes are refused, by their name", async () => {
  const bytes = await writeModelBytes(model);
  const flipped = bytes.slice();
  flipped[flipped.length - 1] = 255 - (flipped.at(-1) as number);
  await assert.rejects(readModelBytes(flipped, "mine"), /^CheckpointError: mine: corrupt.*checksum/);
  for (const length of [0, 7, 8, 500, bytes.length - 1]) {
    await assert.rejects(readModelBytes(bytes.subarray(0, length), "mine"), CheckpointError);
  }
});

test("packed weights differ by at most half a level of their output's scale; vectors are exact", () => {
  const packed = packModel(model);
  const { weights, ...rest } = unpackModel(JSON.parse(JSON.stringify(packed)), "packed");
  const { weights: own, ...others } = model;
  assert.deepEqual(rest, others);
  for (const [name, values] of own) {
    const got = weights.get(name) as Float32Array;
    if (name.endsWith("bias")) assert.deepEqual(got, values);
    const length = values.length / (own.get(name.replace("weight", "bias")) as Float32Array).length;
    for (let i = 0; i < values.length; i++) {
      const row = values.subarray(i - (i % length), i - (i % length) + length);
      const scale = Math.max(...row.map(Math.abs)) / 127;
      // Rounding to a level, and f32 arithmetic.
      assert.ok(Math.abs((got[i] as number) - (values[i] as number)) <= 0.5 * scale * (1 + 1e-5), name);
    }
  }
  assert.throws(
    () => unpackModel({ ...packed, weights: packed.weights.slice(4) }, "mine"),
    /^CheckpointError: mine: expected/,
  );
});
