/** Training on a caller's own data: what is refused, with which error, and what is left of the run. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  AlexNetError,
  type ArrayOptions,
  CheckpointError,
  ConfigError,
  createClassifier,
  createDataset,
  createReferenceEngine,
  DataError,
  type Dataset,
  DivergenceError,
  type Engine,
  fromArrays,
  fromIterable,
  type LabelledImage,
  type OwnDataset,
  type Pixels,
  parseNetwork,
  ShapeError,
  type Split,
  trainNetwork,
} from "../src/core.ts";
import { readModel, writeModel } from "../src/formats.ts";
import { openClassifier, type TrainOptions, trainClassifier } from "../src/index.ts";
import { lastWeights } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

const size = { width: 4, height: 4 } as const;
const count = 40;
const labels = Uint8Array.from({ length: count }, (_, n) => n % 2);
const images = Uint8Array.from({ length: 16 * count }, (_, i) => ((i >> 4) % 2 === 0 ? 30 : 200) + ((i * 7) % 40));
const network = parseNetwork({
  name: "linear",
  input: [1, 4, 4],
  layers: [
    { name: "flatten", kind: "flatten" },
    { name: "fc1", kind: "linear", outFeatures: 2 },
  ],
});
const settings = { recipe: "fashion", epochs: 2, batchSize: 8 } as const;
const engine = createReferenceEngine();
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-library-"));
});
after(async () => {
  engine.close();
  await rm(folder, { recursive: true });
});

const floats = (change: (values: Float32Array) => void): Float32Array => {
  const values = Float32Array.from(images, (level) => level / 255);
  change(values);
  return values;
};
const replacedAt = <A extends Uint8Array | number[]>(values: A, at: number, value: number): A => {
  values[at] = value;
  return values;
};

const refusedArrays: readonly (readonly [what: string, make: () => unknown, message: RegExp, kind?: unknown])[] = [
  [
    "fewer labels",
    () => fromArrays(images, labels.subarray(1), size),
    /^data: training: expected the same number of values for each of 39 labels, got 640 values$/,
  ],
  [
    "images of another size",
    () => fromArrays(images, labels, { width: 5, height: 4 }),
    /^data: training image 0: image: data: expected 1, 2, 3 or 4 times 5×4 = 20 bytes, got 16$/,
  ],
  [
    "fewer images",
    () => fromArrays([images.subarray(0, 16)], [0, 1], size),
    /^data: training: expected one label for each image, got 1 images and 2 labels$/,
  ],
  [
    "no size",
    () => fromArrays(images, labels),
    /^data: training image 0: expected the size of the images; give width and height/,
  ],
  [
    "a negative label",
    () => fromArrays(images, replacedAt([...labels], 3, -1), size),
    /^data: training image 3: label: expected a whole number from 0 to 1, got -1$/,
  ],
  [
    "a label beyond the classes",
    () => fromArrays(images, replacedAt(labels.slice(), 7, 2), { ...size, classNames: ["a", "b"] }),
    /^data: training image 7: label: expected a whole number from 0 to 1, got 2$/,
  ],
  [
    "a label that is no number",
    () => fromArrays(images, replacedAt([...labels], 5, Number.NaN), size),
    /^data: training image 5: label: .* got NaN$/,
  ],
  [
    "the name of no class",
    () =>
      fromArrays(
        images,
        Array.from(labels, (l) => (l ? "yes" : "no")),
        { ...size, classNames: ["no", "maybe"] },
      ),
    /^data: training image 1: label: expected one of no, maybe, got "yes"$/,
  ],
  [
    "NaN among the pixels",
    () =>
      fromArrays(
        floats((v) => void v.fill(Number.NaN, 37, 38)),
        labels,
        size,
      ),
    /^data: training image 2: expected values from 0 \(black\) to 1 \(white\), got NaN at 5; /,
  ],
  [
    "infinite pixels",
    () =>
      fromArrays(
        floats((v) => void v.fill(Number.POSITIVE_INFINITY, 16, 17)),
        labels,
        size,
      ),
    /^data: training image 1: .* got Infinity at 0; /,
  ],
  [
    "levels as floats",
    () => fromArrays(Float32Array.from(images), labels, size),
    /^data: training image 0: expected values from 0 \(black\) to 1 \(white\), got 30 at 0; divide levels by 255/,
  ],
  [
    "16-bit pixels",
    () => fromArrays(Uint16Array.from(images) as unknown as Pixels, labels, size),
    /^data: training image 0: expected a Uint8Array .* got Uint16Array$/,
  ],
  [
    "a bad validation set",
    () =>
      fromArrays(images, labels, {
        ...size,
        validation: { images: images.subarray(0, 32), labels: [0, 9] },
        classNames: ["a", "b"],
      }),
    /^data: validation image 1: label: /,
  ],
  [
    "nothing",
    () => fromArrays(new Uint8Array(0), [], { ...size, classNames: ["a", "b"] }),
    /^data: expected training images, got none$/,
  ],
  [
    "one class",
    () =>
      fromArrays(
        images,
        labels.map(() => 0),
        size,
      ),
    /^data: expected at least 2 classes, got 1$/,
    ConfigError,
  ],
  [
    "a class twice",
    () => fromArrays(images, labels, { ...size, classNames: ["a", "a"] }),
    /^data: class "a" is there twice/,
    ConfigError,
  ],
  [
    "a fraction of 1",
    () => fromArrays(images, labels, { ...size, validationFraction: 1 }),
    /^validationFraction: expected a number from 0 up to, not including, 1, got 1$/,
    ConfigError,
  ],
];
for (const [what, make, message, kind = DataError] of refusedArrays) {
  test(`refused arrays: ${what}`, () => {
    assert.throws(make, (error) => {
      assert.ok(error instanceof AlexNetError && error instanceof (kind as typeof AlexNetError), String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

test("bytes, floats, single images and names of classes give the same data set", () => {
  const names = Array.from(labels, (label) => (label === 0 ? "dark" : "light"));
  const single = Array.from(labels, (_, n) => ({ ...size, data: images.subarray(16 * n, 16 * (n + 1)) }));
  const options: ArrayOptions = { ...size, classNames: ["dark", "light"] };
  const [first, ...others] = [
    fromArrays(images, labels, options),
    fromArrays(
      floats(() => {}),
      [...labels],
      options,
    ),
    fromArrays(single, names),
    fromArrays(
      single.map(({ data }) => data),
      names,
      size,
    ),
  ] as const;
  const content = ({ train, validation, test: tested, classNames, mean, deviation, imageSize }: Dataset) => ({
    ...{ classNames, mean, deviation, imageSize },
    parts: [train, validation ?? train, tested].map((split) =>
      Array.from({ length: split.length }, (_, i) => [split.label(i), [...split.image(i).data]]),
    ),
  });
  for (const other of others) assert.deepEqual(content(other), content(first));
  assert.deepEqual([first.train.length, first.validation?.length], [32, 8]);
  // A fifth of each class.
  assert.equal(
    Array.from({ length: 8 }, (_, i) => first.validation?.label(i)).filter((label) => label === 1).length,
    4,
  );
});

test("images are held out of every class with two or more; other seeds choose others", () => {
  const own = [...Array(20).fill("a"), "b", "b", "c"];
  const pixels = Uint8Array.from({ length: 16 * own.length }, (_, i) => i >> 4);
  const heldBy = (seed: number) => {
    const { train, validation } = fromArrays(pixels, own, { ...size, seed });
    const positions = (split = train) =>
      Array.from({ length: split.length }, (_, i) => split.image(i).data[0] as number);
    const held = positions(validation);
    assert.deepEqual(
      [...positions(), ...held].sort((a, b) => a - b),
      [...own.keys()],
    );
    assert.deepEqual(
      held.map((at) => own[at]),
      ["a", "a", "a", "a", "b"],
    );
    return held;
  };
  assert.deepEqual(heldBy(0), heldBy(0));
  assert.notDeepEqual(heldBy(0), heldBy(1));
});

async function* someImages(n: number, then?: () => void): AsyncGenerator<LabelledImage> {
  for (let i = 0; i < n; i++) {
    yield { image: { ...size, data: images.subarray(16 * i, 16 * (i + 1)) }, label: labels[i] as number };
  }
  then?.();
}

test("an iterable that throws, ends early or holds no images", async () => {
  const cause = new Error("disk unplugged");
  const throwing = someImages(3, () => {
    throw cause;
  });
  await assert.rejects(fromIterable(throwing), (error) => {
    assert.ok(error instanceof DataError && error.cause === cause);
    assert.equal(error.message, "data: image 3: disk unplugged");
    return true;
  });
  await assert.rejects(fromIterable(someImages(3), { length: 5 }), {
    name: "DataError",
    message: "data: expected 5 images, but the iterable ended after 3",
  });
  const bad = [{ image: { ...size, data: new Uint8Array(3) }, label: 0 }];
  await assert.rejects(fromIterable(bad), { name: "DataError", message: /^data: image 0: image: data: expected / });
});

test("an iterable that hangs ends with the signal's reason, and is closed", async () => {
  const controller = new AbortController();
  let isClosed = false;
  const hanging: AsyncIterable<LabelledImage> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: async () => {
        isClosed = true;
        return { done: true, value: undefined };
      },
    }),
  };
  const reading = fromIterable(hanging, { signal: controller.signal });
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 5);
  await assert.rejects(reading, (error) => error === reason);
  assert.ok(isClosed);
  await assert.rejects(fromIterable(someImages(9), { signal: controller.signal }), (error) => error === reason);
});

/** A data set whose parts answer as `changed` says. */
function ownDataset(changed: Partial<OwnDataset["train"]> = {}): OwnDataset {
  const data = fromArrays(images, labels, size);
  return { name: "own", classNames: ["a", "b"], train: { ...data.train, ...changed }, validation: data.test };
}

