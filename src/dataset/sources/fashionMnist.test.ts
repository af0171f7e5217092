import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { fashionMnistFolder } from "../../../test/fashionMnistFolder.ts";
import { pixelStatistics } from "../../../test/pixelStatistics.ts";
import { ConfigError, DataError, UsageError } from "../../errors.ts";
import { countsByLabel, type Dataset, limitSplit, type Split } from "../dataset.ts";
import { datasetNames } from "./datasetNames.ts";
import { datasets, findDataset, storedDataset } from "./datasets.ts";
import { fashionMnist, loadFashionMnist } from "./fashionMnist.ts";

const system = fashionMnistFolder;
const names = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
];

let folder: string;
let dataset: Dataset;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-fashion-"));
  dataset = await loadFashionMnist();
});
after(() => rm(folder, { recursive: true }));

/** A folder with the real test files in both roles, but for those replaced by other bytes. */
async function folderWith(name: string, replaced: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const dataDir = join(folder, name);
  await mkdir(dataDir);
  for (const file of names) {
    const bytes = replaced[file];
    if (bytes) await writeFile(join(dataDir, file), bytes);
    else await symlink(join(system, `${file.replace("train", "t10k")}.gz`), join(dataDir, `${file}.gz`));
  }
  return dataDir;
}

async function testLabels(): Promise<Buffer> {
  return gunzipSync(await readFile(join(system, "t10k-labels-idx1-ubyte.gz")));
}

describe("loadFashionMnist on the real files", () => {
  test("lengths, classes, balance", () => {
    assert.deepEqual([dataset.train.length, dataset.test.length, dataset.channels], [60000, 10000, 1]);
    assert.equal(dataset.source, system);
    assert.equal(dataset.classNames.length, 10);
    for (const split of [dataset.train, dataset.test]) {
      const counts = new Array(10).fill(0);
      for (let i = 0; i < split.length; i++) counts[split.label(i)]++;
      assert.deepEqual(counts, new Array(10).fill(split.length / 10));
    }
  });

  test("the first images are the well-known ones", () => {
    const first = [0, 1, 2, 3].map((i) => dataset.classNames[dataset.train.label(i)]);
    assert.deepEqual(first, ["Ankle boot", "T-shirt/top", "T-shirt/top", "Dress"]);
    // The README's second test image is the pullover.
    assert.equal(dataset.classNames[dataset.test.label(1)], "Pullover");
    const { width, height, channels, data } = dataset.train.image(0);
    assert.deepEqual([width, height, channels, data.length], [28, 28, 1, 784]);
    // The sum that numpy gives for this image: train[0].sum().
    assert.equal(
      data.reduce((sum, pixel) => sum + pixel, 0),
      76247,
    );
  });

  test("mean and deviation are those of all training pixels", () => {
    const { mean, deviation } = pixelStatistics(dataset.train, 1, 10);
    assert.ok(Math.abs((dataset.mean[0] as number) - (mean[0] as number)) < 1e-15);
    assert.ok(Math.abs((dataset.deviation[0] as number) - (deviation[0] as number)) < 1e-15);
  });

  test("limitSplit keeps the first, or some of each class where the first lack one", () => {
    const limited = limitSplit(dataset.train, 50);
    assert.equal(limited.length, 50);
    assert.equal(limited.label(49), dataset.train.label(49));
    assert.deepEqual(limited.image(49), dataset.train.image(49));
    assert.equal(limitSplit(dataset.test, 20000).length, 10000);
    const ten = limitSplit(dataset.train, 10);
    assert.deepEqual(countsByLabel(ten, 10), new Array(10).fill(1));
    const indexOf = (split: Split, label: number) => {
      for (let i = 0; i < split.length; i++) if (split.label(i) === label) return i;
      return assert.fail();
    };
    for (let c = 0; c < 10; c++) {
      assert.deepEqual(ten.image(indexOf(ten, c)), dataset.train.image(indexOf(dataset.train, c)));
    }
    assert.throws(() => limitSplit(dataset.train, 7), ConfigError);
  });
});

