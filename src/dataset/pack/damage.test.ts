import assert from "node:assert/strict";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { digestOf, noise, writePicture } from "../../../test/packPictures.ts";
import { makePictureFolder, names, type PackTrial, type PictureFolder } from "../../../test/packs.ts";
import { DataError } from "../../errors.ts";
import type { Split } from "../dataset.ts";

let folder: PictureFolder;
beforeEach(async () => {
  folder = await makePictureFolder();
});
afterEach(() => folder.remove());

const only = async (end: ".bin" | ".jsonl") => (await folder.packFiles(end))[0] ?? assert.fail();

async function flip(path: string, at: number, bits: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] as number) ^ bits;
  await writeFile(path, bytes);
}

/** Opens the pack, and reads all images ahead, as training does. The digest is of the images read. */
async function readAhead(): Promise<Pick<PackTrial, "messages" | "read"> & { readonly digest: string }> {
  let [read, trainDigest]: [number | undefined, string] = [undefined, ""];
  const messages: string[] = [];
  const packed = await folder.open({
    onProgress: (done, total) => {
      read ??= total - done;
    },
    onMessage: (message) => messages.push(message),
  });
  try {
    const all = (split: Split) => Uint32Array.from({ length: split.length }, (_, i) => i);
    await Promise.all([packed.train, packed.test].map((split) => split.prefetch?.(all(split))));
    trainDigest = digestOf(packed.train, packed.test);
    return { digest: trainDigest, messages, read };
  } finally {
    await packed.close();
  }
}

test("a byte changed anywhere in the pixels: reading ahead, the image is decoded again and the pack repaired", async () => {
  const { packed, digest } = await folder.pack();
  await packed.close();
  const path = await only(".bin");
  const { size } = await stat(path);
  const intact = await readFile(path);
  for (const at of [0, 1, size >> 3, size >> 1, size - 2, size - 1, 997, 5982]) {
    await flip(path, at % size, 1 << (at % 8));
    const { digest: mended, messages, read } = await readAhead();
    assert.deepEqual([mended, read, messages.length], [digest, 0, 1], `byte ${at}`);
    assert.match(messages[0] as string, /\.bin: corrupt at \d+; decoding the affected images again/);
    assert.deepEqual(await readFile(path), intact);
  }
  // All of it, as after a disk lost its blocks.
  await writeFile(path, new Uint8Array(size));
  const all = await readAhead();
  assert.deepEqual([all.digest, all.messages.length], [digest, 1]);
  assert.deepEqual(await readFile(path), intact);
});

test("without reading ahead, corrupt pixels are an error, and the next run packs them again", async () => {
  const { packed, digest } = await folder.pack();
  await packed.close();
  await flip(await only(".bin"), 5, 4);
  const open = await folder.open();
  assert.throws(
    () => digestOf(open.train, open.test),
    (error: unknown) => {
      assert.ok(error instanceof DataError);
      assert.match(
        error.message,
        /\.bin: expected checksum \d+ of the \d+ bytes at 0, got \d+: the file is corrupt; run again/,
      );
      return true;
    },
  );
  await open.close();
  const again = await folder.pack();
  assert.deepEqual([again.read, again.digest], [names.length, digest]);
  await again.packed.close();
});

test("corrupt pixels whose file changed or is gone are an error, never other pixels", async () => {
  const first = names[0] as string;
  for (const spoil of [
    () => rm(join(folder.root, first)),
    () => writePicture(folder.root, first, noise(77, 14, 40, 1)),
  ]) {
    const { packed, digest } = await folder.pack();
    await packed.close();
    const open = await folder.open();
    await spoil();
    await flip(await only(".bin"), 3, 1);
    await open.train.prefetch?.(Uint32Array.from({ length: open.train.length }, (_, i) => i));
    assert.throws(() => digestOf(open.train, open.test), DataError);
    await open.close();
    await writePicture(folder.root, first, noise(0, 14, 40, 1));
    const again = await folder.pack();
    assert.equal(again.digest, digest);
    await again.packed.close();
  }
});

test("a byte changed anywhere in the index: the pack is rebuilt, or nothing changes", async () => {
  const { packed, digest } = await folder.pack();
  const { moments } = packed;
  await packed.close();
  const path = await only(".jsonl");
  const { size } = await stat(path);
  let [renewals, flips] = [0, 0];
  for (let at = 0; at < size; at += Math.ceil(size / 12)) {
    await flip(await only(".jsonl"), at % (await stat(await only(".jsonl"))).size, 1 << (at % 7));
    const again = await folder.pack();
    assert.equal(again.digest, digest, `byte ${at}`);
    assert.deepEqual(again.packed.moments, moments, `byte ${at}`);
    renewals += again.messages.length;
    flips++;
    await again.packed.close();
  }
  assert.ok(renewals > 0.8 * flips, `${renewals} of ${flips}`);
});

test("a pack of an earlier version is rebuilt, with one message", async () => {
  const { packed, digest } = await folder.pack();
  await packed.close();
  const path = await only(".jsonl");
  const [title = "", ...lines] = (await readFile(path, "utf8")).split("\n");
  const old = lines.map((line) => line.slice(9).replace(/"checksum":\d+,/, ""));
  await writeFile(path, [title.replace('"format":3', '"format":2'), ...old].join("\n"));
  const again = await folder.pack();
  assert.deepEqual([again.read, again.digest, again.messages.length], [names.length, digest, 1]);
  assert.match(again.messages[0] as string, /earlier version, without checksums\); rebuilding it$/);
  await again.packed.close();
  const third = await folder.pack();
  assert.deepEqual([third.read, third.messages], [0, []]);
  await third.packed.close();
});
