import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Files, withFolder } from "../../../test/pictureFolders.ts";
import { DataError } from "../../errors.ts";
import { countHeldOut } from "../holdOut.ts";
import { type ImageFolderOptions, listImageFolder, listTestFolder } from "./imageFolder.ts";
import { type ImageListing, type ListedImage, listingDigest } from "./imageListing.ts";

/** Empty files: names are enough, no image is opened. */
function named(folder: string, count: number): Files {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${folder}/${i}.jpg`, ""]));
}

function list(files: Files, options?: ImageFolderOptions): Promise<ImageListing> {
  return withFolder(files, (root) => listImageFolder(root, options));
}

function paths(images: readonly ListedImage[] | undefined): readonly string[] | undefined {
  return images?.map(({ path }) => path);
}

async function assertRefused(listing: Promise<ImageListing>, message: RegExp): Promise<void> {
  await assert.rejects(listing, (error: unknown) => {
    assert.ok(error instanceof DataError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

describe("listImageFolder with folders for parts", () => {
  const train = { ...named("train/b", 3), ...named("train/a", 2), "train/a/x/y.png": "" };

  test("three parts: each by class and path", async () => {
    const listing = await list({ ...train, ...named("val/a", 1), ...named("test/b", 2) });
    assert.deepEqual(listing.classNames, ["a", "b"]);
    assert.deepEqual(listing.train, [
      { path: "train/a/0.jpg", label: 0 },
      { path: "train/a/1.jpg", label: 0 },
      { path: "train/a/x/y.png", label: 0 },
      { path: "train/b/0.jpg", label: 1 },
      { path: "train/b/1.jpg", label: 1 },
      { path: "train/b/2.jpg", label: 1 },
    ]);
    assert.deepEqual(listing.validation, [{ path: "val/a/0.jpg", label: 0 }]);
    assert.deepEqual(listing.test, [
      { path: "test/b/0.jpg", label: 1 },
      { path: "test/b/1.jpg", label: 1 },
    ]);
    assert.deepEqual(listing.notes, []);
  });

  test("one part besides the training part is `test`, whatever its name; one for validation is `validation` as well", async () => {
    for (const part of ["val", "test"]) {
      const listing = await list({ ...train, ...named(`${part}/a`, 1) });
      assert.equal(listing.validation, part === "val" ? listing.test : undefined);
      assert.deepEqual([listing.train.length, paths(listing.test)], [6, [`${part}/a/0.jpg`]]);
    }
  });

  test("class names that look alike, and parts inside classes, are reported", async () => {
    const files = { ...named("train/cat", 2), ...named("train/cat ", 2), ...named("train/big\u00a0dog", 2) };
    const { notes } = await list({ ...files, ...named("train/Ox", 1), ...named("train/ox", 1) });
    assert.deepEqual(notes, [
      "class names that differ only in case: classes Ox, ox",
      'class names that look alike: classes "cat", "cat "',
      'class names with leading, trailing or repeated spaces, or invisible characters: class "big\\u{a0}dog"',
    ]);
    const below = {
      ...named("cat/train", 2),
      ...named("cat/test", 2),
      ...named("dog/train", 2),
      ...named("dog/test", 1),
    };
    assert.deepEqual((await list(below)).notes, [
      "folders for parts inside classes; all their images are used alike: test, train inside",
      "folders for parts inside classes; all their images are used alike: test, train inside",
    ]);
  });

  test("an archive's outer folder is not a class", async () => {
    const files = { ...named("archive/Training/a", 1), ...named("archive/Testing/a", 1) };
    await assertRefused(
      list(files),
      /got images of archive only; archive contains Testing, Training: pass that folder, /,
    );
  });

  test("a part whose images are in no class is left out and reported", async () => {
    const listing = await list({ ...train, ...named("val/a", 1), "test/1.jpg": "", "test/2.jpg": "" });
    assert.deepEqual(paths(listing.test), ["val/a/0.jpg"]);
    assert.deepEqual(listing.notes, [
      "folders without images in classes, left out: 1 (test)",
      "entries outside the class folders, ignored: 2 (test/1.jpg, test/2.jpg)",
    ]);
  });

  test("a class missing from training is reported", async () => {
    const message = /: expected only classes of train in val, got c; add training images of it to train, or/;
    await assertRefused(list({ ...train, ...named("val/a", 1), ...named("val/c", 1) }), message);
    await assertRefused(list({ ...train, "train/c/": "", ...named("val/c", 1) }), message);
    const { classNames } = await list({ ...train, ...named("val/a", 1), "val/c/": "" });
    assert.deepEqual(classNames, ["a", "b"]);
  });

  test("a training part alone is split like a folder without parts", async () => {
    const listing = await list({ ...named("train/a", 10), ...named("train/b", 5) });
    const whole = await list({ ...named("a", 10), ...named("b", 5) });
    assert.deepEqual(
      paths(listing.test)?.map((path) => path.slice("train/".length)),
      paths(whole.test),
    );
  });
});

describe("listImageFolder without folders for parts", () => {
  test("the held-out images are fixed for each seed", async () => {
    const files = { ...named("b", 9), ...named("a", 11), ...named("\u{1f600}", 2), ...named("\uff5e", 1) };
    const aside = async (options: ImageFolderOptions) => paths((await list(files, options)).test);
    // Recorded from this code: a change would evaluate runs on images that they were trained on.
    assert.deepEqual(await aside({}), ["a/1.jpg", "a/8.jpg", "b/2.jpg", "b/4.jpg", "\u{1f600}/0.jpg"]);
    assert.deepEqual(await aside({ seed: 1 }), ["a/1.jpg", "a/10.jpg", "b/0.jpg", "b/7.jpg", "\u{1f600}/0.jpg"]);
    assert.deepEqual(await aside({ seed: 1, validationShare: 0.2 }), await aside({ seed: 1 }));
  });

  test("every image is in one part; a class's part does not depend on other classes", async () => {
    const files = { ...named("a", 25), ...named("b", 40) };
    const { train, test: aside, validation, classNames } = await list(files, { seed: 3 });
    assert.equal(validation, undefined);
    assert.deepEqual([...train, ...aside].map(({ path }) => path).sort(), Object.keys(files).sort());
    for (const part of [train, aside]) {
      const labels = part.map(({ label }) => label);
      assert.deepEqual(labels, [...labels].sort());
      for (const { path, label } of part) assert.equal(path.split("/")[0], classNames[label]);
    }
    const other = await list({ ...named("0", 3), ...files }, { seed: 3 });
    assert.deepEqual(paths(other.test.filter(({ label }) => label > 0)), paths(aside));
  });

  test("a fraction of each class, rounded; at least one, never all", async () => {
    const cases: readonly (readonly [count: number, share: number, aside: number])[] = [
      [1, 0.5, 0],
      [2, 0.01, 1],
      [2, 0.99, 1],
      [3, 0.99, 2],
      [7, 0.2, 1],
      [8, 0.2, 2],
      [100, 0.2, 20],
      [100, 0.125, 13],
    ];
    for (const [count, share, aside] of cases) assert.equal(countHeldOut(count, share), aside, `${count}, ${share}`);
    const { test: aside } = await list({ ...named("a", 1), ...named("b", 2), ...named("c", 8) });
    assert.deepEqual(
      aside.map(({ label }) => label),
      [1, 2, 2],
    );
    for (const validationShare of [0, 1, -0.1, Number.NaN]) {
      await assert.rejects(
        list(named("a", 2), { validationShare }),
        new RegExp(
          `^ConfigError: validationShare: expected a number between 0 and 1, got ${validationShare}; leave it out if the folder has`,
        ),
      );
    }
  });

  test("ignored entries are reported, one line per reason", async () => {
    const skipped = { "c/.x": "", "a/.1": "", "a/.2": "", "a/.3": "", "a/notes.txt": "notes", "top.png": "" };
    const { notes, classNames, name, root } = await list({ ...named("a", 2), ...named("b", 2), ...skipped });
    assert.deepEqual(classNames, ["a", "b"]);
    assert.equal(name, root);
    assert.deepEqual(notes, [
      "classes without images, left out: 1 (c)",
      "hidden or system entries, ignored: 4 (a/.1, a/.2, a/.3, …)",
      "files that are not images, ignored: 1 (a/notes.txt)",
      "entries outside the class folders, ignored: 1 (top.png)",
    ]);
  });

  test("fewer than two classes, or one image in each: the message has found and expected", async () => {
    const expected =
      /: expected a folder for each class, directly in it or in its folders .*, with images in at least two; got /;
    await assertRefused(list({}), expected);
    await assertRefused(list({}), /got no class with images$/);
    await assertRefused(list({ ...named("a", 2), "b/": "" }), /got images of a only$/);
    await assertRefused(list({ "1.jpg": "", "2.jpg": "" }), /ignored: 2 \(1\.jpg, 2\.jpg\)$/);
    const vehicles = { ...named("car", 2), ...named("train", 2) };
    await assertRefused(list(vehicles), /; if train is a class, rename its folder$/);
    await assertRefused(list({ ...named("a", 1), ...named("b", 1) }), /expected a class with at least two images/);
    await withFolder({}, (root) => assertRefused(listImageFolder(join(root, "none")), /there is no such folder/));
  });
});

describe("listTestFolder", () => {
  test("every image, or those of the part to evaluate on", async () => {
    const testOf = (files: Files) =>
      withFolder(files, async (root) => {
        const { train, validation, test: all, classNames } = await listTestFolder(root);
        assert.deepEqual([train, validation], [[], undefined]);
        return [classNames, paths(all)];
      });
    assert.deepEqual(await testOf({ ...named("b", 2), ...named("a", 1) }), [
      ["a", "b"],
      ["a/0.jpg", "b/0.jpg", "b/1.jpg"],
    ]);
    assert.deepEqual(await testOf(named("only", 1)), [["only"], ["only/0.jpg"]]);
    const parts = { ...named("train/a", 1), ...named("val/b", 1) };
    assert.deepEqual(await testOf(parts), [["b"], ["val/b/0.jpg"]]);
    assert.deepEqual(await testOf({ ...parts, ...named("test/c", 1) }), [["c"], ["test/c/0.jpg"]]);
    await withFolder({ "a/": "" }, (root) =>
      assertRefused(listTestFolder(root), /at least one; got no class with images$/),
    );
  });
});

test("listTestFolder: another part if requested", async () => {
  const files = { ...named("train/a", 3), ...named("val/a", 2), ...named("val/b", 1), ...named("test/a", 1) };
  await withFolder(files, async (root) => {
    const sizes = async (part?: "train" | "validation" | "test") => {
      const { train, validation, test: last, classNames } = await listTestFolder(root, { part });
      return [train.length, validation?.length, last.length, classNames.join()];
    };
    assert.deepEqual(await sizes(), [0, undefined, 1, "a"]);
    assert.deepEqual(await sizes("test"), [0, undefined, 1, "a"]);
    assert.deepEqual(await sizes("validation"), [0, 3, 0, "a,b"]);
    assert.deepEqual(await sizes("train"), [3, undefined, 0, "a"]);
  });
  await withFolder(named("a", 2), async (root) => {
    assert.deepEqual((await listTestFolder(root, { part: "validation" })).validation, []);
    assert.deepEqual((await listTestFolder(root, { part: "train" })).train, []);
  });
});

describe("stopped", () => {
  test("while it looks through folders, it throws the signal's reason", async () => {
    const reason = new Error("enough");
    await withFolder({ ...named("train/a", 2), ...named("train/b", 2) }, async (root) => {
      for (const list of [listImageFolder, listTestFolder]) {
        const controller = new AbortController();
        const listing = list(root, { signal: controller.signal });
        setImmediate(() => controller.abort(reason));
        await assert.rejects(listing, (error) => error === reason);
      }
    });
  });
});

test("class folders have no columns: options that would change labels are refused", async () => {
  const files = { ...named("a", 2), ...named("b", 2) };
  for (const [options, flag] of [
    [{ labelSeparator: ";" }, "--label-separator"],
    [{ labelColumns: ["a", "b"] }, "--label-columns"],
    [{ groupColumn: "patient" }, "--group-column"],
  ] as const) {
    await assert.rejects(list(files, options), {
      message: new RegExp(`${flag} applies to a table of labels; add --labels`),
    });
  }
});

test("the digest of a listing depends on its label sets", () => {
  const train = [{ path: "1.jpg", label: 0 }];
  const listing = { name: "", root: "", classNames: ["a", "b"], train, test: train, notes: [] };
  const digests = [undefined, [[0]], [[1]], [[0, 1]]].map((labelSets) =>
    listingDigest({ ...listing, ...(labelSets ? { labelSets } : {}) }),
  );
  assert.equal(new Set(digests).size, 4);
});
