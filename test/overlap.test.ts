/** Hundreds of overlapping calls: each gets the answer that it gets alone, to the bit. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Worker } from "node:worker_threads";
import { AlexNetError, ClosedError, DataError } from "../src/errors.ts";
import type { Image } from "../src/image/image.ts";
import { type Classifier, openClassifier } from "../src/model/classifier.ts";
import { openLayerOutputs } from "../src/model/layerOutputs.ts";
import type { ClassScore } from "../src/model/predictRows.ts";
import type { Prediction } from "../src/training/evaluation/metrics.ts";
import { startOf } from "../src/workerModule.ts";
import { modelOf, writeDrawn } from "./drawnModel.ts";
import { noise, writePicture } from "./packPictures.ts";
import { drawingNetwork, tinyNetwork } from "./tinyRuns.ts";

const CALLS = 200;
const engines = ["onednn", "wasm", "reference"] as const;
const classNames = Array.from({ length: 10 }, (_, c) => `class ${c}`);
let folder: string;
let photos: string;
let tiny: string;
let drawing: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-overlap-"));
  photos = join(folder, "photos");
  for (const [c, name] of classNames.entries())
    for (let i = 0; i < 4; i++) await writePicture(photos, `${name}/${i}.png`, noise(100 * c + i, 28, 28, 1));
  [tiny, drawing] = [join(folder, "tiny.safetensors"), join(folder, "drawing.safetensors")];
  await writeDrawn(modelOf(tinyNetwork, { classNames }), tiny);
  await writeDrawn(modelOf(drawingNetwork, { classNames }), drawing);
});
after(() => rm(folder, { recursive: true }));

const images: readonly Image[] = Array.from({ length: CALLS }, (_, i) => noise(i, 28, 28, 1));

async function oneByOne(classifier: Classifier, options = {}) {
  const answers: (readonly ClassScore[])[] = [];
  for (const image of images) answers.push(await classifier.predict(image, options));
  return answers;
}

for (const engine of engines) {
  test(`${engine}: ${CALLS} predictions at once, in order, to the bit; of images that are drawn too`, async () => {
    for (const [file, options] of [
      [tiny, {}],
      [drawing, { samples: 3, seed: 5 }],
    ] as const) {
      for (const batchSize of [1, 8]) {
        const classifier = await openClassifier(file, { engine, threads: 1, batchSize });
        const expected = await oneByOne(classifier, options);
        const order: number[] = [];
        const got = await Promise.all(
          images.map(async (image, i) => {
            const answer = await classifier.predict(image, options);
            order.push(i);
            return answer;
          }),
        );
        assert.deepEqual(got, expected);
        assert.deepEqual(
          order,
          images.map((_, i) => i),
        );
        assert.ok(new Set(got.map((answer) => JSON.stringify(answer))).size > CALLS / 2, "the images differ");
        await classifier.close();
      }
    }
  });

  test(`${engine}: two evaluations and predictions beside each other, on two classifiers`, async () => {
    const data = { dataset: photos, divided: false };
    const [one, two] = [
      await openClassifier(tiny, { engine, threads: 1, batchSize: 8 }),
      await openClassifier(drawing, { engine, threads: 1, batchSize: 1 }),
    ];
    const evaluationOf = async (classifier: Classifier) => {
      const predictions: Prediction[] = [];
      const evaluation = await classifier.evaluate({ ...data, onPrediction: (each) => predictions.push(each) });
      return { evaluation, predictions };
    };
    const expected = [await evaluationOf(one), await evaluationOf(two), await oneByOne(one), await oneByOne(two)];
    const together = Promise.all([evaluationOf(one), evaluationOf(two), evaluationOf(one), evaluationOf(two)]);
    // Predictions at every moment of the evaluations, loading included.
    const [answers, others]: Promise<readonly ClassScore[]>[][] = [[], []];
    for (const image of images) {
      answers?.push(one.predict(image));
      others?.push(two.predict(image));
      await new Promise(setImmediate);
    }
    const [first, second, third, fourth] = await together;
    assert.deepEqual([first, second], expected.slice(0, 2));
    assert.deepEqual([third, fourth], expected.slice(0, 2));
    assert.deepEqual([await Promise.all(answers ?? []), await Promise.all(others ?? [])], expected.slice(2));
    await Promise.all([one.close(), two.close()]);
  });

  test(`${engine}: layers' outputs of overlapping calls are the caller's own`, async () => {
    const opened = await openLayerOutputs(tiny, () => ["conv1", "pool1", "fc3"], { engine, threads: 1, batchSize: 4 });
    const input = (call: number) => new Float32Array(4 * 28 * 28).map((_, i) => ((i * 7 + call * 13) % 256) / 256);
    const expected: (readonly Float32Array[])[] = [];
    for (let call = 0; call < 50; call++) expected.push(await opened.forward(input(call), 1 + (call % 4)));
    // One array for all calls: each reads it before it returns.
    const shared = new Float32Array(4 * 28 * 28);
    opened.input.set(input(9));
    const got = await Promise.all(
      Array.from({ length: 50 }, (_, call) => {
        shared.set(input(call));
        return opened.forward(shared, 1 + (call % 4));
      }),
    );
    assert.deepEqual(got, expected);
    assert.deepEqual(await opened.forward(opened.input, 2), expected[9], "other calls leave the input alone");
    await opened.close();
    assert.deepEqual(got, expected, "after close too");
    await assert.rejects(opened.forward(shared, 1), ClosedError);
  });
}

test("an image's pixels are read before the call returns", async () => {
  const classifier = await openClassifier(tiny, { threads: 1 });
  const expected = await oneByOne(classifier);
  const frame = { width: 28, height: 28, channels: 1, data: new Uint8Array(28 * 28) } as const;
  const got = await Promise.all(
    images.map((image) => {
      frame.data.set(image.data);
      return classifier.predict(frame);
    }),
  );
  assert.deepEqual(got, expected);
  await classifier.close();
});

test("files, images and files that cannot be read overlap: an error is that call's alone", async () => {
  const classifier = await openClassifier(tiny, { threads: 1 });
  const file = join(photos, "class 3/1.png");
  const bad = join(folder, "bad.png");
  await writeFile(bad, "no image");
  const [fromFile, fromImage] = [await classifier.predict(file), await classifier.predict(images[0] as Image)];
  const order: number[] = [];
  const settled = await Promise.allSettled(
    Array.from({ length: 300 }, (_, i) => {
      const call = classifier.predict([file, images[0] as Image, bad][i % 3] as string | Image);
      return call.finally(() => order.push(i));
    }),
  );
  for (const [i, result] of settled.entries()) {
    if (i % 3 === 2) assert.ok(result.status === "rejected" && result.reason instanceof DataError);
    else assert.deepEqual(result.status === "fulfilled" && result.value, i % 3 === 0 ? fromFile : fromImage);
  }
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
    "in the order of the calls",
  );
  await classifier.close();
});

test("an aborted prediction leaves the queue at once, and an evaluation too", async () => {
  const classifier = await openClassifier(tiny, { threads: 1 });
  const expected = await oneByOne(classifier);
  const controller = new AbortController();
  const reason = new Error("not wanted any more");
  const evaluation = classifier.evaluate({ dataset: photos, signal: controller.signal });
  const calls = images.map((image, i) => classifier.predict(image, i % 2 ? { signal: controller.signal } : {}));
  const all = Promise.allSettled(calls);
  let isDone = false;
  void calls.at(-2)?.then(() => {
    isDone = true;
  });
  // The queue yields to the event loop, so that a timer can fire in the middle of it.
  await new Promise((resolve) => setTimeout(resolve, 1));
  controller.abort(reason);
  const last = await calls.at(-1)?.catch((error: unknown) => error);
  assert.ok(last === reason && !isDone, "before those in front of it");
  for (const [i, result] of (await all).entries()) {
    if (result.status === "fulfilled") assert.deepEqual(result.value, expected[i]);
    else assert.ok(i % 2 === 1 && result.reason === reason);
  }
  assert.equal(await evaluation, undefined);
  await assert.rejects(classifier.predict(images[0] as Image, { signal: AbortSignal.abort(reason) }), reason);
  assert.deepEqual(await classifier.predict(images[0] as Image), expected[0]);
  await classifier.close();
});

test("close waits for what is in flight, happens once, and later calls say what is closed", async () => {
  const classifier = await openClassifier(tiny, { threads: 1 });
  const expected = await oneByOne(classifier);
  const evaluated = await classifier.evaluate({ dataset: photos });
  const evaluation = classifier.evaluate({ dataset: photos });
  const calls = images.map((image) => classifier.predict(image));
  const closed = classifier.close();
  assert.equal(classifier.close(), closed);
  const late = [classifier.predict(images[0] as Image), classifier.evaluate({ dataset: photos })];
  for (const call of late)
    await assert.rejects(call, (error) => error instanceof ClosedError && error instanceof AlexNetError);
  await assert.rejects(classifier.predict("none.png"), {
    message: `classifier ${tiny}: used after close(); open it again`,
  });
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  assert.deepEqual(await evaluation, evaluated);
  assert.ok(!isClosed || (await Promise.all(calls)).length === CALLS);
  assert.deepEqual(await Promise.all(calls), expected);
  await closed;
  await classifier.close();
});

test("worker threads, each with a classifier of its own, beside this one", async () => {
  const classifier = await openClassifier(tiny, { threads: 1 });
  const expected = await oneByOne(classifier);
  const start = startOf(new URL("./classifierThread.ts", import.meta.url));
  const inWorker = async () => {
    const worker = new Worker(start, { workerData: { file: tiny, images } });
    const [[answers], [code]] = await Promise.all([once(worker, "message"), once(worker, "exit")]);
    assert.equal(code, 0);
    return answers;
  };
  const answers = await Promise.all([
    inWorker(),
    inWorker(),
    inWorker(),
    Promise.all(images.map((image) => classifier.predict(image))),
  ]);
  for (const answer of answers) assert.deepEqual(answer, expected);
  await classifier.close();
});
