import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { type TarEntry, tarArchive } from "../../../test/cifar10Files.ts";
import { DataError } from "../../errors.ts";
import { eachTarGzFile, readTarGz } from "./tar.ts";

let folder: string;
let path: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-tar-"));
  path = join(folder, "a.tar.gz");
});
after(() => rm(folder, { recursive: true }));

async function read(bytes: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> {
  await writeFile(path, bytes);
  return readTarGz(path, { isWanted: (name) => name.endsWith(".bin"), maxBytes: 2000 });
}

async function assertRefused(bytes: Uint8Array, message: RegExp): Promise<void> {
  await assert.rejects(read(bytes), (error: unknown) => {
    assert.ok(error instanceof DataError, String(error));
    assert.ok(error.message.startsWith(`${path}: `), error.message);
    assert.match(error.message, message);
    return true;
  });
  assert.deepEqual(await readdir(folder), ["a.tar.gz"]);
}

const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => (37 * i) % 251);
const gzipped = (...entries: readonly TarEntry[]) => gzipSync(tarArchive(entries));

test("wanted files of any length, in POSIX's and GNU's form; folders and pax headers are ignored", async () => {
  const lengths = [0, 1, 511, 512, 513, 1999];
  const files = lengths.map((length, i) => ({
    name: `d/${length}.bin`,
    bytes: bytesOf(length),
    magic: i % 2 === 0 ? "ustar\x0000" : "ustar  \0",
  }));
  const others = [
    { name: "d/", type: "5" },
    { name: "PaxHeader/x.bin", type: "x", bytes: Buffer.from("30 mtime=1244154999.5\n") },
    { name: "d/readme.html", bytes: bytesOf(100000) },
  ];
  const found = await read(gzipped(...others, ...files));
  assert.deepEqual(
    [...found.keys()],
    files.map(({ name }) => name),
  );
  for (const { name, bytes } of files) assert.deepEqual(found.get(name), bytes);
});

test("an archive truncated anywhere, or corrupt", async () => {
  const whole = gzipped({ name: "a.bin", bytes: bytesOf(1500) });
  for (const length of [1, 9, 30, whole.length - 9, whole.length - 1]) {
    await assertRefused(
      whole.subarray(0, length),
      /expected an intact gzip file, got a corrupt one \(unexpected end of file\)$/,
    );
  }
  const flipped = Buffer.from(whole);
  flipped[whole.length - 6] = (flipped[whole.length - 6] as number) ^ 1;
  await assertRefused(flipped, /corrupt one \(incorrect data check\)$/);
  await assertRefused(Buffer.from("<!DOCTYPE html>"), /corrupt one \(incorrect header check\)$/);
  const tar = tarArchive([{ name: "a.bin", bytes: bytesOf(1500) }]);
  for (const length of [0, 100, 512, 1000, 2048]) {
    await assertRefused(gzipSync(tar.subarray(0, length)), /expected a complete tar archive, got a truncated one$/);
  }
});

test("anything other than a tar archive of regular files", async () => {
  const bytes = bytesOf(10);
  await assertRefused(gzipSync(bytesOf(2048)), /expected a tar archive \(ustar\)/);
  const wrongSum = tarArchive([{ name: "a.bin", bytes }]);
  wrongSum[0] = 98;
  await assertRefused(gzipSync(wrongSum), /a header with another magic or a wrong checksum$/);
  await assertRefused(gzipped({ name: "a.bin", bytes, magic: "tar" }), /another magic/);
  for (const name of ["/etc/a.bin", "../a.bin", "d/../../a.bin", "d\\..\\..\\a.bin", "C:a.bin", ""]) {
    await assertRefused(gzipped({ name, bytes }), /expected names inside a folder, got "/);
  }
  for (const type of ["1", "2", "3", "K"]) {
    await assertRefused(gzipped({ name: "a.bin", type }), /a\.bin: expected a regular file, got the type "/);
  }
  await assertRefused(gzipped({ name: "a.bin", size: "eleven" }), /a\.bin: expected a size in octal digits$/);
  await assertRefused(
    gzipped({ name: "a.bin", size: "77777777777\0" }),
    /expected at most 2000 bytes, got 8589934591$/,
  );
  const long = { name: "PaxHeader/a.bin", type: "x", bytes: Buffer.alloc(2 ** 20 + 1) };
  await assertRefused(
    gzipped(long, { name: "a.bin", bytes }),
    /expected a header of at most 1 MiB, got 1048577 bytes$/,
  );
  await assertRefused(gzipped({ name: "a.bin", bytes }, { name: "a.bin", bytes }), /a\.bin: expected once, got twice$/);
});

test("when an archive proves corrupt, the work on its files has ended", async () => {
  const whole = gzipped(...Array.from({ length: 40 }, (_, i) => ({ name: `${i}.bin`, bytes: bytesOf(1000) })));
  whole[whole.length - 6] = (whole[whole.length - 6] as number) ^ 1;
  await writeFile(path, whole);
  let used = 0;
  const use = async () => {
    await setTimeout(1);
    used++;
  };
  await assert.rejects(eachTarGzFile(path, { isWanted: () => true, maxBytes: 2000 }, use), /incorrect data check/);
  const before = used;
  await setTimeout(20);
  assert.equal(used, before);
});

test("no such file", async () => {
  const gone = join(folder, "gone.tar.gz");
  await assert.rejects(
    readTarGz(gone, { isWanted: () => true, maxBytes: 1 }),
    new DataError(`${gone}: cannot be read (no such file or folder; check the path)`),
  );
});
