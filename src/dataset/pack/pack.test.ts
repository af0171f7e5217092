import assert from "node:assert/strict";
import { cp, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { digestOf, listingOf, noise, writePicture } from "../../../test/packPictures.ts";
import { count, fitting, makePictureFolder, names, type PictureFolder } from "../../../test/packs.ts";
import { DataError } from "../../errors.ts";
import { decodeImage } from "../../image/files/decode.ts";
import { createFitter } from "../../image/prepare/fitter.ts";
import { averageMoments, momentsOf } from "../../image/prepare/moments.ts";
import { packListing } from "./pack.ts";

const native = { ...fitting, fit: { kind: "native" } } as const;
let folder: PictureFolder;
beforeEach(async () => {
  folder = await makePictureFolder();
});
afterEach(() => folder.remove());

async function pixelBytes(): Promise<number> {
  const sizes = (await folder.packFiles(".bin")).map(async (file) => (await stat(file)).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

test("splits contain the images as decoded and fitted, or smaller; with channels, size, moments", async () => {
  const { packed, read } = await folder.pack();
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

test("one size, grey images, a validation part", async () => {
  const paths = ["0.png", "1.png", "2.png", "3.png", "4.png"];
  for (const [i, path] of paths.entries()) await writePicture(folder.root, path, noise(i, 12, 10, 1));
  const listing = listingOf(folder.root, paths);
  const packed = await packListing(
    { ...listing, validation: listing.test },
    { fitting: native, cacheDir: folder.cacheDir },
  );
  assert.deepEqual([packed.channels, packed.imageSize], [1, { width: 12, height: 10 }]);
  assert.equal(packed.validation, packed.test);
  await packed.close();
  const none = await packListing(listingOf(folder.root, []), { fitting: native, cacheDir: folder.cacheDir });
  assert.deepEqual([none.train.length, none.moments, none.imageSize], [0, undefined, undefined]);
  await none.close();
});

test("unchanged files are not read again; new, changed, renamed, touched, copied and deleted files", async () => {
  const first = await folder.pack();
  const again = await folder.pack();
  assert.deepEqual([again.read, again.digest, again.packed.moments], [0, first.digest, first.packed.moments]);
  const before = await pixelBytes();
  await utimes(join(folder.root, names[0] as string), 1, 1);
  await rename(join(folder.root, names[1] as string), join(folder.root, "b/renamed.png"));
  await cp(join(folder.root, names[2] as string), join(folder.root, "a/copied.png"));
  await rm(join(folder.root, names[3] as string));
  const same = ["b/renamed.png", "a/copied.png", ...names.slice(4), names[0] as string, names[2] as string];
  const moved = await folder.pack(same);
  assert.equal(moved.read, 3);
  assert.equal(await pixelBytes(), before, "no content is new");
  assert.equal(moved.digest, await folder.fresh(same));
  await writePicture(folder.root, names[4] as string, noise(99, 30, 30, 3));
  await writePicture(folder.root, "a/new.png", noise(98, 31, 31, 3));
  const changed = await folder.pack([...same, "a/new.png"]);
  assert.equal(changed.read, 2);
  assert.equal(changed.digest, await folder.fresh([...same, "a/new.png"]));
  assert.equal(digestOf(first.packed.train, first.packed.test), first.digest, "an open pack stays as it was");
  for (const { packed } of [first, again, moved, changed]) await packed.close();
});

test("unreadable files are left out and remembered; too many are an error that names them", async () => {
  const bad = ["a/half.jpg", "a/text.png", "b/missing.png"];
  await writeFile(join(folder.root, "a/half.jpg"), (await readFile("test/golden/raccoon.jpg")).subarray(0, 5000));
  await writeFile(join(folder.root, "a/text.png"), "none");
  const all = [...bad, ...names];
  await assert.rejects(folder.pack(all), (error: unknown) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, /at most 1 % unreadable images, got 3 of 23 \(13 %\)/);
    assert.match(
      error.message,
      /alexnet check .* --max-bad; the first are:\n {2}a\/half\.jpg: .*\n {2}a\/text\.png: .*\n.*no such file$/,
    );
    return true;
  });
  const { packed, read } = await folder.pack(all, { maxBad: 0.2 });
  assert.equal(read, 0);
  assert.deepEqual(
    packed.bad.map(({ path }) => path),
    bad,
  );
  assert.equal(packed.train.length + packed.test.length, count);
  await packed.close();
  await writePicture(folder.root, "a/text.png", noise(50, 20, 20, 1));
  const cured = await folder.pack(all, { maxBad: 0.2 });
  assert.deepEqual([cured.read, cured.packed.bad.length], [1, 2]);
  await cured.packed.close();
});

test("images kept unfitted are packed once, for any colours and filter of a network", async () => {
  const first = await folder.pack(names, { fitting: native });
  const others = [
    { ...native, channels: 1 },
    { ...native, resize: "bicubic" },
  ] as const;
  for (const other of others) {
    const again = await folder.pack(names, { fitting: other });
    assert.deepEqual([again.read, again.digest], [0, first.digest]);
    assert.equal(again.packed.channels, 3);
    await again.packed.close();
  }
  await folder.packFolder(); // the only one
  await first.packed.close();
});
