import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathsOf, picture, withFolder } from "../../../test/pictureFolders.ts";
import { writeFiles } from "../../../test/writeFiles.ts";
import { type FolderScan, scanFolder } from "./folderScan.ts";

function skippedOf({ skipped }: FolderScan): readonly string[] {
  return skipped.map(({ path, reason, detail }) => `${path}: ${reason}: ${detail}`);
}

describe("searchFolder: entries that are not images", () => {
  test("hidden and system entries, files without an image, folders named like one", async () => {
    const png = await picture(1);
    const files = {
      "a/.hidden.jpg": "",
      ".git/x/1.jpg": "",
      "a/__MACOSX/1.jpg": "",
      "a/@eaDir/1.jpg": "",
      "a/Thumbs.db": "",
      "$RECYCLE.BIN/1.jpg": "",
      ".Trashes/1.jpg": "",
      ".ipynb_checkpoints/1.jpg": "",
      "System Volume Information/1.jpg": "",
      "lost+found/1.jpg": "",
      "FOUND.000/1.jpg": "",
      "recup_dir.12/1.jpg": "",
      "Thumbnails/1.jpg": "",
      "a/thumbs/1.jpg": "",
      "#recycle/1.jpg": "",
      "recycled/1.jpg": "",
      "a/desktop.ini": "",
      "a/notes.txt": "BMW and others", // the first bytes of a BMP file
      "a/image": png,
      "a/image.backup": png,
      "a/scan.TIFF": "no image, but meant as one",
      "a/x.jpg/1.png": png,
      "b/": "",
    };
    await withFolder(files, async (root) => {
      const scan = await scanFolder(root);
      assert.deepEqual(pathsOf(scan), {
        "whole:a": ["a/image", "a/image.backup", "a/scan.TIFF", "a/x.jpg/1.png"],
        "whole:b": [],
        "whole:recycled": ["recycled/1.jpg"],
      });
      const hidden = [
        ...["#recycle", "$RECYCLE.BIN", ".Trashes", ".git", ".ipynb_checkpoints", "FOUND.000"],
        ...["System Volume Information", "Thumbnails"],
        ...["a/.hidden.jpg", "a/@eaDir", "a/Thumbs.db", "a/__MACOSX", "a/desktop.ini", "a/thumbs"],
        ...["lost+found", "recup_dir.12"],
      ];
      assert.deepEqual(
        scan.skipped.filter(({ reason }) => reason === "hidden").map(({ path }) => path),
        hidden,
      );
      assert.deepEqual(
        skippedOf(scan).filter((line) => !line.includes("hidden")),
        ['a/notes.txt: notPicture: a file that starts with "BMW and "', "a/x.jpg: pictureNamedFolder: a folder"],
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
        assert.deepEqual(skippedOf(scan), special);
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
      assert.deepEqual(skippedOf(await scanFolder(root)), [
        "a/broken.jpg: unreadableEntry: a broken link, or an entry removed during the scan",
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
      const skipped = skippedOf(await scanFolder(root));
      await chmod(join(root, "a/shut"), 0o700);
      assert.deepEqual(skipped, [
        "a/shut: unreadableEntry: permission denied; change its permissions, or choose another path",
        "a/unnamed: unreadableEntry: permission denied; change its permissions, or choose another path",
      ]);
    });
  });
});

describe("searchFolder: links", () => {
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
      assert.deepEqual(scan.skipped, []);
    });
  });

  test("loops, links to parent folders, and a folder reachable on many paths", { timeout: 60_000 }, async () => {
    await withFolder({ "data/a/1.jpg": "", "data/b/0/1.jpg": "", "beside/1.jpg": "" }, async (root) => {
      const data = join(root, "data");
      for (const [target, path] of [
        [".", "a/self"],
        ["..", "a/up"],
        ["../..", "a/above"],
        ["/", "a/top"],
      ] as const)
        await symlink(target, join(data, path));
      // 2^30 paths to the innermost folder.
      let folder = join(data, "b/0");
      for (let depth = 0; depth < 30; depth++) {
        await mkdir(join(folder, "next"));
        await symlink("next", join(folder, "same"));
        folder = join(folder, "next");
      }
      await writeFiles(folder, [["last.jpg", ""]]);
      const scan = await scanFolder(data);
      const paths = pathsOf(scan);
      assert.deepEqual(paths["whole:a"], ["a/1.jpg"]);
      assert.deepEqual(paths["whole:b"], ["b/0/1.jpg", `b/0/${"next/".repeat(30)}last.jpg`]);
      assert.ok(scan.skipped.every(({ reason }) => reason === "repeatedFolder"));
      assert.deepEqual(
        scan.skipped.slice(0, 4).map(({ path }) => path),
        ["a/above", "a/self", "a/top", "a/up"],
      );
      assert.equal(scan.skipped.length, 4 + 30);
    });
  });

  test("a part that is a link to another is read as it is; one that leads to the top is not", async () => {
    await withFolder({ "train/a/1.jpg": "" }, async (root) => {
      await symlink("train", join(root, "val"));
      await symlink(".", join(root, "test"));
      const scan = await scanFolder(root);
      assert.deepEqual(pathsOf(scan), { "train:a": ["train/a/1.jpg"], "validation:a": ["val/a/1.jpg"] });
      assert.deepEqual(
        scan.skipped.map(({ path, reason }) => [path, reason]),
        [["test", "repeatedFolder"]],
      );
    });
  });
});
