import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { flowerArchive, flowerCounts, flowerFiles } from "../../../test/flowerFiles.ts";
import { writeFiles } from "../../../test/writeFiles.ts";
import { ConfigError, DataError } from "../../errors.ts";
import { type ImageListing, listingDigest } from "../folder/imageListing.ts";
import { listFlowers, locateFlowers } from "./flowers.ts";

const classes = Object.keys(flowerCounts);
const files = flowerFiles();
const license = ["LICENSE.txt", "CC-BY\n"] as const;
let base: string;
let dataDir: string;
let cacheDir: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), "alexnet-flowers-"));
});
beforeEach(async () => {
  const folder = await mkdtemp(join(base, "test-"));
  [dataDir, cacheDir] = [join(folder, "data"), join(folder, "cache")];
});
after(() => rm(base, { recursive: true }));

function assertMiniature({ name, root, classNames, train, test: part, notes }: ImageListing, at: string) {
  assert.deepEqual([name, root, classNames], ["flowers", at, classes]);
  const listed = [...train, ...part];
  assert.deepEqual(listed.map(({ path }) => path).sort(), [...files.keys()].sort());
  for (const { path, label } of listed) assert.ok(path.startsWith(`${classes[label]}/`));
  // A fifth of 6, 9, 1, 2 and 8, rounded; one of 2, none of 1.
  assert.deepEqual(
    classes.map((_, label) => part.filter((image) => image.label === label).length),
    [1, 2, 0, 1, 2],
  );
  assert.equal(notes[0], "daisy: 6 images; the published archive has 633");
  assert.equal(notes[2], "roses: 1 images; the published archive has 641");
}

test("class folders, or the folder around them: nothing is written", async () => {
  for (const [folder, root] of [
    [dataDir, dataDir],
    [join(dataDir, "..", "around"), join(dataDir, "..", "around", "flower_photos")],
  ] as const) {
    await writeFiles(root, [...files, license]);
    assertMiniature(await listFlowers({ dataDir: folder, cacheDir }), root);
    assert.equal(await locateFlowers({ dataDir: folder }), root);
  }
  assertMiniature(await listFlowers({ dataDir: relative(process.cwd(), dataDir), cacheDir }), resolve(dataDir));
  assert.deepEqual((await readdir(dataDir)).sort(), ["LICENSE.txt", ...classes].sort());
  assert.ok(!(await readdir(join(dataDir, ".."))).includes("cache"));
});

test("the archive alone: unpacked once, into the cache, each archive for itself", async () => {
  await writeFiles(dataDir, [["flower_photos.tgz", flowerArchive(files)]]);
  assert.equal(await locateFlowers({ dataDir, cacheDir }), dataDir);
  const first = await listFlowers({ dataDir, cacheDir });
  assertMiniature(first, first.root);
  assert.match(relative(cacheDir, first.root), /^flowers\/flower_photos-[0-9a-f]{32}$/);
  assert.deepEqual(await readdir(dataDir), ["flower_photos.tgz"]);
  assert.deepEqual((await readdir(first.root)).sort(), ["LICENSE.txt", ...classes]);
  for (const [name, bytes] of files) assert.ok((await readFile(join(first.root, name))).equals(bytes));
  await rm(join(first.root, "LICENSE.txt"));
  const { notes: _, ...again } = await listFlowers({ dataDir, cacheDir });
  const { notes: _license, ...before } = first;
  assert.deepEqual(again, before);
  assert.ok(!(await readdir(first.root)).includes("LICENSE.txt"), "unpacked again");
  await writeFiles(dataDir, [["flower_photos.tgz", flowerArchive(flowerFiles(8000))]]);
  assert.notEqual((await listFlowers({ dataDir, cacheDir })).root, first.root);
});

test("images of the classes and the licence are unpacked from an archive", async () => {
  const bytes = Buffer.from("x");
  const others = ["flower_photos/weeds/1.jpg", "flower_photos/daisy/._1.jpg", "flower_photos/daisy/a/1.jpg"];
  const archive = flowerArchive(files, ...others.map((name) => ({ name, bytes })), { name: "daisy/1.jpg", bytes });
  await writeFiles(join(cacheDir, "flowers"), [["flower_photos.tgz", archive]]);
  const listing = await listFlowers({ cacheDir, download: false });
  assertMiniature(listing, join(cacheDir, "flowers", "flower_photos"));
  assert.deepEqual((await readdir(listing.root)).sort(), ["LICENSE.txt", ...classes]);
  assert.equal((await readdir(join(listing.root, "daisy"))).length, flowerCounts.daisy);
});

test("the split is a function of fraction and seed", async () => {
  await writeFiles(dataDir, files);
  const { test: half } = await listFlowers({ dataDir, validationShare: 0.5, seed: 7 });
  assert.equal(half.length, 3 + 5 + 0 + 1 + 4);
  assert.deepEqual((await listFlowers({ dataDir, validationShare: 0.5, seed: 7 })).test, half);
  assert.notDeepEqual((await listFlowers({ dataDir, validationShare: 0.5, seed: 8 })).test, half);
  // Before any search, so before a download.
  const nowhere = join(dataDir, "nowhere");
  for (const validationShare of [0, 1])
    await assert.rejects(listFlowers({ dataDir: nowhere, validationShare }), ConfigError);
});

test("other files are noted; fewer than two classes with images are an error", async () => {
  await writeFiles(dataDir, [...files, ["roses/list.txt", ""], ["roses/.DS_Store", ""]]);
  const { notes } = await listFlowers({ dataDir });
  assert.match(notes.join("\n"), /roses\/list\.txt/);
  for (const name of ["daisy", "dandelion", "sunflowers", "tulips"]) await rm(join(dataDir, name), { recursive: true });
  await assert.rejects(
    listFlowers({ dataDir }),
    /^DataError: .*expected .*images in at least two; got images of roses only/,
  );
});

test("a folder without the data set: the message has the published archive's address", async () => {
  await writeFiles(dataDir, [["other.txt", ""]]);
  assert.equal(await locateFlowers({ dataDir }), undefined);
  await assert.rejects(
    listFlowers({ dataDir, cacheDir }),
    new DataError(
      `${dataDir}: expected flower_photos.tgz, the folder flower_photos from it, or its folders daisy, dandelion, roses, ` +
        "sunflowers, tulips; found none of them; download flower_photos.tgz from " +
        "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
    ),
  );
});

test("for evaluating a network trained on other data: all images, as of any folder; split if it was trained on them", async () => {
  await writeFiles(dataDir, [...files]);
  const all = await listFlowers({ dataDir, allAsTest: true, trainedOn: "other" });
  assert.deepEqual([all.train.length, all.test.length], [0, files.size]);
  const divided = await listFlowers({ dataDir, seed: 7 });
  const trainedOn = listingDigest(divided);
  assert.deepEqual(await listFlowers({ dataDir, seed: 7, allAsTest: true, trainedOn }), divided);
});