describe("loadFashionMnist on other folders", () => {
  test("plain and gzipped files mix, and dataDir is the only place", async () => {
    const dataDir = await folderWith("mixed", { "train-labels-idx1-ubyte": await testLabels() });
    const { train, test, source } = await loadFashionMnist({ dataDir });
    assert.equal(source, dataDir);
    assert.deepEqual([train.length, train.image(99)], [10000, test.image(99)]);
    assert.equal(await fashionMnist.locate({ dataDir }), dataDir);
    await rm(join(dataDir, "t10k-images-idx3-ubyte.gz"));
    await rm(join(dataDir, "train-labels-idx1-ubyte"));
    assert.equal(await fashionMnist.locate({ dataDir }), undefined);
    await assert.rejects(
      loadFashionMnist({ dataDir }),
      new DataError(
        `${dataDir}: expected the four files of Fashion-MNIST, missing train-labels-idx1-ubyte[.gz], t10k-images-idx3-ubyte[.gz]`,
      ),
    );
  });

  test("the system's folder precedes the cache, an incomplete folder does not count", async () => {
    const cacheDir = join(folder, "cache");
    await mkdir(cacheDir);
    const cached = await folderWith("cache/fashion-mnist", {});
    assert.equal((await loadFashionMnist({ systemDir: system, cacheDir })).source, system);
    const systemDir = join(folder, "no-such-folder");
    assert.equal((await loadFashionMnist({ systemDir, cacheDir })).source, cached);
  });

  test("mismatched files are named", async () => {
    const labels = await testLabels();
    const wrong = Buffer.from(labels);
    wrong[8 + 4321] = 10;
    const fewer = Buffer.from(labels.subarray(0, -1));
    fewer.writeUInt32BE(9999, 4);
    const tall = Buffer.concat([Buffer.of(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 29, 0, 0, 0, 28), Buffer.alloc(29 * 28)]);
    const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
      ["train-labels-idx1-ubyte", wrong, /train-labels-idx1-ubyte: label 4321: expected 0 to 9, got 10$/],
      [
        "t10k-labels-idx1-ubyte",
        fewer,
        /t10k-labels-idx1-ubyte: expected 10000 labels, one per image of .*, got 9999$/,
      ],
      ["train-images-idx3-ubyte", tall, /train-images-idx3-ubyte: expected images of 28×28, got 29×28$/],
      [
        "train-images-idx3-ubyte",
        labels,
        /train-images-idx3-ubyte: expected the IDX magic 0x00000803, got 0x00000801$/,
      ],
      ["t10k-images-idx3-ubyte", Buffer.from("not idx"), /t10k-images-idx3-ubyte: expected an IDX file/],
    ];
    for (const [i, [file, bytes, message]] of cases.entries()) {
      const dataDir = await folderWith(`misfit${i}`, { [file]: bytes });
      const before = await readdir(dataDir);
      await assert.rejects(loadFashionMnist({ dataDir }), (error: unknown) => {
        assert.ok(error instanceof DataError);
        assert.match(error.message, message);
        return true;
      });
      assert.deepEqual(await readdir(dataDir), before);
    }
  });
});

test("findDataset: by name, or a folder, or an error that lists the names", async () => {
  assert.equal(await findDataset("fashion-mnist"), datasets[0]);
  assert.equal(datasets[0]?.name, fashionMnist.name);
  assert.deepEqual(
    datasets.map(({ name }) => name),
    datasetNames,
  );
  assert.equal(new Set(datasetNames).size, datasets.length);
  assert.equal((await findDataset("src/image")).name, resolve("src/image"));
  assert.equal((await findDataset("src")).name, resolve("src"));
  const before = process.cwd();
  process.chdir(await mkdtemp(join(folder, "cwd-")));
  try {
    await mkdir("flowers");
    const messages: string[] = [];
    const onMessage = (message: string) => messages.push(message);
    assert.equal((await findDataset("flowers", { onMessage })).name, resolve("flowers"));
    assert.match(messages.join("\n"), /^flowers: using the folder .*flowers, not the data set with this name; [^\n]*$/);
    assert.equal((await findDataset("flowers", { dataDir: "elsewhere", onMessage })).name, "flowers");
    assert.equal((await storedDataset("flowers")).name, "flowers");
    assert.equal((await findDataset("cifar10", { onMessage })).name, "cifar10");
    assert.equal(messages.length, 1);
  } finally {
    process.chdir(before);
  }
  await assert.rejects(
    findDataset("mnist"),
    new UsageError(
      "mnist: no data set or folder with this name (did you mean fashion-mnist?); expected fashion-mnist, cifar10, flowers, imagenet, or a folder or archive of images",
    ),
  );
});
