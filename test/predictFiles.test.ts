/** `alexnet predict` on any number of files: in batches, as CSV, as JSON lines, and features of any layer. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { CheckpointError, ConfigError } from "../src/errors.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { findPictures, predictFiles, writeFeatures } from "../src/model/predictFiles.ts";
import type { Prediction } from "../src/training/evaluation/metrics.ts";
import { assertClose } from "./assertClose.ts";
import { builtCommand, type Outcome, run, start } from "./command.ts";
import { noise, writePicture } from "./packPictures.ts";
import { drawingNetwork, tinyNetwork } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;
let photos: string;
let bin: string;
const env = () => ({ XDG_CACHE_HOME: join(folder, "cache") });
const cacheBefore = process.env["XDG_CACHE_HOME"];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-predict-"));
  process.env["XDG_CACHE_HOME"] = env().XDG_CACHE_HOME;
  photos = join(folder, "photos");
  for (const [c, name] of ["cats, small", "dogs", "birds"].entries())
    for (let i = 0; i < 7; i++)
      await writePicture(photos, `${name}/${i}.png`, noise(15 * c + i, 30 + i, 45 - 2 * c, 3));
  const options = { dataset: photos, fit: "crop", epochs: 1, batchSize: 8, recipe: "photos", threads: 1 } as const;
  await trainWithoutReport({ ...options, network: tinyNetwork, run: join(folder, "tiny") });
  await trainWithoutReport({ ...options, network: drawingNetwork, run: join(folder, "drawing") });
  await mkdir(join(folder, "bad"));
  await writePicture(join(folder, "bad"), "good.png", noise(1, 30, 30, 3));
  await writeFile(join(folder, "bad", "text.png"), "no picture");
  await writeFile(join(folder, "bad", "notes.txt"), "passed over");
  bin = await builtCommand();
});
after(async () => {
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
  await rm(folder, { recursive: true });
});

function alexnet(args: string): Promise<Outcome> {
  return run([bin, ...args.split(" ")], { cwd: folder, env: env() });
}

/** What the evaluation of a run says of each of the photos, by file. */
async function evaluated(runName: string, batchSize: number): Promise<ReadonlyMap<string, Prediction>> {
  const classifier = await openClassifier(join(folder, runName), { threads: 1, batchSize });
  const predictions = new Map<string, Prediction>();
  const onPrediction = (prediction: Prediction) => predictions.set(prediction.file as string, prediction);
  await classifier.evaluate({ dataset: photos, split: "train", onPrediction });
  await classifier.evaluate({ dataset: photos, onPrediction });
  classifier.close();
  return predictions;
}

// In a batch of 8, an image has other neighbours and another place than in the evaluation, and without AVX-512 other roundings.
for (const [batchSize, absolute] of [
  [1, 0],
  [8, 1e-6],
] as const) {
  test(`files are classified as the evaluation does, in batches of ${batchSize} ${absolute ? "close" : "to the bit"}`, async () => {
    const expected = await evaluated("tiny", batchSize);
    assert.equal(expected.size, 21);
    const files = await findPictures([photos]);
    const got = [];
    for await (const predictions of predictFiles(join(folder, "tiny"), files, { threads: 1, batchSize }))
      got.push(...predictions);
    assert.deepEqual(
      got.map(({ file }) => file),
      [...expected.keys()].sort(),
    );
    for (const prediction of got) {
      assert.ok("classes" in prediction);
      const [first] = prediction.classes;
      const { predicted, probability } = expected.get(prediction.file) as Prediction;
      assert.equal(first?.className, predicted, prediction.file);
      assertClose([first?.probability ?? 0], [probability], { absolute }, prediction.file);
    }
  });
}

test("where dropout stays active, a file has one answer, in whatever company", async () => {
  const files = await findPictures([join(photos, "dogs")]);
  const classifier = await openClassifier(join(folder, "drawing"), { threads: 1 });
  const options = { threads: 1, seed: 3, samples: 2 };
  for await (const predictions of predictFiles(join(folder, "drawing"), files, options)) {
    for (const prediction of predictions) {
      assert.deepEqual(prediction, {
        file: prediction.file,
        classes: await classifier.predict(prediction.file, options),
      });
    }
  }
  classifier.close();
});

test("--csv: a row for each image, in order; what is none is told, left out, and exit 1", async () => {
  const { exit, stdout, stderr } = await alexnet("predict tiny photos bad gone.png --csv out.csv --top 2 --threads 1");
  assert.equal(exit, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /alexnet: bad\/text\.png: expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF/);
  assert.match(stderr, /alexnet: gone\.png: /);
  assert.match(stderr, /22 images classified, in out\.csv; 2 left out\n$/);
  const lines = (await readFile(join(folder, "out.csv"), "utf8")).split("\r\n");
  assert.equal(lines.length, 24);
  assert.equal(lines[0], "file,class,probability,class_2,probability_2");
  assert.match(
    lines[1] as string,
    /^photos\/birds\/0\.png,(?:dogs|birds|"cats, small"),0\.\d+,(?:dogs|birds|"cats, small"),0\.\d+$/,
  );
  assert.match(lines[8] as string, /^"photos\/cats, small\/0\.png",/);
  assert.match(lines[22] as string, /^bad\/good\.png,/);
  assert.ok(!(await readdir(folder)).some((name) => name.includes("alexnet-tmp")));
});