test("a data set of one's own: labels, images and errors of its code", async () => {
  const data = await createDataset(ownDataset({ label: (index) => (index === 4 ? 2 : 0) }));
  assert.throws(() => data.train.label(4), {
    name: "DataError",
    message: "own: training image 4: label: expected a whole number from 0 to 1, got 2",
  });
  const bad = ownDataset({ image: () => ({ ...size, data: new Uint8Array(15) }) });
  await assert.rejects(createDataset(bad), {
    name: "DataError",
    message: /^own: training image 0: image: data: expected /,
  });
  const cause = new Error("404");
  const failing = ownDataset({ prefetch: () => Promise.reject(cause) });
  await assert.rejects(createDataset(failing), (error) => error instanceof DataError && error.cause === cause);
});

test("training in memory: settings, weights and data that do not fit", async () => {
  const dataset = fromArrays(images, labels, size);
  const given = { network, dataset, engine, ...settings };
  const refused = async (options: Partial<Parameters<typeof trainNetwork>[0]>, kind: unknown, message: RegExp) =>
    assert.rejects(trainNetwork({ ...given, ...options }), (error) => {
      assert.ok(error instanceof AlexNetError && error instanceof (kind as typeof AlexNetError), String(error));
      assert.match(error.message, message);
      return true;
    });
  await refused({ epochs: -1 }, ConfigError, /^recipe fashion: .*epochs/s);
  await refused({ epoch: 3 } as object, ConfigError, /^recipe fashion: .*"epoch"/s);
  await refused({ recipe: "none" }, ConfigError, /none/);
  await refused(
    { weights: new Map([["fc1.weight", new Float32Array(3)]]) },
    CheckpointError,
    /^weights: the weights do not fit linear:\n {2}fc1\.weight: expected 32 values, \[2, 16\], got 3\n {2}fc1\.bias: missing, expected \[2\]$/,
  );
  const misfit = {
    ...network,
    layers: [...network.layers, { name: "conv", kind: "conv2d", outChannels: 1, kernelSize: 1 }],
  };
  await refused({ network: misfit as unknown as typeof network }, ShapeError, /^conv/);
  let reads = 0;
  const own = await createDataset(ownDataset());
  const failing = {
    ...own,
    train: { ...own.train, image: (index: number) => (++reads > 12 ? assert.fail("gone") : own.train.image(index)) },
  };
  await refused({ dataset: failing }, DataError, /^own: training image \d+: gone$/);
  await refused(
    { learningRate: 1e38, epochs: 20 },
    DivergenceError,
    /^training: .* after iteration \d+; train again with a lower learningRate than 1e\+38$/,
  );
  const none = { ...dataset.train, length: 0 };
  await refused({ dataset: { ...dataset, train: none } }, DataError, /^data: expected training images, got none$/);
  await refused({ dataset: { ...dataset, classNames: ["a", "a"] } }, ConfigError, /^data: class "a" is there twice/);
  const withoutTest = await trainNetwork({ ...given, dataset: { ...dataset, validation: none, test: none } });
  assert.equal(withoutTest.evaluation?.images, dataset.train.length);
  let isOffline = false;
  const prefetch = async () => assert.ok(!isOffline, "offline");
  const remote = await createDataset(ownDataset({ prefetch }));
  isOffline = true;
  await refused({ dataset: remote }, DataError, /^own: training images: offline$/);
  let wrong = 0;
  const relabelled = await createDataset(ownDataset({ label: () => wrong }));
  wrong = 2;
  await refused(
    { dataset: relabelled },
    DataError,
    /^own: training image \d+: label: expected a whole number from 0 to 1, got 2$/,
  );
});

