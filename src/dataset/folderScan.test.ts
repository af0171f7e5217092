import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Files, picture, withFolder, writeFiles } from "../../test/pictureFolders.ts";
import { DataError } from "../errors.ts";
import { type FolderScan, scanFolder } from "./folderScan.ts";

function pathsOf({ parts }: FolderScan): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    parts.flatMap(({ name: part, classes }) =>
      classes.map(({ name, pictures }) => [`${part}:${name}`, pictures.map(({ path }) => path)]),
    ),
  );
}

function oddOf({ odd }: FolderScan): readonly string[] {
  return odd.map(({ path, reason, detail }) => `${path}: ${reason}: ${detail}`);
}

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
  test("a folder for each class, searched to any depth, with size and times of each file", async () => {
    const files = { "dog/b.PNG": "", "dog/a.jpg": "four", "cat/x/y/1.jpeg": "", "cat/x-1.webp": "", "cat/x.gif": "" };
    await withFolder(files, async (root) => {
      const scan = await scanFolder(root);
      assert.deepEqual(pathsOf(scan), {
        "whole:cat": ["cat/x-1.webp", "cat/x.gif", "cat/x/y/1.jpeg"],
        "whole:dog": ["dog/a.jpg", "dog/b.PNG"],
      });
      assert.deepEqual([scan.root, scan.odd], [root, []]);
      const { size, mtimeMs, ctimeMs } = await stat(join(root, "dog/a.jpg"));
      const expected = { path: "dog/a.jpg", bytes: size, modifiedMs: mtimeMs, changedMs: ctimeMs };
      assert.deepEqual(scan.parts[0]?.classes[1]?.pictures[0], expected);
      assert.equal(size, 4);
    });
  });

  test("folders for parts, in any case and by their other names; all else at the top is outside", async () => {
    for (const validation of ["val", "Valid", "VALIDATION"]) {
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
          scan.odd.map(({ path, reason }) => [path, reason]),
          ["Train/1.jpg", "other", "top.jpg"].map((path) => [path, "outsideClass"]),
        );
      });
    }
  });

  test("parts without one for training, or two for the same", async () => {
    await assertRefused(
      { "val/a/1.jpg": "", "test/a/1.jpg": "" },
      /expected a folder train beside test and val, got none; name /,
    );
    await assertRefused(
      { "train/a/1.jpg": "", "val/a/1.jpg": "", "valid/a/1.jpg": "" },
      /one folder for validation, got val and valid; put/,
    );
  });

  test("what is no folder", async () => {
    await withFolder({ file: "" }, async (root) => {
      await assert.rejects(
        scanFolder(join(root, "file")),
        /file: expected a folder of pictures \(.*\), but it is not a folder$/,
      );
      await assert.rejects(scanFolder(join(root, "none")), /none: expected a folder .*, but there is no such folder$/);
    });
  });

  test("decomposed names are composed, and such a class is one; classes are in the order of code points", async () => {
    const files = { "e\u0301/1.jpg": "", "\u00e9/2.jpg": "", "z/1.jpg": "", "\u{1f600}/1.jpg": "", "\uff5e/1.jpg": "" };
    await withFolder(files, async (root) => {
      const scan = await scanFolder(root);
      const names = scan.parts[0]?.classes.map(({ name }) => name);
      assert.deepEqual(names, ["z", "\u00e9", "\uff5e", "\u{1f600}"]);
      assert.deepEqual(pathsOf(scan)["whole:\u00e9"], ["e\u0301/1.jpg", "\u00e9/2.jpg"]);
    });
  });
});

