/**
 * A folder of pictures from end to end: trained on, evaluated, predicted, resumed; in other folders too. Longer than other files:
 * all of it trains on one folder.
 */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import sharp from "sharp";
import { batches } from "../src/dataset/prepare/batches.ts";
import { createPreparation } from "../src/dataset/prepare/preparation.ts";
import { findDataset } from "../src/dataset/sources/datasets.ts";
import { ConfigError } from "../src/errors.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { decodeImage } from "../src/image/files/decode.ts";
import { fitNames } from "../src/image/prepare/fit.ts";
import { createPreprocessor } from "../src/image/prepare/preprocess.ts";
import { conv2d, flatten, linear, maxPool2d, relu } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { openClassifier } from "../src/model/classifier.ts";
import type { Network } from "../src/network/network.ts";
import { fillWords, randomStream } from "../src/random.ts";
import { changesOf } from "../src/settings/changes.ts";
import { resolve, storedPlan } from "../src/settings/resolve.ts";
import { readRunConfig, storedLimits } from "../src/settings/runConfig.ts";
import { type TrainOptions, type TrainResult, trainClassifier } from "../src/trainer/trainClassifier.ts";
import { previewAugmentation } from "../src/tuning/augmentPreview.ts";
import { bmpOf } from "./tiffBmpHeifFiles.ts";
import { lastWeights, timelessLog } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

const network: Network = {
  name: "colours",
  source: "",
  deviations: [],
  input: [3, 24, 24],
  layers: [
    conv2d("conv1", { outChannels: 8, kernelSize: 5, stride: 2 }),
    relu("relu1"),
    maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
    flatten("flatten"),
    linear("fc2", { outFeatures: 3 }),
  ] as readonly AnyLayer[],
};
const colours = { blue: [40, 60, 220], green: [50, 200, 60], red: [220, 40, 50] } as const;
type ColourName = keyof typeof colours;

let base: string;
let photos: string;
const cacheBefore = process.env["XDG_CACHE_HOME"];
before(async () => {
  base = await mkdtemp(join(tmpdir(), "alexnet-folders-"));
  process.env["XDG_CACHE_HOME"] = join(base, "cache");
  photos = join(base, "photos");
  for (const name of Object.keys(colours) as ColourName[])
    for (let i = 0; i < 20; i++) await writePhoto(photos, name, i);
  await writeFile(join(photos, "red", "notes.txt"), "not a picture");
});
after(async () => {
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
  await rm(base, { recursive: true });
});

/** A noisy picture in a colour, of a size and format of its own. */
async function writePhoto(root: string, name: ColourName, number: number): Promise<void> {
  const [width, height] = [20 + ((number * 7) % 40), 20 + ((number * 13) % 50)];
  const words = new Uint32Array(width * height * 3 + 1);
  fillWords(randomStream(number, name), 0, words);
  const data = Buffer.from(
    Uint8ClampedArray.from(
      { length: width * height * 3 },
      (_, i) => (colours[name][i % 3] as number) + ((words[i] as number) >>> 26) - 32,
    ),
  );
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  await mkdir(join(root, name), { recursive: true });
  const path = join(root, name, `${number}`);
  const kind = number % 6;
  if (kind === 0) await picture.jpeg({ quality: 95 }).toFile(`${path}.jpg`);
  else if (kind === 1) await picture.png().toFile(`${path}.png`);
  else if (kind === 2) await picture.webp({ lossless: true }).toFile(`${path}.webp`);
  else if (kind === 3) await picture.tiff({ compression: "lzw" }).toFile(`${path}.tif`);
  else if (kind === 4) await picture.avif({ quality: 90, effort: 0 }).toFile(`${path}.avif`);
  else await writeFile(`${path}.bmp`, bmpOf({ width, height, data }));
}

function trainOn(run: string, options: TrainOptions = {}): Promise<TrainResult> {
  return trainWithoutReport({
    dataset: photos,
    network,
    recipe: "photos",
    epochs: 12,
    batchSize: 8,
    threads: 1,
    precision: "f32",
    exact: true,
    run: join(base, run),
    ...options,
  });
}

