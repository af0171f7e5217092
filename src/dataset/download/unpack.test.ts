import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type TarEntry, tarArchive } from "../../../test/cifar10Files.ts";
import { writeFiles } from "../../../test/writeFiles.ts";
import { DataError } from "../../errors.ts";
import { unpackTarGz } from "./unpack.ts";

let root: string;
let work: string;
let archive: string;
let folder: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "alexnet-unpack-"));
});
beforeEach(async () => {
  work = await mkdtemp(join(root, "test-"));
  [archive, folder] = [join(work, "a.tgz"), join(work, "cache", "out")];
});
after(() => rm(root, { recursive: true }));

const placeOf = (name: string) => /^top\/(\w+\/\w+\.jpg)$/.exec(name)?.[1];
const unpack = (signal?: AbortSignal) => unpackTarGz(archive, folder, { placeOf, maxBytes: 100_000, signal });
const bytes = Buffer.from(Uint8Array.from({ length: 70_000 }, (_, i) => (i * i) % 251));
const good: readonly TarEntry[] = [
  { name: "top/", type: "5" },
  { name: "top/a/1.jpg", bytes },
  { name: "top/b/2.jpg", bytes: bytes.subarray(7) },
  { name: "top/b/readme.txt", bytes },
];

const here = () => readdir(join(work, "cache"), { recursive: true });

async function assertRefused(content: Uint8Array, message: RegExp): Promise<void> {
  await writeFile(archive, content);
  await assert.rejects(unpack(), (error: unknown) => {
    assert.ok(error instanceof DataError, String(error));
    assert.ok(error.message.startsWith(work), error.message);
    assert.match(error.message, message);
    return true;
  });
  assert.deepEqual(await here(), []);
  assert.deepEqual((await readdir(work)).sort(), ["a.tgz", "cache"]);
  assert.deepEqual((await readdir(root)).includes("escaped.jpg"), false);
}

test("the wanted files, and nothing else", async () => {
  await writeFile(archive, gzipSync(tarArchive(good)));
  await unpack();
  assert.deepEqual((await here()).sort(), ["out", "out/a", "out/a/1.jpg", "out/b", "out/b/2.jpg"]);
  assert.ok((await readFile(join(folder, "a/1.jpg"))).equals(bytes));
  assert.ok((await readFile(join(folder, "b/2.jpg"))).equals(bytes.subarray(7)));
});

test("a bad entry at the end of an archive: nothing is kept, not even the valid files before it", async () => {
  const refused: readonly (readonly [TarEntry, RegExp])[] = [
    [{ name: "../escaped.jpg", bytes }, /expected names inside a folder, got "\.\.\/escaped\.jpg"$/],
    [{ name: "top/a/../../../escaped.jpg", bytes }, /expected names inside a folder/],
    [{ name: join(root, "escaped.jpg"), bytes }, /expected names inside a folder, got "\//],
    [{ name: "top/a/l.jpg", type: "2" }, /l\.jpg: expected a regular file, got the type "2"$/],
    [{ name: "top/a/l.jpg", type: "1" }, /got the type "1"$/],
    [{ name: "top/a/d.jpg", type: "3" }, /got the type "3"$/],
    [{ name: "top/a/h.jpg", size: "77777777777\0" }, /h\.jpg: expected at most 100000 bytes, got 8589934591$/],
    [{ name: "top/a/h.txt", size: "77777777777\0" }, /expected a complete tar archive, got a truncated one$/],
    [{ name: "top/a/h.jpg", size: "00000200000\0" }, /expected a complete tar archive, got a truncated one$/],
    [{ name: "top/a/1.jpg", bytes }, /1\.jpg: expected once, got twice$/],
    [{ name: "top/a/1.jpg/x", bytes, size: "eleven" }, /expected a size in octal digits$/],
  ];
  for (const [entry, message] of refused) await assertRefused(gzipSync(tarArchive([...good, entry])), message);
});

test("Windows: nothing is unpacked of an archive with a name that it would store as another", async () => {
  const here = process.platform;
  Object.defineProperty(process, "platform", { value: "win32" });
  try {
    for (const [name, message] of [
      ["top/con/1.jpg", /a\.tgz: top\/con\/1\.jpg: "con" is a device on Windows; rename it in the archive, or unpack/],
      ["top/A/3.jpg", /"A" and "a" are one name on this system; rename it/],
    ] as const) {
      await assertRefused(gzipSync(tarArchive([...good, { name, bytes }])), message);
    }
    await writeFile(archive, gzipSync(tarArchive(good)));
    await unpack();
  } finally {
    Object.defineProperty(process, "platform", { value: here });
  }
  assert.deepEqual((await readdir(folder)).sort(), ["a", "b"]);
});

test("truncated, corrupt, or without the wanted files", async () => {
  const whole = gzipSync(tarArchive(good));
  for (const length of [0, 100, whole.length >> 1, whole.length - 1]) {
    await assertRefused(whole.subarray(0, length), /(corrupt one \(unexpected end of file\)|truncated one)$/);
  }
  const stored = gzipSync(tarArchive(good), { level: 0 });
  stored[50_000] = (stored[50_000] as number) ^ 1;
  await assertRefused(stored, /corrupt one \(incorrect data check\)$/);
  await assertRefused(gzipSync(tarArchive(good.slice(3))), /expected the data set's files, found none of them$/);
});

test("a place that cannot be written", async () => {
  await writeFiles(work, [["cache", ""]]);
  await writeFile(archive, gzipSync(tarArchive(good)));
  await assert.rejects(
    unpack(),
    /^DataError: .*out: .*a\.tgz cannot be unpacked there \(a file with this name exists; /,
  );
});

test("another process was faster: its result stays; what a dead process left is removed", async () => {
  const { pid: dead } = spawnSync(process.execPath, ["--version"]);
  await writeFile(archive, gzipSync(tarArchive(good)));
  const kept = ["out/other.jpg", `out.${process.ppid}.part-AbC123/a/1.jpg`, `outer.${dead}.part-AbC123/a/1.jpg`];
  await writeFiles(
    join(work, "cache"),
    [...kept, `out.${dead}.part-AbC123/a/1.jpg`].map((name) => [name, "x"]),
  );
  await unpack();
  assert.deepEqual((await here()).filter((name) => name.endsWith(".jpg")).sort(), [...kept].sort());
  assert.equal((await readdir(join(work, "cache"))).length, 3);
  await rm(folder, { recursive: true });
  await mkdir(folder);
  await Promise.all([unpack(), unpack()]);
  assert.deepEqual((await readdir(folder)).sort(), ["a", "b"]);
  assert.equal((await readdir(join(work, "cache"))).length, 3);
});

test("an abort leaves nothing, and throws the signal's reason", async () => {
  await writeFile(archive, gzipSync(tarArchive(good)));
  const reason = new Error("enough");
  const controller = new AbortController();
  const unpacking = unpack(controller.signal);
  setImmediate(() => controller.abort(reason));
  await assert.rejects(unpacking, (error) => error === reason);
  assert.deepEqual(await here(), []);
});