test("--csv -: the table is printed, and nothing else; with --json it is refused; a reader that goes away ends it", async () => {
  const [printed, written] = [
    await alexnet("predict tiny photos --csv - --batch-size 8 --threads 1"),
    await alexnet("predict tiny photos --csv same.csv --batch-size 8 --threads 1"),
  ];
  assert.deepEqual([printed.exit, written.exit], [0, 0]);
  assert.equal(printed.stdout, await readFile(join(folder, "same.csv"), "utf8"));
  assert.match(printed.stderr, /(?:^|\n)21 images classified\n$/);
  assert.ok(!(await readdir(folder)).some((name) => name.startsWith("-")));
  const both = await alexnet("predict tiny photos --csv - --json");
  assert.deepEqual([both.exit, both.stdout], [2, ""]);
  assert.match(both.stderr, /--csv - and --json both write to standard output/);
  const { process: child, outcome } = start([bin, ..."predict tiny photos --csv - --threads 1".split(" ")], {
    cwd: folder,
    env: env(),
  });
  child.stdout?.destroy();
  const { exit, stderr } = await outcome;
  assert.equal(exit, 141, stderr);
  assert.doesNotMatch(stderr, /Error/);
});

test("--json: a line for each image of a folder", async () => {
  const { exit, stdout } = await alexnet("predict tiny photos --json --top 1 --threads 1");
  assert.equal(exit, 0);
  const lines: { file: string; classes: { className: string }[] }[] = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(lines.length, 21);
  assert.deepEqual(
    lines.map(({ file }) => file),
    [...lines.map(({ file }) => file)].sort(),
  );
  assert.ok(lines.every(({ classes }) => classes.length === 1));
});

test("a table that cannot be finished leaves the one before", async () => {
  await writeFile(join(folder, "old.csv"), "old");
  await writeFile(join(folder, "broken.safetensors"), "no weights");
  const { exit } = await alexnet("predict broken.safetensors photos --csv old.csv");
  assert.equal(exit, 1);
  assert.equal(await readFile(join(folder, "old.csv"), "utf8"), "old");
  const stop = new AbortController();
  const output = join(folder, "stopped.npy");
  const options = {
    layer: "fc2",
    output,
    threads: 1,
    batchSize: 4,
    signal: stop.signal,
    onProgress: () => stop.abort(),
  };
  await assert.rejects(writeFeatures(join(folder, "tiny"), await findPictures([photos]), options), {
    name: "AbortError",
  });
  assert.ok(!(await readdir(folder)).some((name) => name.startsWith("stopped")));
  await assert.rejects(alexnetFeatures("fc2", join(folder, "nowhere", "x.npy")), CheckpointError);
});

function alexnetFeatures(layer: string, output: string, engine: "onednn" | "reference" = "onednn") {
  return findPictures([photos]).then((files) =>
    writeFeatures(join(folder, "tiny"), files, { layer, output, engine, threads: 1, batchSize: 4 }),
  );
}

test("features of a layer, as .npy and .safetensors, are the reference engine's", async () => {
  for (const [layer, shape] of [
    ["conv1", [8, 12, 12]],
    ["pool1", [8, 5, 5]],
    ["fc2", [16]],
    ["fc3", [3]],
  ] as const) {
    const [npy, safetensors] = [join(folder, `${layer}.npy`), join(folder, `${layer}.safetensors`)];
    const result = await alexnetFeatures(layer, npy);
    assert.deepEqual(result, { shape, written: 21, failed: 0 });
    await alexnetFeatures(layer, safetensors, "reference");
    const bytes = await readFile(npy);
    const start = 10 + bytes.readUInt16LE(8);
    assert.match(bytes.toString("latin1", 10, start), new RegExp(`'shape': \\(${[21, ...shape].join(", ")}\\), }`));
    const got = new Float32Array(Uint8Array.from(bytes.subarray(start)).buffer);
    const expected = await withReader(safetensors, (reader) => reader.read(layer));
    // The run's format: in bf16, 8 bits of mantissa in a handful of layers; in f32, sums of a few hundred products.
    const { precision } = (await openedModel()).model;
    const largest = expected.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    assertClose(got, expected, { absolute: largest * (precision === "bf16" ? 0.03 : 1e-5) }, layer);
    assert.deepEqual(
      JSON.parse(await readFile(join(folder, `${layer}.files.json`), "utf8")),
      (await findPictures([photos])).map(({ path }) => path),
    );
  }
});

async function openedModel() {
  const classifier = await openClassifier(join(folder, "tiny"), { threads: 1 });
  classifier.close();
  return classifier;
}

test("--features: what goes together, and names that are not there", async () => {
  const { exit, stderr } = await alexnet("predict tiny bad --features fc2 --output fc2.npy --threads 1");
  assert.equal(exit, 1, "one file is none");
  assert.match(stderr, /fc2 of 1 images, \[1, 16\], in fc2\.npy; 1 left out\nfile names are in fc2\.files\.json\n$/);
  for (const [args, message] of [
    ["--features fc2", /--features LAYER and --output FILE require each other/],
    ["--output fc2.npy", /--features LAYER and --output FILE require each other/],
    ["--features fc2 --output fc2.npy --csv a.csv", /remove --csv and --json/],
    ["--features fc2 --output fc2.npy --samples 4", /remove --samples and --threshold/],
    ["--features fc2 --output fc2.npy --threshold 0.5", /remove --samples and --threshold/],
  ] as const) {
    const outcome = await alexnet(`predict tiny photos ${args}`);
    assert.equal(outcome.exit, 2);
    assert.match(outcome.stderr, message);
  }
  await assert.rejects(
    alexnetFeatures("fc9", join(folder, "a.npy")),
    /layer "fc9": tiny has no layer with this name; expected one of conv1, .*fc3/,
  );
  await assert.rejects(alexnetFeatures("fc2", join(folder, "a.txt")), ConfigError);
  await mkdir(join(folder, "empty"));
  await assert.rejects(
    findPictures([join(folder, "empty")]),
    /empty: expected images in it or its subfolders, found none/,
  );
});