test("it learns with every fit, and says what it did", async () => {
  for (const fit of fitNames.filter((name) => name !== "native")) {
    const messages: string[] = [];
    const observer = { onMessage: (message: string) => messages.push(message) };
    const { last } = await trainOn(fit, { fit, observer });
    assert.ok((last?.testAccuracy ?? 0) > 0.9, `${fit}: ${last?.testAccuracy}`);
    const config = await readRunConfig(join(base, fit));
    assert.ok(config);
    const { trainImages, testImages, watched, classNames } = config.dataset;
    assert.deepEqual([trainImages, testImages, watched, classNames], [48, 12, "test", ["blue", "green", "red"]]);
    assert.equal(config.preprocessing.fit.kind, fit);
    assert.equal(config.colours?.eigenvalues.length, 3);
    assert.match(messages.join("\n"), /notes\.txt/);
  }
});

test("what is prepared in evaluation is what is prepared in prediction, to the bit; so are the scores at one batch size", async () => {
  await trainOn("same", { fit: "crop" });
  const run = join(base, "same");
  const { preprocessing, dataset: trained, recipe } = (await readRunConfig(run)) ?? assert.fail();
  const dataset = await (await findDataset(photos)).load({ fitting: preprocessing, seed: recipe.seed });
  const prepare = createPreprocessor(preprocessing);
  const one = new Float32Array(3 * 24 * 24);
  const files: { readonly path: string; readonly className: string }[] = [];
  for await (const { images, indices, labels, count } of batches({
    split: dataset.test,
    preparation: createPreparation({ preprocessing }),
    batchSize: 5,
  })) {
    for (let row = 0; row < count; row++) {
      const path = dataset.test.path?.(indices[row] as number) ?? assert.fail();
      prepare(await decodeImage(path), one, 0);
      assert.deepEqual(images.subarray(row * one.length, (row + 1) * one.length), one, path);
      files.push({ path, className: trained.classNames[labels[row] as number] as string });
    }
  }
  dataset.close?.();
  const classifier = await openClassifier(run, { threads: 1 });
  let loss = 0;
  for (const { path, className } of files) {
    const scores = await classifier.predict(path);
    loss -= Math.log(scores.find((score) => score.className === className)?.probability ?? 0) / files.length;
  }
  const alone = (await classifier.evaluate()) ?? assert.fail();
  classifier.close();
  // The same logits: what is left is the rounding of two orders of the same sums in f64.
  assert.ok(Math.abs(alone.loss - loss) <= 1e-12 * loss, `${alone.loss} and ${loss}`);
  const batched = await openClassifier(run, { threads: 1, batchSize: 8 });
  const together = (await batched.evaluate()) ?? assert.fail();
  batched.close();
  assert.ok(Math.abs(together.loss - loss) <= 2e-6 * loss, `${together.loss} and ${loss}`);
});

test("interrupted in an epoch with everything random switched on, a run ends with the same weights and log", async () => {
  const options: TrainOptions = {
    fit: "random-resized-crop",
    augment: ["flip", "shift", "lighting", "jitter", "erase"],
    epochs: 3,
  };
  await trainOn("whole", options);
  const controller = new AbortController();
  let iterations = 0;
  const onProgress = () => {
    if (++iterations === 9) controller.abort();
  };
  const stopped = await trainOn("cut", { ...options, signal: controller.signal, observer: { onProgress } });
  assert.equal(stopped.end, "interrupt");
  await trainWithoutReport({ run: join(base, "cut"), resume: true });
  assert.ok((await lastWeights(join(base, "cut"))).equals(await lastWeights(join(base, "whole"))));
  assert.deepEqual(await timelessLog(join(base, "cut")), await timelessLog(join(base, "whole")));
  await trainOn("other", { ...options, augment: ["flip", "shift", "lighting", "jitter"] });
  assert.ok(!(await lastWeights(join(base, "other"))).equals(await lastWeights(join(base, "whole"))));
});

test("another folder: classes by name, in part and in another order; a class that is not known is an error", async () => {
  const classifier = await openClassifier(join(base, "crop"), { threads: 1 });
  const other = join(base, "other-photos");
  for (let i = 20; i < 26; i++) await writePhoto(other, "red", i);
  const evaluation = (await classifier.evaluate({ dataset: other })) ?? assert.fail();
  const counts = evaluation.perClass.map(({ className, images }) => [className, images]);
  assert.deepEqual(counts, [
    ["blue", 0],
    ["green", 0],
    ["red", 6],
  ]);
  assert.ok(evaluation.top1Accuracy > 0.9);
  await cp(join(other, "red"), join(other, "crimson"), { recursive: true });
  await assert.rejects(
    classifier.evaluate({ dataset: other }),
    /^ConfigError: .*also got crimson; evaluate leaves out images of other classes with --skip-unknown-classes$/,
  );
  const messages: string[] = [];
  const skipping = { skipUnknownClasses: true, onMessage: (message: string) => void messages.push(message) } as const;
  const rest = (await classifier.evaluate({ dataset: other, ...skipping })) ?? assert.fail();
  assert.deepEqual(rest, evaluation);
  assert.ok(
    messages.some((text) => text.endsWith("skipped 6 of 12 images, of classes that the weights lack: crimson")),
    messages.join("\n"),
  );
  await rm(join(other, "red"), { recursive: true });
  await assert.rejects(classifier.evaluate({ dataset: other, ...skipping }), /also got crimson/);
  await assert.rejects(classifier.evaluate({ split: "validation" }), ConfigError);
  const train = (await classifier.evaluate({ split: "train", limit: 30 })) ?? assert.fail();
  assert.equal(train.images, 30);
  assert.deepEqual(
    train.perClass.map(({ images }) => images),
    [10, 10, 10],
  );
  classifier.close();
});

