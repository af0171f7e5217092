/** Archives of image folders: the same images as unpacked by hand, and nothing outside the folder. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type TarEntry, tarArchive } from "../../../test/cifar10Files.ts";
import { picture } from "../../../test/pictureFolders.ts";
import { writeFiles } from "../../../test/writeFiles.ts";
import { DataError } from "../../errors.ts";
import { crc32 as crcOf } from "../../image/files/crc32.ts";
import { findDataset } from "../sources/datasets.ts";
import { unpackedArchive } from "./archiveSource.ts";

let folder: string;
const at = (path: string) => join(folder, path);
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-archives-"));
});
after(() => rm(folder, { recursive: true }));

const longName = `photos/${"x".repeat(120)}/ü.png`;

/** Files of a data set with a table, below an outer folder. */
async function files(): Promise<readonly (readonly [string, string | Uint8Array])[]> {
  const images = await Promise.all([1, 2, 3, 4].map((number) => picture(number)));
  return [
    ...images.slice(0, 3).map((bytes, i) => [`photos/${i}.png`, bytes] as const),
    [longName, images[3] as Uint8Array],
    ["photos/labels.csv", `id,label\n0,a\n1,b\n2,a\n${longName.slice("photos/".length)},b\n`],
    ["photos/.DS_Store", "x"],
    ["__MACOSX/photos/._0.png", "x"],
  ];
}

/** A zip file as its specification has it, uncompressed. */
function zipOf(
  entries: readonly (readonly [name: string | Buffer, bytes: Buffer])[],
  method = 0,
  flags = 0x800,
): Buffer {
  const [parts, central]: [Buffer[], Buffer[]] = [[], []];
  let position = 0;
  for (const [name, bytes] of entries) {
    const text = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(crcOf(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(text.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(position, 10);
    parts.push(Buffer.from("PK\x03\x04"), common, text, bytes);
    central.push(Buffer.from("PK\x01\x02\x14\x00"), common, tail, text);
    position += 30 + text.length + bytes.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(position, 12);
  return Buffer.concat([...parts, directory, Buffer.from("PK\x05\x06"), end]);
}

const options = () => ({ cacheDir: at("cache") });

test("zip, tar and tar.gz give the images and labels of the folder; an archive is unpacked once, and again when it changes", async () => {
  await writeFiles(at("plain"), await files());
  for (const [name, flag] of [
    ["a.tar", "-cf"],
    ["a.tar.gz", "-czf"],
    ["gnu.tgz", "-czf"],
  ] as const) {
    const format = name.startsWith("gnu") ? "--format=gnu" : "--format=posix";
    execFileSync("tar", ["-C", at("plain"), format, flag, at(name), "photos", "__MACOSX"]);
  }
  const contents = (await files()).map(([name, bytes]) => [name, Buffer.from(bytes)] as const);
  await writeFile(at("a.zip"), zipOf(contents));
  for (const name of ["a.tar", "a.tar.gz", "gnu.tgz", "a.zip"]) {
    const source = await findDataset(at(name));
    const dataset = await source.load({ ...options(), labels: "labels.csv", validationShare: 0.5 });
    assert.deepEqual(
      [dataset.name, dataset.classNames, dataset.train.length, dataset.test.length],
      [at(name), ["a", "b"], 2, 2],
    );
    dataset.close?.();
    const root = await unpackedArchive(at(name), options());
    assert.deepEqual(
      (await readdir(root)).sort(),
      ["0.png", "1.png", "2.png", "labels.csv", "x".repeat(120)],
      "no hidden files",
    );
    const inside = longName.slice("photos/".length);
    assert.deepEqual(await readFile(join(root, inside)), await readFile(at(`plain/${longName}`)));
  }
  // A table outside names the outer folder, as it does of the folder that was packed.
  await writeFile(at("outside.csv"), "image,label\nphotos/0.png,a\nphotos/1.png,b\nphotos/2.png,a\n");
  for (const name of ["plain", "a.tar"]) {
    const source = await findDataset(at(name));
    const dataset = await source.load({ ...options(), labels: at("outside.csv") });
    assert.deepEqual([dataset.classNames, dataset.train.length + dataset.test.length], [["a", "b"], 3]);
    dataset.close?.();
  }
  const first = await unpackedArchive(at("a.zip"), options());
  await utimes(at("a.zip"), 1, 1);
  assert.notEqual(await unpackedArchive(at("a.zip"), options()), first);
});

test("names of zip archives without the flag of UTF-8: UTF-8 where they are that, otherwise code page 437", async () => {
  const bytes = Buffer.from(await picture(1));
  const names = ["Café/1.png", Buffer.from("caf\x82/1.png", "latin1"), "tea/1.png"];
  await writeFile(
    at("flag.zip"),
    zipOf(
      names.map((name) => [name, bytes]),
      0,
      0,
    ),
  );
  assert.deepEqual((await readdir(await unpackedArchive(at("flag.zip"), options()))).sort(), ["Café", "café", "tea"]);
  await writeFile(at("up.zip"), zipOf([["é/../../1.png", bytes]], 0, 0));
  await assert.rejects(unpackedArchive(at("up.zip"), options()), /invalid relative path/);
});

test("archives that lead out, repeat a name, or are broken, encrypted or unknown are refused with nothing left", async () => {
  const bytes = Buffer.from("x");
  const link: TarEntry = { name: "a/1.png", type: "2" };
  const broken = zipOf([["a/1.png", bytes]]);
  broken[30 + "a/1.png".length] = 0;
  const cases: readonly (readonly [name: string, content: Uint8Array, says: RegExp])[] = [
    ["out.zip", zipOf([["../1.png", bytes]]), /expected an intact zip file: invalid relative path/],
    ["absolute.zip", zipOf([["/1.png", bytes]]), /expected an intact zip file: absolute path/],
    [
      "twice.zip",
      zipOf([
        ["1.png", bytes],
        ["1.png", bytes],
      ]),
      /1\.png: expected once, got twice/,
    ],
    ["crc.zip", broken, /a\/1\.png: its checksum differs/],
    ["method.zip", zipOf([["1.png", bytes]], 12), /1\.png: expected a file stored or compressed by deflate/],
    ["cut.zip", zipOf([["1.png", bytes]]).subarray(0, 60), /expected an intact zip file/],
    ["link.tar", tarArchive([link]), /expected a regular file/],
    ["out.tar", tarArchive([{ name: "../1.png", bytes }]), /expected names inside a folder/],
    ["empty.tar", tarArchive([{ name: ".hidden", bytes }]), /expected the data set's files, found none/],
  ];
  for (const [name, content, says] of cases) {
    await writeFile(at(name), content);
    const cacheDir = at(`cache-${name}`);
    await assert.rejects(unpackedArchive(at(name), { cacheDir }), (error) => {
      assert.ok(
        error instanceof DataError && says.test(error.message) && error.message.includes(at(name)),
        String(error),
      );
      return true;
    });
    assert.deepEqual(await readdir(join(cacheDir, "archives")), [], name);
  }
  for (const [name, says] of [
    ["a.tar.xz", /unpack it and pass the folder/],
    ["a.csv", /pass the folder of the images, and the table with --labels/],
    ["a.parquet", /export the labels as CSV/],
  ] as const) {
    await writeFile(at(name), bytes);
    await assert.rejects(findDataset(at(name)), says);
  }
});