describe("scanFolder: what is no picture", () => {
  test("hidden entries and those of systems, files without a picture, folders named like one", async () => {
    const png = await picture(1);
    const files = {
      "a/.hidden.jpg": "",
      ".git/x/1.jpg": "",
      "a/__MACOSX/1.jpg": "",
      "a/@eaDir/1.jpg": "",
      "a/Thumbs.db": "",
      "a/desktop.ini": "",
      "a/notes.txt": "BMW", // the first bytes of a BMP file
      "a/image": png,
      "a/image.backup": png,
      "a/scan.TIFF": "not read, but meant as a picture",
      "a/x.jpg/1.png": png,
      "b/": "",
    };
    await withFolder(files, async (root) => {
      const scan = await scanFolder(root);
      assert.deepEqual(pathsOf(scan), {
        "whole:a": ["a/image", "a/image.backup", "a/scan.TIFF", "a/x.jpg/1.png"],
        "whole:b": [],
      });
      const hidden = [".git", "a/.hidden.jpg", "a/@eaDir", "a/Thumbs.db", "a/__MACOSX", "a/desktop.ini"];
      assert.deepEqual(
        scan.odd.filter(({ reason }) => reason === "hidden").map(({ path }) => path),
        hidden,
      );
      assert.deepEqual(
        oddOf(scan).filter((line) => !line.includes("hidden")),
        ["a/notes.txt: notPicture: a BMP image", "a/x.jpg: pictureNamedFolder: a folder"],
      );
    });
  });

  test("pipes and sockets are not opened, whatever their name", { timeout: 20_000 }, async () => {
    await withFolder({ "a/1.jpg": "", "b/": "" }, async (root) => {
      execFileSync("mkfifo", [join(root, "pipe"), join(root, "a/pipe.jpg"), join(root, "a/pipe")]);
      const server = createServer().listen(join(root, "b/s"));
      try {
        await symlink("/dev/zero", join(root, "b/zero.jpg"));
        const scan = await scanFolder(root);
        assert.deepEqual(pathsOf(scan), { "whole:a": ["a/1.jpg"], "whole:b": [] });
        const special = [
          "a/pipe: special: a pipe",
          "a/pipe.jpg: special: a pipe",
          "b/s: special: a socket",
          "b/zero.jpg: special: a device",
          "pipe: special: a pipe",
        ];
        assert.deepEqual(oddOf(scan), special);
      } finally {
        server.close();
      }
    });
  });

  test("a file that cannot be found by its name, and one that cannot be opened", async () => {
    await withFolder({ "a/1.jpg": "" }, async (root) => {
      await symlink("nowhere", join(root, "a/broken.jpg"));
      await symlink("self.jpg", join(root, "a/self.jpg"));
      await writeFile(Buffer.concat([Buffer.from(join(root, "a/")), Buffer.of(0xe9), Buffer.from(".jpg")]), "");
      assert.deepEqual(oddOf(await scanFolder(root)), [
        "a/broken.jpg: unreadableEntry: a link to something that is not there, or gone meanwhile",
        "a/self.jpg: unreadableEntry: a link that leads to itself",
        "a/\ufffd.jpg: unreadableEntry: a name that is not UTF-8",
      ]);
    });
  });

  const asRoot = process.getuid?.() === 0 && "root may read everything";
  test("a folder and a file without permission", { skip: asRoot }, async () => {
    await withFolder({ "a/1.jpg": "", "a/unnamed": "", "a/shut/1.jpg": "" }, async (root) => {
      await chmod(join(root, "a/shut"), 0);
      await chmod(join(root, "a/unnamed"), 0);
      const odd = oddOf(await scanFolder(root));
      await chmod(join(root, "a/shut"), 0o700);
      assert.deepEqual(odd, [
        "a/shut: unreadableEntry: EACCES: permission denied",
        "a/unnamed: unreadableEntry: EACCES: permission denied",
      ]);
    });
  });
});

describe("scanFolder: links", () => {
  test("linked files and folders are followed", async () => {
    await withFolder({ "elsewhere/1.jpg": "", "data/a/": "", "data/b/2.jpg": "" }, async (root) => {
      await symlink("../../elsewhere/1.jpg", join(root, "data/a/one.jpg"));
      await symlink("../../elsewhere", join(root, "data/a/more"));
      await symlink("../elsewhere", join(root, "data/c"));
      const scan = await scanFolder(join(root, "data"));
      assert.deepEqual(pathsOf(scan), {
        "whole:a": ["a/more/1.jpg", "a/one.jpg"],
        "whole:b": ["b/2.jpg"],
        "whole:c": ["c/1.jpg"],
      });
      assert.deepEqual(scan.odd, []);
    });
  });

  test("loops, links to what the folder lies in, and a folder reached in many ways", { timeout: 60_000 }, async () => {
    await withFolder({ "data/a/1.jpg": "", "data/b/0/1.jpg": "", "beside/1.jpg": "" }, async (root) => {
      const data = join(root, "data");
      for (const [target, path] of [
        [".", "a/self"],
        ["..", "a/up"],
        ["../..", "a/above"],
        ["/", "a/top"],
      ] as const)
        await symlink(target, join(data, path));
      // 2^30 ways to the innermost folder.
      let folder = join(data, "b/0");
      for (let depth = 0; depth < 30; depth++) {
        await mkdir(join(folder, "next"));
        await symlink("next", join(folder, "same"));
        folder = join(folder, "next");
      }
      await writeFiles(folder, { "last.jpg": "" });
      const scan = await scanFolder(data);
      const paths = pathsOf(scan);
      assert.deepEqual(paths["whole:a"], ["a/1.jpg"]);
      assert.deepEqual(paths["whole:b"], ["b/0/1.jpg", `b/0/${"next/".repeat(30)}last.jpg`]);
      assert.ok(scan.odd.every(({ reason }) => reason === "repeatedFolder"));
      assert.deepEqual(
        scan.odd.slice(0, 4).map(({ path }) => path),
        ["a/above", "a/self", "a/top", "a/up"],
      );
      assert.equal(scan.odd.length, 4 + 30);
    });
  });

  test("a part that is a link to another is read as it is; one that leads to the top is not", async () => {
    await withFolder({ "train/a/1.jpg": "" }, async (root) => {
      await symlink("train", join(root, "val"));
      await symlink(".", join(root, "test"));
      const scan = await scanFolder(root);
      assert.deepEqual(pathsOf(scan), { "train:a": ["train/a/1.jpg"], "validation:a": ["val/a/1.jpg"] });
      assert.deepEqual(
        scan.odd.map(({ path, reason }) => [path, reason]),
        [["test", "repeatedFolder"]],
      );
    });
  });
});
