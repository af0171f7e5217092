import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import sharp from "sharp";
import { picture, withFolder } from "../../../test/pictureFolders.ts";
import { root as project } from "../../../test/sourceFiles.ts";
import { decodeImage } from "../../image/files/decode.ts";
import { type ExaminedFile, examine } from "./examine.ts";

async function examineAll(paths: readonly string[]): Promise<readonly ExaminedFile[]> {
  const all: ExaminedFile[] = [];
  for await (const examined of examine(paths)) all.push(examined);
  return all;
}

/** SHA-256 of size and pixels. */
async function hashOf(path: string): Promise<string> {
  const { width, height, data } = await decodeImage(path);
  return createHash("sha256").update(`${width} ${height} ${data.length}\n`).update(data).digest("hex");
}

test("the same pixels have the same hash: other metadata, lossless formats, grey as colour; but not other sizes", async () => {
  const colour = Uint8Array.from({ length: 36 }, (_, i) => (i * 37) % 251);
  const grey = Uint8Array.from({ length: 12 }, (_, i) => 20 * i);
  const image = (data: Uint8Array, width: number, channels: 1 | 3) =>
    sharp(data, { raw: { width, height: 12 / width, channels } });
  const jpeg = await image(colour, 4, 3).jpeg().toBuffer();
  const comment = Buffer.concat([
    jpeg.subarray(0, 2),
    Buffer.from([0xff, 0xfe, 0, 5]),
    Buffer.from("new"),
    jpeg.subarray(2),
  ]);
  const spread = Uint8Array.from({ length: 36 }, (_, i) => grey[Math.floor(i / 3)] as number);
  const sets = [
    [jpeg, comment, await sharp(jpeg).png().toBuffer()],
    [await image(colour, 4, 3).png().toBuffer(), await image(colour, 4, 3).webp({ lossless: true }).toBuffer()],
    [await image(grey, 4, 1).toColourspace("b-w").png().toBuffer(), await image(spread, 4, 3).png().toBuffer()],
    [await image(grey, 3, 1).toColourspace("b-w").png().toBuffer()],
    [await image(grey, 6, 1).toColourspace("b-w").png().toBuffer()],
  ];
  const files = sets.flatMap((set, s) => set.map((bytes, i) => [`${s}-${i}.png`, bytes] as const));
  await withFolder(Object.fromEntries(files), async (root) => {
    const hashes = new Map<string, Set<string>>();
    for (const { path, result } of await examineAll(files.map(([name]) => join(root, name)))) {
      assert.ok("hash" in result, path);
      const set = basename(path).slice(0, 1);
      hashes.set(set, (hashes.get(set) ?? new Set()).add(result.hash));
    }
    assert.deepEqual(
      [...hashes.values()].map(({ size }) => size),
      sets.map(() => 1),
    );
    assert.equal(new Set([...hashes.values()].flatMap((set) => [...set])).size, sets.length);
  });
});

test("hash, format and size of images, and errors of other files", async () => {
  const raccoon = await readFile(join(project, "test/golden/raccoon.jpg"));
  const small = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => picture(number, [20 + number, 30])));
  const files = Object.fromEntries(small.map((bytes, i) => [`${i}.png`, bytes]));
  const bad = { "text.jpg": "no image", "cut.jpg": raccoon.subarray(0, 9000), "empty.jpg": "" };
  await withFolder({ "raccoon.png": raccoon, ...files, ...bad }, async (root) => {
    const names = ["raccoon.png", ...Object.keys(files), ...Object.keys(bad), "none.jpg"];
    const paths = names.map((name) => join(root, name));
    const inAnyOrder = await examineAll(paths);
    assert.equal(inAnyOrder.length, paths.length);
    const examined = paths.map((path) => inAnyOrder.find((file) => file.path === path));
    const hashes = await Promise.all(paths.slice(0, 7).map(hashOf));
    assert.deepEqual(examined[0]?.result, { hash: hashes[0], format: "JPEG", width: 320, height: 240, channels: 3 });
    for (let i = 0; i < 6; i++) {
      const expected = { hash: hashes[i + 1], format: "PNG", width: 21 + i, height: 30, channels: 1 };
      assert.deepEqual(examined[i + 1]?.result, expected);
    }
    const errors = examined.slice(7).map((file) => (file && "error" in file.result ? file.result.error : "none"));
    for (const [i, says] of [
      /^expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF image, got a file that starts with "no image"/,
      /^expected a complete JPEG image, got a truncated one/,
      /^expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF image, got an empty file/,
      /^expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF image, but there is no such file$/,
    ].entries()) {
      assert.match(errors[i] ?? "", says);
    }
  });
});

test("no files, no results; a consumer may stop early", async () => {
  assert.deepEqual(await examineAll([]), []);
  const paths = ["/none/1", "/none/2", "/none/3", "/none/4", "/none/5", "/none/6"];
  for await (const { path } of examine(paths)) {
    assert.ok(paths.includes(path));
    break;
  }
});
