/** Evaluation, explanation, quantization and fine-tuning of networks with a sigmoid head, against ONNX Runtime and plain arithmetic. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { exportModel } from "../src/exchange/exportModel.ts";
import { mapPictures } from "../src/explain/map.ts";
import { measureSaliency } from "../src/explain/saliency.ts";
import { findSimilar } from "../src/explain/similar.ts";
import type { Classifier } from "../src/model/classifier.ts";
import { evaluateEnsemble } from "../src/model/evaluateEnsemble.ts";
import { formatEvaluation } from "../src/report/tables/evaluation.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { classHeadOf } from "../src/training/evaluation/classHead.ts";
import { countEvaluation, type Prediction } from "../src/training/evaluation/metrics.ts";
import { assertNear, folder, images, imported, namesFile, outputsOf, photosOf, withClassifier } from "./headModels.ts";

test("evaluate, binary: accuracy, cross-entropy, confusion, calibration and ensembles by p", async () => {
  const { model, run } = await imported(1, [["Sigmoid"]], { classes: await namesFile("cat", "dog") });
  const photos = await photosOf("pets", ["cat", "dog"]);
  const probabilities = await Promise.all(images.map(async (image) => (await outputsOf(model, image))[0] as number));
  let [loss, right, confidence] = [0, 0, 0];
  const confusion = [
    [0, 0],
    [0, 0],
  ];
  for (const [i, p] of probabilities.entries()) {
    const label = i % 2;
    const predicted = p > 0.5 ? 1 : 0;
    loss -= Math.log(label === 1 ? p : 1 - p) / images.length;
    right += Number(predicted === label) / images.length;
    confidence += Math.max(p, 1 - p) / images.length;
    const row = confusion[label] as number[];
    row[predicted] = (row[predicted] as number) + 1;
  }
  const check = (evaluation: Awaited<ReturnType<Classifier["evaluate"]>>) => {
    assert.ok(evaluation);
    assertNear(evaluation.loss, loss, "loss");
    assertNear(evaluation.top1Accuracy, right, "top-1");
    assert.deepEqual(evaluation.topK, { k: 2, accuracy: 1 });
    assert.deepEqual(evaluation.confusion, confusion);
    assertNear(evaluation.calibration.confidence, confidence, "confidence");
    assert.equal(evaluation.multiLabel, undefined);
  };
  await withClassifier(run, async (classifier) => check(await classifier.evaluate({ dataset: photos })));
  check(await evaluateEnsemble([run, run], { dataset: photos }));
  const two = await imported(2, [["Softmax"]], { classes: await namesFile("cat", "dog") });
  await assert.rejects(
    evaluateEnsemble([run, two.run], { dataset: photos }),
    /expected the head of the first run, sigmoid \(binary\), got softmax/,
  );
});

test("evaluate, multi-label: figures at the threshold, and what an image counts as is said", async () => {
  const names = ["a", "b", "c"];
  const { model, run } = await imported(3, [["Sigmoid"]], { classes: await namesFile(...names) });
  const photos = await photosOf("labels", names);
  const rows = await Promise.all(images.map((image) => outputsOf(model, image)));
  const threshold = 0.6;
  const counts = names.map(() => ({ images: 0, predicted: 0, correct: 0 }));
  let [loss, exact, top] = [0, 0, 0];
  for (const [i, row] of rows.entries()) {
    const label = i % 3;
    const present = row.map((p) => p >= threshold);
    for (const [c, p] of row.entries()) {
      loss -= Math.log(c === label ? p : 1 - p) / 3 / images.length;
      const count = counts[c] as (typeof counts)[number];
      count.images += Number(c === label);
      count.predicted += Number(present[c]);
      count.correct += Number(c === label && present[c]);
    }
    exact += Number(present.every((is, c) => is === (c === label))) / images.length;
    top += Number(row.indexOf(Math.max(...row)) === label) / images.length;
  }
  const messages: string[] = [];
  const predictions: Prediction[] = [];
  await withClassifier(run, async (classifier) => {
    const evaluation = await classifier.evaluate({
      dataset: photos,
      threshold,
      onMessage: (message) => messages.push(message),
      onPrediction: (prediction) => predictions.push(prediction),
    });
    assert.ok(evaluation?.multiLabel);
    assertNear(evaluation.loss, loss, "loss");
    assertNear(evaluation.top1Accuracy, top, "top-1");
    assertNear(evaluation.multiLabel.exactMatch, exact, "exact match");
    assert.equal(evaluation.multiLabel.threshold, threshold);
    const f1 = counts.map(({ images: own, predicted, correct }) => (2 * correct) / (predicted + own));
    assertNear(evaluation.multiLabel.macroF1, f1.reduce((a, b) => a + b) / 3, "F1");
    for (const [c, figures] of evaluation.perClass.entries()) {
      const { images: own, predicted, correct } = counts[c] as (typeof counts)[number];
      assert.deepEqual([figures.images, figures.correct], [own, correct]);
      assert.equal(figures.precision, predicted > 0 ? correct / predicted : null);
      assert.equal(figures.recall, correct / own);
      assertNear(figures.f1 ?? Number.NaN, f1[c], "F1");
    }
  });
  assert.ok(
    messages.some((message) =>
      message.startsWith("multi-label network: each image is taken to show its folder's class"),
    ),
  );
  // In the order of the split: class by class.
  const losses = predictions.map(
    ({ file, probability }) => [Number(/(\d+)\.png/.exec(file ?? "")?.[1]), probability] as const,
  );
  for (const [i, probability] of losses) assertNear(probability, Math.max(...(rows[i] as readonly number[])), `${i}`);
  const [alone, both] = [
    await withClassifier(run, (c) => c.evaluate({ dataset: photos })),
    await evaluateEnsemble([run, run], { dataset: photos }),
  ];
  assertNear(both?.loss, alone?.loss, "the mean of two equal networks");
  assert.deepEqual(both?.perClass, alone?.perClass);
});

test("saliency, map and similar go by the head", async () => {
  const { run } = await imported(1, [["Sigmoid"]], { classes: await namesFile("cat", "dog") });
  const photos = await photosOf("pets", ["cat", "dog"]);
  const photo = join(photos, "cat/0.png");
  const [first, second] = await withClassifier(run, (classifier) => classifier.predict(photo));
  const saliency = await measureSaliency(run, photo);
  assert.equal(saliency.className, first?.className);
  assertNear(saliency.probability, first?.probability, "probability");
  const other = await measureSaliency(run, photo, { className: second?.className as string });
  assertNear(other.probability, second?.probability, "the other class");
  const map = await mapPictures(run, { folder: photos, method: "pca" });
  for (const { file, predicted } of map.points) {
    const [best] = await withClassifier(run, (classifier) => classifier.predict(file as string));
    assert.equal(predicted, best?.className);
  }
  assert.equal(new Set(map.points.map(({ predicted }) => predicted)).size, 2);
  assert.equal((await findSimilar(run, photos, [photo]))?.queries.length, 1);
});

test("8 bits, measured by the head and read by ONNX Runtime", async () => {
  const { model, run } = await imported(1, [["Sigmoid"]], { classes: await namesFile("cat", "dog") });
  const photos = await photosOf("pets", ["cat", "dog"]);
  const output = join(folder, "int8.onnx");
  const int8 = { dataset: photos, calibrationImages: 8, testLimit: 8 };
  const exported = await exportModel(run, output, { int8, flags: new Set(["probabilities"]) });
  assert.ok((exported.int8?.test.f32.top1Accuracy ?? 1) < 1, "both classes count");
  for (const image of images) {
    const [expected = 0] = await outputsOf(model, image);
    const [p = 0] = await outputsOf(await readFile(output), image);
    // Weights of 7 bits and activations of 8, 576 of them: some hundredths.
    assert.ok(Math.abs(p - expected) < 0.05, `${p}, ${expected}`);
  }
});

test("fine-tuning begins the last layer from scratch where the head is another", async () => {
  const { run } = await imported(2, [["Sigmoid"]], { classes: await namesFile("a", "b") });
  const photos = await photosOf("plain", ["a", "b"]);
  const tuned = join(folder, "tuned");
  await trainClassifier({
    dataset: photos,
    from: run,
    run: tuned,
    epochs: 1,
    batchSize: 4,
    threads: 1,
    precision: "f32",
  });
  const { fineTuning } = JSON.parse(await readFile(join(tuned, "config.json"), "utf8"));
  assert.deepEqual(fineTuning.fresh, [{ layer: "fc", reason: "its head is sigmoid, not softmax" }]);
  await withClassifier(tuned, async ({ head }) => assert.equal(head, "softmax"));
});

test("the text of a multi-label evaluation has the figures at the threshold", () => {
  const head = classHeadOf("sigmoid", 2, "model");
  const counter = countEvaluation(["a", "b"], { head, threshold: 0.25 });
  counter.add(Float64Array.of(1, -2, 3, 3), [0, 1], 2);
  const evaluation = { ...counter.result(), worstMistakes: [], bestPredictions: [] };
  const text = formatEvaluation(evaluation);
  assert.match(text, /exact match at 25\.0+ % +50\.0+ %/);
  assert.match(text, /mean F1 at 25\.0+ % +83\.3+ %/);
  assert.match(text, /^Class +Images +Precision +Recall +95 % +F1/m);
  const { multiLabel: _, ...plain } = evaluation;
  assert.doesNotMatch(formatEvaluation(plain), /F1 at|exact/);
});
