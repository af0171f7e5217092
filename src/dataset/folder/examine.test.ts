import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { picture, withFolder } from "../../../test/pictureFolders.ts";
import { root as project } from "../../../test/sourceFiles.ts";
import { type ExaminedFile, examine } from "./examine.ts";

async function examineAll(paths: readonly string[]): Promise<readonly ExaminedFile[]> {
  const all: ExaminedFile[] = [];
  for await (const examined of examine(paths)) all.push(examined);
  return all;
}

test("hash, format and size of pictures, and what is wrong with those that are none", async () => {
  const raccoon = await readFile(join(project, "test/golden/raccoon.jpg"));
  const small = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => picture(number, [20 + number, 30])));
  const files = Object.fromEntries(small.map((bytes, i) => [`${i}.png`, bytes]));
  const bad = { "text.jpg": "no picture", "cut.jpg": raccoon.subarray(0, 9000), "empty.jpg": "" };
  await withFolder({ "raccoon.png": raccoon, ...files, ...bad }, async (root) => {
    const names = ["raccoon.png", ...Object.keys(files), ...Object.keys(bad), "none.jpg"];
    const paths = names.map((name) => join(root, name));
    const inAnyOrder = await examineAll(paths);
    assert.equal(inAnyOrder.length, paths.length);
    const examined = paths.map((path) => inAnyOrder.find((file) => file.path === path));
    const sums = execFileSync("sha256sum", paths.slice(0, 7), { encoding: "utf8" }).trim().split("\n");
    const hashes = sums.map((line) => line.slice(0, 64));
    assert.deepEqual(examined[0]?.result, { hash: hashes[0], format: "JPEG", width: 320, height: 240, channels: 3 });
    for (let i = 0; i < 6; i++) {
      const expected = { hash: hashes[i + 1], format: "PNG", width: 21 + i, height: 30, channels: 1 };
      assert.deepEqual(examined[i + 1]?.result, expected);
    }
    const errors = examined.slice(7).map((file) => (file && "error" in file.result ? file.result.error : "none"));
    for (const [i, says] of [
      /^expected a JPEG, PNG, WebP or GIF image, got a file that starts with "no pictu"/,
      /^expected a complete JPEG image, got a truncated one/,
      /^expected a JPEG, PNG, WebP or GIF image, got an empty file/,
      /^expected a JPEG, PNG, WebP or GIF image, but there is no such file$/,
    ].entries()) {
      assert.match(errors[i] ?? "", says);
    }
  });
});

test("no files, no results; a consumer that stops early is let go", async () => {
  assert.deepEqual(await examineAll([]), []);
  const paths = ["/none/1", "/none/2", "/none/3", "/none/4", "/none/5", "/none/6"];
  for await (const { path } of examine(paths)) {
    assert.ok(paths.includes(path));
    break;
  }
});