test("training in memory: aborted at any moment, it ends with a usable model", async () => {
  const dataset = fromArrays(images, labels, size);
  const run = (stop: "onProgress" | "onEvaluationProgress" | "onEpoch" | undefined) => {
    const controller = new AbortController();
    if (!stop) controller.abort();
    const observer = stop ? { [stop]: () => controller.abort() } : {};
    return trainNetwork({ network, dataset, engine, ...settings, observer, signal: controller.signal });
  };
  for (const stop of [undefined, "onProgress", "onEvaluationProgress", "onEpoch"] as const) {
    const { end, model } = await run(stop);
    assert.equal(end, "interrupt", stop);
    const classifier = await createClassifier(model, { engine });
    assert.equal((await classifier.predict({ ...size, data: images.slice(0, 16) })).length, 2);
    await classifier.close();
  }
});

test("training in memory gives the weights of a run directory, to the bit; a file keeps them", async () => {
  const dataset = fromArrays(images, labels, size);
  const run = join(folder, "same");
  await trainClassifier({ dataset, network, ...settings, run, engine: "reference", precision: "f32" });
  const { model } = await trainNetwork({ network, dataset, engine, ...settings });
  const stored = await readModel(run);
  assert.deepEqual(model.weights, stored.weights);
  const file = join(folder, "model.safetensors");
  await writeModel(file, model);
  assert.deepEqual((await readModel(file)).weights, model.weights);
  const [opened, created] = [
    await openClassifier(file, { engine: "reference" }),
    await createClassifier(model, { engine }),
  ];
  const pixels = { ...size, data: images.slice(0, 16) };
  assert.deepEqual(await opened.predict(pixels), await created.predict(pixels));
  const [ofRun, ofMemory] = [await opened.evaluate({ dataset }), await created.evaluate(dataset.test)];
  assert.deepEqual(ofRun, ofMemory);
  await assert.rejects(created.predict({ width: 4, height: 4 } as never), { name: "DataError" });
  await Promise.all([opened.close(), created.close()]);
  await assert.rejects(created.predict(pixels), { name: "ClosedError" });
});

