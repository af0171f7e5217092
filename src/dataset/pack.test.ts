import assert from "node:assert/strict";
import {
  appendFile,
  cp,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { digestOf, listingOf, noise, writePicture } from "../../test/pictureFolder.ts";
import { lockDirectory } from "../directoryLock.ts";
import { ConfigError, DataError } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import { createFitter, type Fitting } from "../image/fitter.ts";
import { averageMoments, momentsOf } from "../image/moments.ts";
import { type PackOptions, packListing } from "./pack.ts";
import { packLimit } from "./packRoom.ts";

const fitting: Fitting = { size: [24, 24], channels: 3, fit: { kind: "crop", shorterSide: 28 }, resize: "bilinear" };
const native: Fitting = { ...fitting, fit: { kind: "native" } };
const count = 20;
const names = Array.from({ length: count }, (_, i) => `${i % 2 ? "b" : "a"}/${i}.png`);
const folders: string[] = [];
let [root, cacheDir] = ["", ""];
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-pack-"));
  folders.push(folder);
  [root, cacheDir] = [join(folder, "pictures"), join(folder, "cache")];
  for (const [i, path] of names.entries()) await writePicture(root, path, noise(i, 14 + i, 40 - i, i % 3 ? 3 : 1));
});
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

/** Packs; returns what came of it, and how many files it had to look into. */
async function pack(paths: readonly string[] = names, options: Partial<PackOptions> = {}) {
  let read: number | undefined;
  const messages: string[] = [];
  const packed = await packListing(listingOf(root, paths), {
    fitting,
    cacheDir,
    threads: 1,
    onProgress: (done, total) => {
      read ??= total - done;
    },
    onMessage: (message) => messages.push(message),
    ...options,
  });
  const digest = digestOf(packed.train, packed.test);
  return { packed, digest, read, messages };
}

/** What the same gives that was never packed before. */
async function fresh(paths: readonly string[] = names): Promise<string> {
  const { packed, digest } = await pack(paths, { cacheDir: join(cacheDir, "fresh") });
  await packed.close();
  await rm(join(cacheDir, "fresh"), { recursive: true });
  return digest;
}

async function packFolder(): Promise<string> {
  const [name, ...more] = await readdir(join(cacheDir, "packs"));
  assert.ok(name !== undefined && more.length === 0);
  return join(cacheDir, "packs", name);
}

async function pixelBytes(): Promise<number> {
  return (await stat(join(await packFolder(), "pixels.bin"))).size;
}

test("splits hold the pictures as decoded and fitted, or smaller; with channels, size, moments", async () => {
  const { packed, read } = await pack();
  assert.equal(read, count);
  assert.deepEqual([packed.train.length, packed.test.length, packed.validation], [16, 4, undefined]);
  const [fit, fitAgain] = [createFitter(fitting), createFitter(fitting)];
  const stored = [];
  for (const split of [packed.train, packed.test]) {
    for (let i = 0; i < split.length; i++) {
      const path = split.path?.(i) as string;
      const image = split.image(i);
      stored.push({ isTrain: split === packed.train, moments: momentsOf(image) });
      const fitted = fit(await decodeImage(path));
      assert.deepEqual({ ...fitAgain(image) }, { ...fitted }, path);
      assert.equal(split.label(i), path.includes("/b/") ? 1 : 0);
    }
  }
  assert.deepEqual([packed.channels, packed.bad, packed.imageSize], [3, [], undefined]);
  const training = stored.filter(({ isTrain }) => isTrain).map(({ moments }) => moments);
  assert.deepEqual(packed.moments, averageMoments(training, 3));
  await packed.close();
  assert.throws(() => packed.train.image(0), DataError);
});

test("one size, grey pictures, a validation part", async () => {
  const paths = ["0.png", "1.png", "2.png", "3.png", "4.png"];
  for (const [i, path] of paths.entries()) await writePicture(root, path, noise(i, 12, 10, 1));
  const listing = listingOf(root, paths);
  const packed = await packListing({ ...listing, validation: listing.test }, { fitting: native, cacheDir });
  assert.deepEqual([packed.channels, packed.imageSize], [1, { width: 12, height: 10 }]);
  assert.equal(packed.validation, packed.test);
  await packed.close();
  const none = await packListing(listingOf(root, []), { fitting: native, cacheDir });
  assert.deepEqual([none.train.length, none.moments, none.imageSize], [0, undefined, undefined]);
  await none.close();
});

test("what is unchanged is not read again; new, changed, renamed, touched, copied and deleted files", async () => {
  const first = await pack();
  const again = await pack();
  assert.deepEqual([again.read, again.digest, again.packed.moments], [0, first.digest, first.packed.moments]);
  const before = await pixelBytes();
  await utimes(join(root, names[0] as string), 1, 1);
  await rename(join(root, names[1] as string), join(root, "b/renamed.png"));
  await cp(join(root, names[2] as string), join(root, "a/copied.png"));
  await rm(join(root, names[3] as string));
  const same = ["b/renamed.png", "a/copied.png", ...names.slice(4), names[0] as string, names[2] as string];
  const moved = await pack(same);
  assert.equal(moved.read, 3);
  assert.equal(await pixelBytes(), before, "no content is new");
  assert.equal(moved.digest, await fresh(same));
  await writePicture(root, names[4] as string, noise(99, 30, 30, 3));
  await writePicture(root, "a/new.png", noise(98, 31, 31, 3));
  const changed = await pack([...same, "a/new.png"]);
  assert.equal(changed.read, 2);
  assert.equal(changed.digest, await fresh([...same, "a/new.png"]));
  assert.equal(digestOf(first.packed.train, first.packed.test), first.digest, "who has it open goes on as it was");
  for (const { packed } of [first, again, moved, changed]) await packed.close();
});

