import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Files, pathsOf, withFolder } from "../../../test/pictureFolders.ts";
import { DataError } from "../../errors.ts";
import { scanFolder } from "./folderScan.ts";
import { partOf } from "./partFolders.ts";

async function assertRefused(files: Files, message: RegExp): Promise<void> {
  await withFolder(files, async (root) => {
    await assert.rejects(scanFolder(root), (error: unknown) => {
      assert.ok(error instanceof DataError);
      assert.match(error.message, message);
      return true;
    });
  });
}

describe("scanFolder: parts and classes", () => {
  test("a folder for each class, searched to any depth", async () => {
    const files = { "dog/b.PNG": "", "dog/a.jpg": "four", "cat/x/y/1.jpeg": "", "cat/x-1.webp": "", "cat/x.gif": "" };
    await withFolder(files, async (root) => {
      const scan = await scanFolder(root);
      assert.deepEqual(pathsOf(scan), {
        "whole:cat": ["cat/x-1.webp", "cat/x.gif", "cat/x/y/1.jpeg"],
        "whole:dog": ["dog/a.jpg", "dog/b.PNG"],
      });
      assert.deepEqual([scan.root, scan.skipped], [root, []]);
    });
  });

  test("folders for parts, in any case and by their other names; other entries at the top are outside", async () => {
    for (const validation of ["val", "Valid", "VALIDATION", "dev", "Eval_Set", "validation-images"]) {
      const files = { "TEST/a/1.jpg": "", [`${validation}/a/1.jpg`]: "", "Train/a/1.jpg": "", "Train/1.jpg": "" };
      await withFolder({ ...files, "other/1.jpg": "", "top.jpg": "" }, async (root) => {
        const scan = await scanFolder(root);
        assert.deepEqual(
          scan.parts.map(({ name, folder }) => [name, folder]),
          [
            ["train", "Train"],
            ["validation", validation],
            ["test", "TEST"],
          ],
        );
        assert.deepEqual(
          scan.skipped.map(({ path, reason }) => [path, reason]),
          ["Train/1.jpg", "other", "top.jpg"].map((path) => [path, "outsideClass"]),
        );
      });
    }
  });

  test("Training/ and Testing/, as Kaggle has them, are parts", async () => {
    for (const [train, testing] of [
      ["Training", "Testing"],
      ["train_set", "test_set"],
      ["Training Data", "Test Data"],
      ["TrainingImages", "test"],
    ] as const) {
      await withFolder({ [`${train}/a/1.jpg`]: "", [`${testing}/a/2.jpg`]: "" }, async (root) => {
        const scan = await scanFolder(root);
        assert.deepEqual(
          scan.parts.map(({ name, folder }) => [name, folder]),
          [
            ["train", train],
            ["test", testing],
          ],
        );
      });
    }
  });

  test("a folder with the name of a part, without folders and next to others, is a class", async () => {
    for (const [name, other] of [
      ["valid", "invalid"],
      ["test", "control"],
      ["dev", "prod"],
      ["training", "racing"],
    ] as const) {
      await withFolder({ [`${name}/1.jpg`]: "", [`${other}/2.jpg`]: "" }, async (root) => {
        const { parts, skipped } = await scanFolder(root);
        assert.deepEqual(parts[0]?.classes.map((found) => found.name).sort(), [name, other].sort());
        assert.deepEqual(
          skipped.map(({ path, reason }) => [path, reason]),
          [[name, "partNamedClass"]],
        );
      });
    }
  });

  test("no classes: names that only contain the name of a part", () => {
    for (const name of [
      "trainer",
      "retrain",
      "train station",
      "contest",
      "testament",
      "valley",
      "device",
      "evaluate",
      "set",
      "data",
      "images",
    ]) {
      assert.equal(partOf(name), undefined, name);
    }
  });

  test("parts without one for training, or two for the same", async () => {
    await assertRefused(
      { "val/a/1.jpg": "", "test/a/1.jpg": "" },
      /expected a folder train next to test and val, got none; name /,
    );
    await assertRefused(
      { "train/a/1.jpg": "", "val/a/1.jpg": "", "valid/a/1.jpg": "" },
      /one folder for validation, got val and valid; merge/,
    );
  });

  test("anything other than a folder", async () => {
    await withFolder({ file: "" }, async (root) => {
      await assert.rejects(
        scanFolder(join(root, "file")),
        /file: expected a folder of images \(.*\); it is not a folder$/,
      );
      await assert.rejects(scanFolder(join(root, "none")), /none: expected a folder .*; there is no such folder$/);
    });
  });

  test("decomposed names are composed, equal ones are one class; classes are in code point order", async () => {
    const files = { "e\u0301/1.jpg": "", "\u00e9/2.jpg": "", "z/1.jpg": "", "\u{1f600}/1.jpg": "", "\uff5e/1.jpg": "" };
    await withFolder(files, async (root) => {
      const scan = await scanFolder(root);
      const names = scan.parts[0]?.classes.map(({ name }) => name);
      assert.deepEqual(names, ["z", "\u00e9", "\uff5e", "\u{1f600}"]);
      assert.deepEqual(pathsOf(scan)["whole:\u00e9"], ["e\u0301/1.jpg", "\u00e9/2.jpg"]);
    });
  });
});