test("evaluating a split of one's own: images and labels that are none are refused, and so is an empty split", async () => {
  const dataset = fromArrays(images, labels, size);
  const { model } = await trainNetwork({ network, dataset, engine, ...settings });
  const classifier = await createClassifier(model, { engine });
  const refused = (changed: Partial<Split>, message: RegExp) =>
    assert.rejects(classifier.evaluate({ ...dataset.test, ...changed }), { name: "DataError", message });
  await refused({ length: 0 }, /^split: expected images, got none$/);
  await refused({ length: -1 }, /^split: length: expected a whole number of images, got -1$/);
  await refused({ label: () => Number.NaN }, /^split image 0: label: expected a whole number from 0 to 1, got NaN$/);
  await refused({ label: (index) => (index === 3 ? 2 : 0) }, /^split image 3: label: .* got 2$/);
  const short = { ...size, channels: 1, data: new Uint8Array(15) } as const;
  await refused({ image: () => short }, /^split image 0: image: data: expected 4×4×1 = 16 bytes, got 15$/);
  await classifier.close();
});

test("a classifier whose weights cannot be written frees its program", async () => {
  let isClosed = false;
  const failing: Engine = {
    ...engine,
    async compile(request) {
      const program = await engine.compile(request);
      const close = program.close.bind(program);
      return Object.assign(program, {
        write: () => Promise.reject(new Error("device lost")),
        close() {
          isClosed = true;
          close();
        },
      });
    },
  };
  const { model } = await trainNetwork({ network, dataset: fromArrays(images, labels, size), engine, ...settings });
  await assert.rejects(createClassifier(model, { engine: failing }), /^Error: device lost$/);
  assert.ok(isClosed);
});