test("with parts on top: watched by val, measured by test", async () => {
  const parts = join(base, "parts");
  for (const [part, count] of [
    ["train", 8],
    ["val", 3],
    ["test", 2],
  ] as const) {
    for (const name of Object.keys(colours) as ColourName[])
      for (let i = 0; i < count; i++) await writePhoto(join(parts, part), name, i);
  }
  await trainOn("parts-run", { dataset: parts, epochs: 1 });
  const config = await readRunConfig(join(base, "parts-run"));
  assert.deepEqual([config?.dataset.watched, config?.dataset.testImages], ["validation", 9]);
  const classifier = await openClassifier(join(base, "parts-run"), { threads: 1 });
  assert.equal((await classifier.evaluate())?.images, 6);
  assert.equal((await classifier.evaluate({ split: "validation" }))?.images, 9);
  classifier.close();
});

test("Training/ and val/ alone: val is the validation set, and measured by; of limits, each class gets some", async () => {
  const parts = join(base, "two-parts");
  const counts = { blue: 12, green: 3, red: 2 } as const;
  for (const name of Object.keys(colours) as ColourName[]) {
    for (let i = 0; i < counts[name]; i++) await writePhoto(join(parts, "Training"), name, i);
    for (let i = 0; i < 3; i++) await writePhoto(join(parts, "val"), name, i);
  }
  await trainOn("two-parts-run", { dataset: parts, epochs: 1, trainLimit: 6, testLimit: 4 });
  const { dataset } = (await readRunConfig(join(base, "two-parts-run"))) ?? assert.fail();
  assert.deepEqual(dataset.trainImagesPerClass, [4, 1, 1]);
  assert.deepEqual([dataset.watched, dataset.testImages, dataset.classNames.length], ["validation", 4, 3]);
  const resumed = await trainClassifier({ run: join(base, "two-parts-run"), resume: true });
  assert.equal(resumed.end, "already finished");
  for (const run of ["two-parts-run", "crop"]) {
    const classifier = await openClassifier(join(base, run), { threads: 1 });
    const imagesOf = async (split: "train" | "validation" | "test", limit?: number) =>
      (await classifier.evaluate({ split, dataset: parts, ...(limit === undefined ? {} : { limit }) }))?.images;
    assert.deepEqual([await imagesOf("validation"), await imagesOf("test"), await imagesOf("train")], [9, 9, 17]);
    assert.equal(await imagesOf("validation", 4), 4);
    for (const limit of [0, -1, 1.5, 2]) await assert.rejects(imagesOf("validation", limit), ConfigError);
    classifier.close();
  }
  for (const limits of [{ trainLimit: 0 }, { testLimit: -3 }, { trainLimit: 2.5 }, { trainLimit: 2 }]) {
    await assert.rejects(trainOn("refused", { dataset: parts, ...limits }), ConfigError);
  }
});

test("a folder named like a data set comes first, with a message; a run keeps the data set that it stored", async () => {
  const config = (await readRunConfig(join(base, "crop"))) ?? assert.fail();
  const stored = { ...config, dataset: { ...config.dataset, name: "flowers" } };
  const before = process.cwd();
  await mkdir(join(base, "cwd", "flowers"), { recursive: true });
  process.chdir(join(base, "cwd"));
  try {
    const plan = await resolve({ dataset: "flowers" });
    assert.equal(plan.source.name, join(process.cwd(), "flowers"));
    assert.match(plan.messages.join("\n"), /^flowers: using the folder .*, not the data set with this name; /);
    const named = await resolve({ dataset: "flowers", dataDir: "elsewhere" });
    assert.deepEqual([named.source.name, named.messages], ["flowers", []]);
    assert.equal((await storedPlan("run", stored)).source.name, "flowers");
    assert.deepEqual(await changesOf({ dataset: "flowers" }, stored), []);
    assert.equal((await changesOf({ dataset: "flowers" }, config)).length, 1);
    assert.equal((await resolve({ dataset: "flowers" }, { repeats: stored.dataset })).source.name, "flowers");
  } finally {
    process.chdir(before);
  }
});

