import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readGolden } from "../../../test/golden.ts";
import { DataError } from "../../errors.ts";
import { readStructs } from "./imagenetTruth.ts";

interface Golden {
  readonly synsets: readonly (readonly [id: number, wnid: string, words: string])[];
  readonly plain: string;
  readonly compressed: string;
}

let golden: Golden;
let folder: string;
let path: string;
before(async () => {
  golden = await readGolden("matFile");
  folder = await mkdtemp(join(tmpdir(), "alexnet-mat-"));
  path = join(folder, "meta.mat");
});
after(() => rm(folder, { recursive: true }));

async function read(bytes: Uint8Array, array = "synsets", fields = ["ILSVRC2012_ID", "WNID", "words"]) {
  await writeFile(path, bytes);
  return readStructs(path, array, fields);
}

async function assertRefused(reading: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(reading, (error: unknown) => {
    assert.ok(error instanceof DataError, String(error));
    assert.ok(error.message.startsWith(`${path}: `), error.message);
    assert.match(error.message, message);
    return true;
  });
}

test("fields of a struct array written by SciPy, compressed or not", async () => {
  for (const form of ["plain", "compressed"] as const) {
    const bytes = Buffer.from(golden[form], "base64");
    assert.deepEqual(await read(bytes), golden.synsets);
    assert.deepEqual((await read(bytes, "synsets", ["num_train_images", "gloss"]))[0], [1300, ""]);
  }
});

test("MATLAB's text, two bytes per character", async () => {
  const bytes = Buffer.from(golden.plain, "base64");
  const at = bytes.indexOf("maillot, tank suit");
  const tag = bytes.readUInt32LE(at - 8);
  assert.equal(tag, 16);
  bytes.writeUInt32LE(4, at - 8);
  bytes.write("maillots!", at, "utf16le");
  assert.equal((await read(bytes))[0]?.[2], "maillots!");
});

test("another format, array or field", async () => {
  const bytes = Buffer.from(golden.plain, "base64");
  await assertRefused(read(Buffer.from("MATLAB")), /expected a MATLAB file of version 5, little-endian, got another$/);
  await assertRefused(read(Buffer.concat([bytes.subarray(0, 126), Buffer.from("MI")])), /version 5/);
  await assertRefused(read(bytes, "others"), /expected the struct array others, got none$/);
  await assertRefused(read(bytes, "other"), /expected the struct array other, got none$/);
  await assertRefused(
    read(bytes, "synsets", ["WNID", "id"]),
    /expected the fields WNID, id, got ILSVRC2012_ID, WNID, /,
  );
  await rm(path);
  await assertRefused(readStructs(path, "synsets", []), /unreadable or corrupt \(no such file/);
});

test("a truncated or corrupt file is refused, or read within its bounds", async () => {
  for (const form of ["plain", "compressed"] as const) {
    const bytes = Buffer.from(golden[form], "base64");
    for (const length of [0, 127, 128, 133, 200, bytes.length - 9]) {
      await assertRefused(read(bytes.subarray(0, length)), / (version 5|or corrupt|got none)/);
    }
    for (let at = 128; at < bytes.length; at += 7) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 0xff;
      await read(damaged).catch((error: unknown) => assert.ok(error instanceof DataError, String(error)));
    }
  }
});