test("a run on a data set object: data that fail or an abort leave its checkpoint, and it resumes as one that never stopped", async () => {
  const dataset = fromArrays(images, labels, size);
  const common: TrainOptions = { network, ...settings, epochs: 4, engine: "onednn", threads: 1, precision: "f32" };
  const [whole, stopped] = [join(folder, "whole"), join(folder, "stopped")];
  await trainWithoutReport({ ...common, dataset, run: whole });
  const controller = new AbortController();
  const observer = { onEpoch: () => controller.abort() };
  await trainClassifier({ ...common, dataset, run: stopped, signal: controller.signal, observer });
  const saved = await lastWeights(stopped);
  let reads = 0;
  const image = (index: number) => (++reads > 20 ? assert.fail("unplugged") : dataset.train.image(index));
  const failing = { ...dataset, train: { ...dataset.train, image } };
  await assert.rejects(trainClassifier({ ...common, dataset: failing, run: stopped, resume: true }), {
    name: "DataError",
    message: /^data: training image \d+: unplugged$/,
  });
  assert.ok((await lastWeights(stopped)).equals(saved));
  // Others than those of the run: another name, other classes, other numbers of images.
  const refused = (other: Dataset, message: RegExp) =>
    assert.rejects(trainClassifier({ ...common, dataset: other, run: stopped, resume: true }), {
      name: "ConfigError",
      message,
    });
  await refused(
    { ...dataset, name: "other" },
    /^resume: DATASET is memory:other, the run was started with memory:data; /,
  );
  await refused(
    { ...dataset, classNames: ["a", "b"] },
    /expected the classes that the run was started with \(0, 1\), got a, b$/,
  );
  await refused(
    fromArrays(images.subarray(16), labels.subarray(1), size),
    /expected the 32 training and 8 test images/,
  );
  await trainWithoutReport({ ...common, dataset, run: stopped, resume: true });
  assert.ok((await lastWeights(stopped)).equals(await lastWeights(whole)));
  assert.equal(JSON.parse(await readFile(join(whole, "config.json"), "utf8")).dataset.name, "memory:data");
  const classifier = await openClassifier(whole, { engine: "reference" });
  await assert.rejects(classifier.evaluate(), {
    name: "ConfigError",
    message: /^memory:data: a data set in the memory of the program/,
  });
  assert.equal((await classifier.evaluate({ dataset, split: "train" }))?.images, 32);
  await classifier.close();
});