test("limits of runs of earlier versions choose as those did", () => {
  const limits = { trainLimit: 6, testLimit: 4 };
  const dataset = {
    name: "",
    channels: 3,
    source: "",
    trainImages: 6,
    testImages: 4,
    watched: "test",
    classNames: [],
  } as const;
  const of = (more: object) => storedLimits({ ...dataset, ...limits, classNames: [], ...more });
  assert.deepEqual(of({ trainImagesPerClass: [4, 2] }), limits);
  assert.deepEqual(of({}), { trainLimit: { inOrder: 6 }, testLimit: { inOrder: 4 } });
});

test("native takes pictures of one size, and builds the network for it", async () => {
  await assert.rejects(
    trainOn("native", { fit: "native" }),
    /^ConfigError: .*expected images of one size for --fit native/,
  );
  const small = join(base, "small");
  for (const name of Object.keys(colours) as ColourName[]) {
    await mkdir(join(small, name), { recursive: true });
    for (const file of await readdir(join(photos, name))) {
      if (file.endsWith(".png"))
        await sharp(join(photos, name, file))
          .resize(30, 28, { fit: "fill" })
          .toFile(join(small, name, file));
    }
  }
  await trainOn("native", { dataset: small, fit: "native", epochs: 1 });
  const config = await readRunConfig(join(base, "native"));
  assert.deepEqual(config?.network.input, [3, 28, 30]);
  // Images of another size are stretched to it, as by the fit resize, with a note once.
  const messages: string[] = [];
  const onMessage = (message: string) => messages.push(message);
  const note = "fit native: images of another size than the network's 30×28 are resized to it";
  const classifier = await openClassifier(join(base, "native"), { threads: 1, onMessage });
  await importModel(classifier.file, join(base, "stretched"), { fit: "resize" });
  const resizing = await openClassifier(join(base, "stretched"), { threads: 1 });
  for (const file of [join(photos, "red", "0.jpg"), join(photos, "green", "1.png"), join(small, "red", "1.png")]) {
    assert.deepEqual(await classifier.predict(file), await resizing.predict(file), file);
  }
  assert.deepEqual(messages, [`${note} (got 20×20)`]);
  const measured = await classifier.evaluate({ dataset: photos, onMessage });
  const expected = await resizing.evaluate({ dataset: photos });
  assert.ok(measured && measured.images > 0);
  assert.deepEqual(measured, expected);
  assert.equal(messages.filter((message) => message.includes(note)).length, 2, "predict and evaluate");
  classifier.close();
  resizing.close();
});

test("native with a network that was asked for: it keeps its channels; grey pictures are packed once", async () => {
  const [grey, colour] = [join(base, "grey"), join(base, "small")];
  for (const name of Object.keys(colours) as ColourName[]) {
    await mkdir(join(grey, name), { recursive: true });
    for (const file of await readdir(join(colour, name)))
      await sharp(join(colour, name, file))
        .greyscale()
        .toColourspace("b-w")
        .toFile(join(grey, name, file));
  }
  const oneChannel: Network = { ...network, name: "one-channel", input: [1, 24, 24] };
  const messages: string[] = [];
  const observer = { onMessage: (message: string) => messages.push(message) };
  for (const [run, dataset, wanted, channels] of [
    ["luma", colour, oneChannel, 1],
    ["repeated", grey, network, 3],
    ["grey", grey, oneChannel, 1],
  ] as const) {
    await trainOn(run, { dataset, network: wanted, fit: "native", epochs: 1, observer });
    const config = await readRunConfig(join(base, run));
    assert.deepEqual([config?.network.input, config?.preprocessing.channels], [[channels, 28, 30], channels], run);
    const classifier = await openClassifier(join(base, run), { threads: 1 });
    const packing: number[] = [];
    const evaluation = await classifier.evaluate({ onPacking: (done, of) => packing.push(of - done) });
    classifier.close();
    assert.ok((evaluation?.images ?? 0) > 0);
    assert.deepEqual(packing, [0], "what training packed is enough");
  }
  assert.match(messages.join("\n"), /is in colour, one-channel expects one channel: converting colour to luma/);
  assert.match(messages.join("\n"), /has one channel, colours expects three: repeating the grey channel/);
});

