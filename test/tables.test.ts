/** Labels in a table from end to end: three layouts of Kaggle and Hugging Face are trained on, evaluated, resumed and checked. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { ConfigError, UsageError } from "../src/errors.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { readRunConfig } from "../src/settings/runConfig.ts";
import { type TrainOptions, trainClassifier } from "../src/trainer/trainClassifier.ts";
import { colourNetwork, colourPhoto } from "./colourPhotos.ts";
import { runMain } from "./mainOutput.ts";
import { testFolder } from "./testFolder.ts";
import { writeFiles } from "./writeFiles.ts";

const breeds = ["beagle", "collie", "pug"] as const;
const images = 36;

const nameOf = (i: number) => String(i).padStart(4, "0");
const breedOf = (i: number) => breeds[i % 3] as string;
const rows = (from: number, to: number, row: (i: number) => string) =>
  Array.from({ length: to - from }, (_, k) => row(from + k)).join("\n");

const at = testFolder("tables", async (at) => {
  const photos = await Promise.all(
    Array.from({ length: images }, (_, i) =>
      colourPhoto([i % 3], i)
        .jpeg()
        .toBuffer(),
    ),
  );
  const files = (place: (i: number) => string) => photos.map((bytes, i) => [place(i), bytes] as const);
  const folderOf = (i: number) => (i < 30 ? "train" : "test");
  // Kaggle: a flat folder, ids without extension; and one table with splits for all folders.
  await writeFiles(
    at("dogs"),
    files((i) => `${folderOf(i)}/${nameOf(i)}.jpg`),
  );
  await writeFile(at("dogs/labels.csv"), `id,breed\n${rows(0, 30, (i) => `${nameOf(i)},${breedOf(i)}`)}\n`);
  const split = (i: number) => (i >= 30 ? "test" : i % 5 === 0 ? "val" : "train");
  const all = rows(0, images, (i) => `${split(i)};${breedOf(i)};${folderOf(i)}/${nameOf(i)}.jpg`);
  await writeFile(at("all.csv"), `\ufeffsplit;label;path\r\n${all.replaceAll("\n", "\r\n")}\r\n`);
  // Hugging Face: a table in each part.
  await writeFiles(
    at("hf"),
    files((i) => `${folderOf(i)}/${nameOf(i)}.jpg`),
  );
  const lines = (from: number, to: number) =>
    rows(from, to, (i) => JSON.stringify({ file_name: `${nameOf(i)}.jpg`, label: breedOf(i) }));
  await writeFile(at("hf/train/metadata.jsonl"), lines(0, 30));
  await writeFile(at("hf/test/metadata.jsonl"), lines(30, images));
  execFileSync("tar", ["-C", at(""), "-czf", at("hf.tar.gz"), "hf"]);
});

const common = {
  network: colourNetwork,
  threads: 1,
  batchSize: 6,
  learningRate: 0.02,
  fit: "resize",
  augment: [],
  schedule: "constant",
} as const;

const layouts: readonly (readonly [
  name: string,
  options: TrainOptions,
  sizes: { readonly train: number; readonly watched: number; readonly test: number },
])[] = [
  ["ids", { dataset: "dogs", labels: "dogs/labels.csv" }, { train: 24, watched: 6, test: 6 }],
  ["splits", { dataset: "dogs", labels: "all.csv" }, { train: 24, watched: 6, test: 6 }],
  ["archive", { dataset: "hf.tar.gz" }, { train: 30, watched: 6, test: 6 }],
];

/** Options with absolute paths. */
function located({ dataset, labels, ...options }: TrainOptions): TrainOptions {
  return { ...options, dataset: at(dataset as string), ...(labels === undefined ? {} : { labels: at(labels) }) };
}

