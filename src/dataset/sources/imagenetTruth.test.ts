import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { readGolden } from "../../../test/golden.ts";
import { synsetWords, wnids } from "../../../test/imagenetNames.ts";
import { writeFiles } from "../../../test/writeFiles.ts";
import { DataError } from "../../errors.ts";
import { listImagenet } from "./imagenet.ts";

/** WNIDs of images 1, 2, …, and the same as numbers of the miniature meta.mat. */
const labels = [4, 0, 0, 2, 1, 3];
const kitNumbers = [1, 2, 2, 3, 4, 5];
const kit = "ILSVRC2012_devkit_t12/data";
const kitTruth = `${kit}/ILSVRC2012_validation_ground_truth.txt`;
const stem = (index: number) => `ILSVRC2012_val_${String(index + 1).padStart(8, "0")}`;
const expected = [1, 2, 4, 3, 5, 0].map((i) => ({ path: `val/${stem(i)}.JPEG`, label: labels[i] }));

const kaggle = ["ImageId,PredictionString", ...labels.map((label, i) => `${stem(i)},${wnids[label]} 1 2 3 4 `)];
const caffe = labels.map((label, i) => `${stem(i)}.JPEG ${label}`);

let meta: Buffer;
let base: string;
let dataDir: string;
before(async () => {
  meta = Buffer.from((await readGolden<{ compressed: string }>("matFile")).compressed, "base64");
  base = await mkdtemp(join(tmpdir(), "alexnet-truth-"));
});
beforeEach(async () => {
  dataDir = await mkdtemp(join(base, "test-"));
  await touch(".");
});
after(() => rm(base, { recursive: true }));

/** Creates validation images in a single folder. */
function touch(folder: string): Promise<void> {
  const paths = [...wnids.map((wnid) => `train/${wnid}/1.JPEG`), ...labels.map((_, i) => `val/${stem(i)}.JPEG`)];
  return writeFiles(
    join(dataDir, folder),
    paths.map((path) => [path, ""]),
  );
}

const write = (name: string, content: string | Uint8Array | readonly string[]) =>
  writeFiles(dataDir, [[name, Array.isArray(content) ? `${content.join("\n")}\n` : (content as string)]]);

async function assertRefused(name: string, message: string | RegExp): Promise<void> {
  const file = join(dataDir, name);
  await assert.rejects(listImagenet({ dataDir }), (error: unknown) => {
    assert.ok(error instanceof DataError, String(error));
    assert.ok(error.message.startsWith(`${file}: `), error.message);
    if (typeof message === "string") assert.equal(error.message, `${file}: ${message}`);
    else assert.match(error.message, message);
    return true;
  });
}

test("Kaggle's form, its rows in any order, some with several boxes", async () => {
  await rm(join(dataDir, "train"), { recursive: true });
  await rm(join(dataDir, "val"), { recursive: true });
  await touch("ILSVRC/Data/CLS-LOC");
  const [header = "", ...rows] = kaggle;
  await write("LOC_val_solution.csv", [header, ...rows.reverse().map((row) => `${row}n01440764 5 6 7 8 \r`)]);
  await write("LOC_synset_mapping.txt", synsetWords);
  const { test: part, classNames } = await listImagenet({ dataDir });
  assert.deepEqual(part, expected);
  assert.deepEqual(classNames[4], "maillot (n03710721)");
});

test("Caffe's form indexes the sorted WNIDs of synset_words.txt, of which train may lack some", async () => {
  await write("val.txt", caffe);
  await assertRefused(
    "val.txt",
    "its numbers refer to 1000 classes; expected their list, synset_words.txt or LOC_synset_mapping.txt; " +
      `${dataDir} has neither, and 5 classes in train`,
  );
  await write("synset_words.txt", [...synsetWords].reverse());
  assert.deepEqual((await listImagenet({ dataDir })).test, expected);
  await write("synset_words.txt", ["n00000001 entity", ...synsetWords]);
  await write(
    "val.txt",
    caffe.map((line) => line.replace(/\d$/, (label) => String(Number(label) + 1))),
  );
  assert.deepEqual((await listImagenet({ dataDir })).test, expected);
});

test("the development kit's form, by its meta.mat", async () => {
  await write(kitTruth, kitNumbers.map(String));
  await assertRefused(kitTruth, /its numbers are the development kit's; expected its meta\.mat .* found none;/);
  await write(`${kit}/meta.mat`, meta);
  assert.deepEqual((await listImagenet({ dataDir })).test, expected);
  await write(`${kit}/meta.mat`, meta.subarray(0, 300));
  await assertRefused(`${kit}/meta.mat`, /unreadable or corrupt \(/);
});

test("no ground truth at all", async () => {
  await assertRefused(
    "val",
    /expected class folders, or LOC_val_solution\.csv or val\.txt or ILSVRC2012_validation_ground_truth\.txt with/,
  );
});

test("a ground truth that does not match the images, the classes or its form", async () => {
  await write("synset_words.txt", synsetWords);
  const cases: readonly (readonly [name: string, lines: readonly string[], message: string | RegExp])[] = [
    ["val.txt", caffe.slice(1), `expected 6 images, as in ${join(dataDir, "val")}, got 5`],
    ["val.txt", [...caffe.slice(1), `${stem(8)}.JPEG 0`], `expected the class of ${stem(0)}.JPEG, got none`],
    ["val.txt", [...caffe.slice(1), caffe[1] as string], `line 6: expected ${stem(1)} once, got it again`],
    ["val.txt", [`${stem(0)}.JPEG 5`], /^.*line 1: expected ".* from 0 to 4, got "ILSVRC2012_val_00000001\.JPEG 5"$/],
    ["val.txt", [...caffe, "-"], /line 7: expected .*, got "-"$/],
    ["LOC_val_solution.csv", kaggle.slice(1), /line 1: expected ImageId,PredictionString, got "ILSVRC/],
    ["LOC_val_solution.csv", [kaggle[0] as string, `${stem(0)},tench 1 2 3 4`], /line 2: expected ".*, got ".*,tench/],
    [
      "LOC_val_solution.csv",
      kaggle.map((line) => line.replace("n03126707", "n09999999")),
      `${stem(3)}.JPEG: expected one of the 5 classes of train, got n09999999`,
    ],
    [
      kitTruth,
      kitNumbers.map((id) => String(id + 1)),
      /line 6: expected the ILSVRC2012_ID of a class in .*meta\.mat, got "6"$/,
    ],
    [
      kitTruth,
      [...kitNumbers.slice(1), 300].map(String),
      `${stem(5)}.JPEG: expected one of the 5 classes of train, got n00001740`,
    ],
    [kitTruth, kitNumbers.slice(2).map(String), `expected 6 images, as in ${join(dataDir, "val")}, got 4`],
  ];
  for (const [name, lines, message] of cases) {
    await write(name, lines);
    await write(join(dirname(name), "meta.mat"), meta);
    await assertRefused(name, message);
    await rm(join(dataDir, name));
  }
});
