import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DataError } from "../../errors.ts";
import { folderContent } from "./folderEntries.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-content-"));
});
after(() => rm(folder, { recursive: true }));

test("folders, images and other files by name, links as their targets", async () => {
  for (const name of ["b", "a.jpg", ".git"]) await mkdir(join(folder, name));
  for (const name of ["z.JPEG", "c.jpeg", "B.jpg", "a.png", "readme", ".DS_Store", "._c.jpeg"]) {
    await writeFile(join(folder, name), "");
  }
  await symlink("b", join(folder, "linked"));
  await symlink("c.jpeg", join(folder, "d.jpg"));
  assert.deepEqual(await folderContent(folder), {
    folders: ["a.jpg", "b", "linked"],
    images: ["B.jpg", "c.jpeg", "d.jpg", "z.JPEG"],
    others: 2,
  });
});

test("a missing folder, and a broken link", async () => {
  const gone = join(folder, "gone");
  await assert.rejects(
    folderContent(gone),
    new DataError(`${gone}: cannot be read (no such file or folder; check the path)`),
  );
  await symlink("nowhere", gone);
  await assert.rejects(
    folderContent(folder),
    /^DataError: .*: cannot be read \(no such file or folder; check the path\)$/,
  );
});