test("three layouts are trained on, evaluated on their own test images, and resumed", async () => {
  for (const [name, options, sizes] of layouts) {
    const run = at(`runs/${name}`);
    const { evaluation } = await trainClassifier({ ...common, ...located(options), epochs: 8, run });
    const config = await readRunConfig(run);
    assert.deepEqual(config?.dataset.classNames, breeds, name);
    assert.deepEqual([config.dataset.trainImages, config.dataset.testImages], [sizes.train, sizes.watched], name);
    // Colours are easy: nothing but a mixture of labels prevents it.
    assert.equal(evaluation?.top1Accuracy, 1, name);
    const classifier = await openClassifier(run);
    const measured = await classifier.evaluate().finally(() => classifier.close());
    assert.deepEqual([measured?.images, measured?.top1Accuracy], [sizes.test, 1], name);
    const longer = await trainClassifier({ run, resume: true, epochs: 9 });
    assert.equal(longer.end, "finished", name);
  }
});

test("a run is evaluated on another table; changed labels are refused on resume", async () => {
  const run = at("runs/ids");
  const classifier = await openClassifier(run);
  try {
    const other = await classifier.evaluate({ dataset: at("hf"), labels: at("all.csv") });
    assert.deepEqual([other?.images, other?.top1Accuracy], [6, 1]);
    const whole = await classifier.evaluate({ dataset: at("dogs"), labels: at("all.csv"), split: "train" });
    assert.deepEqual([whole?.images, whole?.top1Accuracy], [24, 1]);
  } finally {
    await classifier.close();
  }
  const swapped = rows(0, 30, (i) => `${nameOf(i)},${breedOf(i + 1)}`);
  await writeFile(at("dogs/labels.csv"), `id,breed\n${swapped}\n`);
  await assert.rejects(trainClassifier({ run, resume: true, epochs: 10 }), (error) => {
    assert.ok(
      error instanceof ConfigError && /expected the image files that the run was started with/.test(error.message),
      String(error),
    );
    return true;
  });
});

test("rows that cannot be used stop training with the first of them; few rows without an image do not", async () => {
  const train = (table: string, options: TrainOptions = {}) =>
    writeFile(at("bad.csv"), table).then(() =>
      trainClassifier({
        ...common,
        epochs: 1,
        run: at("runs/bad"),
        dataset: at("dogs"),
        labels: at("bad.csv"),
        ...options,
      }),
    );
  const good = `id,label\n${rows(0, 30, (i) => `${nameOf(i)},${breedOf(i)}`)}`;
  await assert.rejects(
    train(`${good}\n0000,pug\n`),
    /contradict an earlier row.*alexnet check lists them all.*row 32: train\/0000\.jpg, as bad\.csv, row 2, but with label "pug", there "beagle"/s,
  );
  await assert.rejects(
    train(`${good}\n9999,pug\n`),
    /expected an image for each of 31 rows, got none for 1;.*--max-bad.*row 32, column "id": no image "9999"/s,
  );
  await assert.rejects(
    trainClassifier({ ...common, dataset: "cifar10", labels: at("bad.csv"), run: at("runs/no") }),
    (error) => {
      assert.ok(
        error instanceof UsageError && /cifar10: --labels applies to folders and archives/.test(error.message),
        String(error),
      );
      return true;
    },
  );
  const { end } = await train(`${good}\n9999,pug\n`, { maxBad: 0.05 });
  assert.equal(end, "finished");
});

test("check reads the same table, prints every problem, and exits with 1", async () => {
  await writeFile(
    at("bad.csv"),
    `id,label\n${rows(0, 30, (i) => `${nameOf(i)},${breedOf(i)}`)}\n0000,pug\n9999,#N/A\n`,
  );
  const { exit, stdout, stderr } = await runMain("check", at("dogs"), "--labels", at("bad.csv"), "--json");
  assert.equal(exit, 1);
  assert.match(stderr, /bad\.csv: images from column "id" in train, labels from "label"/);
  const { parts, findings } = JSON.parse(stdout);
  assert.deepEqual(parts, [
    { name: "train", folder: "train", classes: breeds.map((name) => ({ name, pictures: 10 })) },
  ]);
  const found = (kind: string) => findings.filter((finding: { kind: string }) => finding.kind === kind);
  assert.deepEqual(found("contradictingRow")[0].paths, ["bad.csv, row 32"]);
  assert.deepEqual(found("badCell")[0].paths, ['bad.csv, row 33, column "label"']);
  assert.equal(found("imageWithoutRow").length, 6);
});