test("bad files are left out and remembered; too many are an error that names them", async () => {
  const bad = ["a/half.jpg", "a/text.png", "b/missing.png"];
  await writeFile(join(root, "a/half.jpg"), (await readFile("test/golden/raccoon.jpg")).subarray(0, 5000));
  await writeFile(join(root, "a/text.png"), "none");
  const all = [...bad, ...names];
  await assert.rejects(pack(all), (error: unknown) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, /at most 1 % of the pictures to be unreadable, got 3 of 23 \(13 %\)/);
    assert.match(
      error.message,
      /alexnet check .* --max-bad; the first are:\n {2}a\/half\.jpg: .*\n {2}a\/text\.png: .*\n.*no such file$/,
    );
    return true;
  });
  const { packed, read } = await pack(all, { maxBadShare: 0.2 });
  assert.equal(read, 0);
  assert.deepEqual(
    packed.bad.map(({ path }) => path),
    bad,
  );
  assert.equal(packed.train.length + packed.test.length, count);
  await packed.close();
  await writePicture(root, "a/text.png", noise(50, 20, 20, 1));
  const cured = await pack(all, { maxBadShare: 0.2 });
  assert.deepEqual([cured.read, cured.packed.bad.length], [1, 2]);
  await cured.packed.close();
});

test("torn ends are cut off; a damaged pack is made anew, and says so", async () => {
  const { packed, digest } = await pack();
  const folder = await packFolder();
  await appendFile(join(folder, "pixels.bin"), "pixels of no line");
  await appendFile(join(folder, "index.jsonl"), '{"path":"a/0.p');
  const torn = await pack();
  assert.deepEqual([torn.read, torn.digest, torn.messages], [0, digest, []]);
  await torn.packed.close();
  const damages: readonly (() => Promise<void>)[] = [
    () => truncate(join(folder, "pixels.bin"), 1000),
    () => appendFile(join(folder, "index.jsonl"), "{}\n"),
    () => writeFile(join(folder, "index.jsonl"), "\0\0\0\n"),
    () => rm(join(folder, "pixels.bin")),
  ];
  for (const damage of damages) {
    await damage();
    const renewed = await pack();
    assert.deepEqual([renewed.read, renewed.digest, renewed.messages.length], [count, digest, 1]);
    assert.match(renewed.messages[0] as string, /the pack is damaged \(.*\); making it anew$/);
    await renewed.packed.close();
  }
  // All of it, as a user may do at any time.
  const open = await pack();
  await rm(folder, { recursive: true });
  assert.equal(digestOf(open.packed.train, open.packed.test), digest);
  await open.packed.close();
  await packed.close();
});

test("abort leaves what is packed", async () => {
  const controller = new AbortController();
  const onProgress = (done: number) => done >= 5 && controller.abort();
  await assert.rejects(pack(names, { signal: controller.signal, onProgress }), { name: "AbortError" });
  const { packed, digest, read } = await pack();
  assert.ok(read !== undefined && read <= count - 5, `${read} read`);
  assert.equal(digest, await fresh());
  await packed.close();
});

test("packs used longest ago make room, one that is too large is refused", async () => {
  const sizes = [24, 25, 26];
  const packAt = (side: number, limitBytes: number) =>
    pack(names, { fitting: { ...fitting, fit: { kind: "resize" }, size: [side, side] }, limitBytes });
  const [a, b] = [await packAt(24, 200_000), await packAt(25, 200_000)];
  const packs = join(cacheDir, "packs");
  const known = await readdir(packs);
  const times = await Promise.all(known.map(async (name) => (await stat(join(packs, name, "pixels.bin"))).size));
  const [smaller, larger] = times[0] === Math.min(...times) ? known : [...known].reverse();
  await utimes(join(packs, smaller as string, "used"), 2, 2);
  await utimes(join(packs, larger as string, "used"), 1, 1);
  const total = times.reduce((sum, size) => sum + size, 0);
  const c = await packAt(sizes[2] as number, total + 30_000);
  const left = await readdir(packs);
  assert.deepEqual([left.includes(smaller as string), left.includes(larger as string), left.length], [true, false, 2]);
  assert.equal(digestOf(b.packed.train, b.packed.test), b.digest, "who has it open goes on");
  // One that is being written stays.
  const lock = await lockDirectory(join(packs, smaller as string));
  await assert.rejects(packAt(27, total), /there is room for/);
  assert.ok((await readdir(packs)).includes(smaller as string));
  if ("unlock" in lock) await lock.unlock();
  await assert.rejects(packAt(27, 10_000), (error: unknown) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, /need about .* GB, and there is room for 0\.0000100 GB; .*ALEXNET_PACK_LIMIT/);
    return true;
  });
  for (const { packed } of [a, b, c]) await packed.close();
});

test("the limit is read in GB", () => {
  assert.deepEqual([packLimit("2.5"), packLimit(""), packLimit(undefined)], [2.5e9, 100e9, 100e9]);
  assert.throws(() => packLimit("much"), ConfigError);
});
