/** Packs that are truncated, corrupt, aborted, or written concurrently. */
import assert from "node:assert/strict";
import { appendFile, cp, readdir, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { digestOf } from "../../../test/packPictures.ts";
import { count, fitting, makePictureFolder, names, type PictureFolder } from "../../../test/packs.ts";
import { lockDirectory } from "../../directoryLock.ts";
import { ConfigError, DataError } from "../../errors.ts";
import { packLimit, reserveOf } from "./room.ts";

let folder: PictureFolder;
beforeEach(async () => {
  folder = await makePictureFolder();
});
afterEach(() => folder.remove());

test("truncated ends are ignored; a corrupt pack is rebuilt, with a message", async () => {
  const { packed, digest } = await folder.pack();
  const pack = await folder.packFolder();
  const only = async (end: ".bin" | ".jsonl") => (await folder.packFiles(end))[0] ?? assert.fail();
  await appendFile(await only(".bin"), "pixels of no line");
  await appendFile(await only(".jsonl"), '{"path":"a/0.p');
  await writeFile(join(pack, "9-begun.bin"), "pixels without lines");
  const torn = await folder.pack();
  assert.deepEqual([torn.read, torn.digest, torn.messages], [0, digest, []]);
  await torn.packed.close();
  const damages: readonly (() => Promise<void>)[] = [
    async () => truncate(await only(".bin"), 1000),
    async () => appendFile(await only(".jsonl"), "{}\n"),
    async () => writeFile(await only(".jsonl"), "\0\0\0\n"),
    async () => rm(await only(".bin")),
  ];
  for (const damage of damages) {
    await rm(join(pack, "9-begun.bin"), { force: true });
    await damage();
    const renewed = await folder.pack();
    assert.deepEqual([renewed.read, renewed.digest, renewed.messages.length], [count, digest, 1]);
    assert.match(renewed.messages[0] as string, /unusable pack \(.*\); rebuilding it$/);
    await renewed.packed.close();
  }
  // All of it, as a user may at any time.
  const open = await folder.pack();
  await rm(pack, { recursive: true });
  assert.equal(digestOf(open.packed.train, open.packed.test), digest);
  await open.packed.close();
  await packed.close();
});

test("each addition is a part of its own; too many parts are rebuilt as one", async () => {
  const some = async (first: number, last: number) => (await folder.pack(names.slice(first, last))).packed.close();
  for (const last of [5, 10, 10, count]) await some(0, last);
  assert.equal((await folder.packFiles(".jsonl")).length, 3);
  const { packed, digest, read } = await folder.pack();
  assert.deepEqual([read, digest], [0, await folder.fresh()]);
  await packed.close();
  const [first = ""] = await folder.packFiles(".jsonl");
  for (let part = 4; part <= 100; part++) {
    for (const end of [".bin", ".jsonl"])
      await cp(first.replace(/\.jsonl$/, end), join(first, `../${part}-more${end}`));
  }
  const renewed = await folder.pack();
  assert.deepEqual([renewed.read, renewed.digest, (await folder.packFiles(".jsonl")).length], [count, digest, 1]);
  assert.match(renewed.messages[0] as string, /it has 100 parts/);
  await renewed.packed.close();
});

test("an abort keeps packed images", async () => {
  const controller = new AbortController();
  const onProgress = (done: number) => done >= 5 && controller.abort();
  await assert.rejects(folder.pack(names, { signal: controller.signal, onProgress }), { name: "AbortError" });
  const { packed, digest, read } = await folder.pack();
  assert.ok(read !== undefined && read <= count - 5, `${read} read`);
  assert.equal(digest, await folder.fresh());
  await packed.close();
});

test("the least recently used packs make room; one that is too large is refused", async () => {
  const packAt = (side: number, limitBytes: number) =>
    folder.pack(names, { fitting: { ...fitting, fit: { kind: "resize" }, size: [side, side] }, limitBytes });
  const [a, b] = [await packAt(24, 200_000), await packAt(25, 200_000)];
  const packs = join(folder.cacheDir, "packs");
  const known = await readdir(packs);
  const times = await Promise.all(
    known.map(async (name) => {
      const pixels = (await readdir(join(packs, name))).find((file) => file.endsWith(".bin")) ?? assert.fail();
      return (await stat(join(packs, name, pixels))).size;
    }),
  );
  const [smaller, larger] = times[0] === Math.min(...times) ? known : [...known].reverse();
  await utimes(join(packs, smaller as string, "used"), 2, 2);
  await utimes(join(packs, larger as string, "used"), 1, 1);
  const total = times.reduce((sum, size) => sum + size, 0);
  const c = await packAt(26, total + 30_000);
  const left = await readdir(packs);
  assert.deepEqual([left.includes(smaller as string), left.includes(larger as string), left.length], [true, false, 2]);
  assert.equal(digestOf(b.packed.train, b.packed.test), b.digest, "an open pack stays readable");
  // A pack being written is kept.
  const lock = await lockDirectory(join(packs, smaller as string));
  await assert.rejects(packAt(27, total), /available are/);
  assert.ok((await readdir(packs)).includes(smaller as string));
  if ("unlock" in lock) await lock.unlock();
  await assert.rejects(packAt(27, 10_000), (error: unknown) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, /need about .*B, available are 10\.0 kB; .*ALEXNET_PACK_LIMIT/);
    return true;
  });
  for (const { packed } of [a, b, c]) await packed.close();
});

test("the limit is read in GB", () => {
  assert.deepEqual([packLimit("2.5"), packLimit(""), packLimit(undefined)], [2.5e9, 100e9, 100e9]);
  assert.throws(() => packLimit("much"), ConfigError);
});

test("the space left free is a fraction of a small disk, and at most 1 GB of a large one", () => {
  assert.deepEqual([64e6, 10e9, 20e9, 4e12].map(reserveOf), [3.2e6, 0.5e9, 1e9, 1e9]);
});