test("a new run is named after its network, or native where that follows from the pictures' size", async () => {
  for (const [settings, name] of [
    [{ dataset: "cifar10", fit: "native" }, "native"],
    [{ dataset: "cifar10", fit: "native", network }, "colours"],
    [{ dataset: "cifar10" }, "alexnet-owt"],
    [{ dataset: "fashion-mnist" }, "alexnet-fashion"],
  ] as const) {
    assert.match((await resolve(settings)).directory, new RegExp(`^runs/${name}-\\d+$`));
  }
});

test("stopped before it began, nothing is left but what is packed", async () => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(trainOn("never", { fit: "crop", inputSize: 32, signal }), (error) => error === reason);
  assert.ok(!(await readdir(base)).includes("never"));
});

test("damaged pictures: left out and named up to a share, an error above; the folder is as it was", async () => {
  const damaged = join(base, "damaged");
  await cp(photos, damaged, { recursive: true });
  await truncate(join(damaged, "blue", "0.jpg"), 300);
  await assert.rejects(
    trainOn("damaged-run", { dataset: damaged }),
    /^DataError: .*1 of 60 .*--max-bad[\s\S]*blue\/0\.jpg/,
  );
  const before = await readdir(damaged, { recursive: true });
  const messages: string[] = [];
  const observer = { onMessage: (message: string) => messages.push(message) };
  await trainOn("damaged-run", { dataset: damaged, maxBad: 0.02, epochs: 1, observer });
  assert.match(messages.join("\n"), /1 image left out:\n {2}blue\/0\.jpg: /);
  const { trainImages = 0, testImages = 0 } = (await readRunConfig(join(base, "damaged-run")))?.dataset ?? {};
  assert.equal(trainImages + testImages, 59);
  assert.deepEqual(await readdir(damaged, { recursive: true }), before);
});

test("the mean image is the mean of what the fit keeps, and travels with the weights", async () => {
  await trainOn("mean", { fit: "resize", normalization: "mean-image", epochs: 1, learningRate: 1e-5 });
  const { preprocessing, recipe } = (await readRunConfig(join(base, "mean"))) ?? assert.fail();
  const dataset = await (await findDataset(photos)).load({ fitting: preprocessing, seed: recipe.seed });
  const { meanImage: _, ...plain } = preprocessing;
  const [sum, one] = [new Float64Array(3 * 24 * 24), new Float32Array(3 * 24 * 24)];
  const prepare = createPreprocessor(plain);
  for (let i = 0; i < dataset.train.length; i++) {
    prepare(dataset.train.image(i), one, 0);
    for (let p = 0; p < one.length; p++) sum[p] = (sum[p] as number) + (one[p] as number) / dataset.train.length;
  }
  dataset.close?.();
  const levels = Buffer.from(preprocessing.meanImage ?? "", "base64");
  // Rounded to whole levels, of numbers that are levels up to f32's rounding.
  for (const [p, level] of levels.entries()) assert.ok(Math.abs(level - (sum[p] as number)) <= 0.5001, `${p}`);
  await assert.rejects(
    trainOn("mean-pad", { fit: "pad", normalization: "mean-image" }),
    /^ConfigError: .*a mean image needs images of one size/,
  );
});

test("the contact sheet shows each picture, its test input and as many uses as asked, the same every time", async () => {
  const options = { dataset: photos, network, images: 4, uses: 3, fit: "pad", augment: ["jitter"] } as const;
  const { png, preprocessing, recipe } = await previewAugmentation(options);
  assert.deepEqual([preprocessing.fit.kind, Object.keys(recipe.augmentation)], ["pad", ["jitter"]]);
  const { width, height } = await decodeImage(await saved("sheet.png", png));
  // Twice: margins of 12, five cells of 48 with gaps of 6; a title, headings and four rows of cell, heading and gap.
  assert.deepEqual([width, height], [2 * (24 + 5 * 54 - 6), 2 * (12 + 28 + 6 + 4 * (48 + 14 + 6) + 12)]);
  assert.deepEqual(Buffer.from((await previewAugmentation(options)).png), Buffer.from(png));
});

async function saved(name: string, bytes: Uint8Array): Promise<string> {
  await writeFile(join(base, name), bytes);
  return join(base, name);
}
