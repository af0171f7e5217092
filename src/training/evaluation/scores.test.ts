/** Averages over views and networks, on the reference engine with networks so small that each can be computed again plainly. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fillParameters, uniform } from "../../../test/chains.ts";
import type { Split } from "../../dataset/dataset.ts";
import { createPreparation } from "../../dataset/prepare/preparation.ts";
import type { Program } from "../../engine/engine.ts";
import { createReferenceEngine } from "../../engine/reference/reference.ts";
import type { Image } from "../../image/image.ts";
import { createPreprocessor, type Preprocessing } from "../../image/prepare/preprocess.ts";
import { tenCropViews, type View } from "../../image/prepare/views.ts";
import { dropout, flatten, linear } from "../../layers/kinds.ts";
import type { AnyLayer } from "../../layers/layer.ts";
import { operations } from "../../network/network.ts";
import { softmaxHead } from "./classHead.ts";
import { columnsOf, scoreEnsemble } from "./ensemble.ts";
import { evaluate, evaluateScores } from "./evaluate.ts";
import type { Prediction } from "./metrics.ts";
import { averageScores, scoreSplit } from "./scores.ts";

const classNames = ["a", "b", "c"];
const preprocessing: Preprocessing = {
  size: [4, 4],
  channels: 1,
  fit: { kind: "crop", shorterSide: 7 },
  resize: "bilinear",
  mean: [0.5],
  deviation: [0.25],
};
const preparation = createPreparation({ preprocessing });
const images = Array.from({ length: 23 }, (_, i): Image => {
  const values = uniform(`image ${i}`, 81, 0, 256);
  return { width: 9, height: 9, channels: 1, data: Uint8Array.from(values) };
});
const split: Split = {
  length: images.length,
  label: (i) => (i * i) % 3,
  image: (i) => images[i] as Image,
  path: (i) => `image, ${i}.png`,
};

const engine = createReferenceEngine();
after(() => engine.close());

/** A linear network with weights of its own; what follows it has none. */
async function network(name: string, batchSize: number, rest: readonly unknown[] = []): Promise<Program> {
  const layers = [flatten("flatten"), linear("fc", { outFeatures: 3 }), ...rest] as readonly AnyLayer[];
  const ops = operations({ name, source: "", deviations: [], input: [1, 4, 4], layers });
  const program = await engine.compile({ ops, inputShape: [1, 4, 4], batchSize, precision: "f32" });
  await fillParameters(program, (parameter, length) => uniform(`${name} ${parameter}`, length));
  return program;
}

/** exp / Σ exp of one image in one view, alone. */
async function plainSoftmax(program: Program, index: number, view: View): Promise<readonly number[]> {
  const input = new Float32Array(16);
  createPreprocessor(preprocessing)(split.image(index), input, 0, view);
  const logits = [...(await program.forward(input, 1, { seed: 0, first: 0 }))];
  const exponentials = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((value) => value / sum);
}

function meanOf(rows: readonly (readonly number[])[]): readonly number[] {
  return classNames.map((_, c) => rows.reduce((sum, row) => sum + (row[c] as number), 0) / rows.length);
}

async function predictionsOf(run: (onPrediction: (p: Prediction) => void) => Promise<unknown>) {
  const predictions: Prediction[] = [];
  await run((prediction) => predictions.push(prediction));
  return predictions;
}

/** Rounding of f64 in a logarithm, its inverse and sums of a few terms. */
const tolerance = 1e-14;

function assertNear(difference: number, limit: number): void {
  assert.ok(Math.abs(difference) < limit, `off by ${difference}`);
}

test("ten views: the mean of ten softmaxes, against each image and view computed alone", async () => {
  const views = tenCropViews(preprocessing);
  const alone = await network("one", 1);
  for (const batchSize of [1, 5, 23, 40]) {
    const program = await network("one", batchSize);
    const options = { split, preparation, classNames, seed: 0, views };
    const predictions = await predictionsOf((onPrediction) => evaluate(program, { ...options, onPrediction }));
    assert.equal(predictions.length, split.length);
    for (const [i, prediction] of predictions.entries()) {
      const mean = meanOf(await Promise.all(views.map((view) => plainSoftmax(alone, i, view))));
      const [label, best] = [split.label(i), mean.indexOf(Math.max(...mean))];
      assert.deepEqual([prediction.index, prediction.file], [i, `image, ${i}.png`]);
      assert.deepEqual([prediction.className, prediction.predicted], [classNames[label], classNames[best]]);
      assertNear(prediction.probability - (mean[best] as number), tolerance);
      assertNear(prediction.classProbability - (mean[label] as number), tolerance);
      assertNear(prediction.loss + Math.log(mean[label] as number), 1e-13);
    }
    program.close();
  }
  alone.close();
});

test("two networks, classes in another order, one view and ten: the mean of what each says, and each one's own accuracy", async () => {
  const programs = [await network("one", 5), await network("two", 5)] as const;
  const plain = [await network("one", 1), await network("two", 1)] as const;
  // The second's classes are c, a, b.
  const columns = [columnsOf(classNames, classNames, "one"), columnsOf(classNames, ["c", "a", "b"], "two")] as const;
  assert.deepEqual(columns[1], [1, 2, 0]);
  for (const views of [[{ flip: false }], tenCropViews(preprocessing)]) {
    const right = [0, 0];
    const expectedRight = [0, 0];
    const members = programs.map((program, m) => ({
      scored: scoreSplit(program, { split, preparation, seed: 0, views }),
      columns: columns[m] as readonly number[],
      onCorrect: (count: number) => {
        right[m] = (right[m] as number) + count;
      },
    }));
    const predictions = await predictionsOf((onPrediction) =>
      evaluateScores(scoreEnsemble(members, softmaxHead), { split, classNames, onPrediction }),
    );
    assert.equal(predictions.length, split.length);
    for (const [i, { className, classProbability, predicted, probability }] of predictions.entries()) {
      const each = await Promise.all(
        plain.map(async (program, m) => {
          const mean = meanOf(await Promise.all(views.map((view) => plainSoftmax(program, i, view))));
          return (columns[m] as readonly number[]).map((column) => mean[column] as number);
        }),
      );
      const [mean, label] = [meanOf(each), split.label(i)];
      const best = mean.indexOf(Math.max(...mean));
      for (const [m, own] of each.entries())
        if (own.indexOf(Math.max(...own)) === label) expectedRight[m] = (expectedRight[m] as number) + 1;
      assert.deepEqual([className, predicted], [classNames[label], classNames[best]]);
      assertNear(classProbability - (mean[label] as number), tolerance);
      assertNear(probability - (mean[best] as number), tolerance);
    }
    assert.deepEqual(right, expectedRight);
  }
  for (const program of [...programs, ...plain]) program.close();
});

test("dropout that stays active: masks depend on image and view, not on the batch; each view has its own", async () => {
  const drawing = [dropout("drop", { activeAtEvaluation: true })];
  const flat: Image = { width: 9, height: 9, channels: 1, data: new Uint8Array(81).fill(200) };
  // All views and all images are the same, so that only the draws differ.
  const options = { split: { ...split, image: () => flat }, preparation, classNames, seed: 0 };
  const probabilities = async (batchSize: number, views: readonly View[]) => {
    const program = await network("one", batchSize, drawing);
    const all = await predictionsOf((onPrediction) => evaluate(program, { ...options, views, onPrediction }));
    program.close();
    return all.map(({ probability }) => probability);
  };
  const views = tenCropViews(preprocessing);
  const ten = await probabilities(5, views);
  assert.deepEqual(await probabilities(1, views), ten);
  assert.deepEqual(await probabilities(40, views), ten);
  assert.ok(new Set(ten).size > 10, `${new Set(ten).size} different means`);
  const one = await probabilities(5, [{ flip: false }]);
  // Three outputs are kept or not: a single draw is one of eight.
  assert.ok(new Set(one).size <= 8, `${new Set(one).size} different draws`);
});

test("the worst mistakes are the ten highest losses, the best predictions the ten highest probabilities, in order", async () => {
  const program = await network("one", 5);
  const predictions: Prediction[] = [];
  const onPrediction = (prediction: Prediction) => predictions.push(prediction);
  const result = await evaluate(program, { split, preparation, classNames, seed: 0, onPrediction });
  const mistakes = predictions.filter(({ className, predicted }) => className !== predicted);
  assert.ok(mistakes.length > 10, `${mistakes.length} mistakes are too few for this test`);
  assert.deepEqual(result?.worstMistakes, mistakes.sort((a, b) => b.loss - a.loss).slice(0, 10));
  // The same images, labelled with their predicted classes.
  const namedRight: Split = { ...split, label: (i) => classNames.indexOf(predictions[i]?.predicted ?? "") };
  const right: Prediction[] = [];
  const told = { split: namedRight, preparation, classNames, seed: 0 };
  const best = await evaluate(program, { ...told, onPrediction: (prediction) => right.push(prediction) });
  assert.equal(best?.top1Accuracy, 1);
  assert.deepEqual(best?.worstMistakes, []);
  assert.deepEqual(best?.bestPredictions, right.sort((a, b) => b.probability - a.probability).slice(0, 10));
  // Without a callback for each prediction, the same ones are kept.
  assert.deepEqual(await evaluate(program, told), best);
  assert.deepEqual(await evaluate(program, { split, preparation, classNames, seed: 0 }), result);
  program.close();
});

test("aborted, there is no evaluation", async () => {
  const program = await network("one", 5);
  const controller = new AbortController();
  const options = { split, preparation, classNames, seed: 0, views: tenCropViews(preprocessing) };
  const { signal } = controller;
  const onProgress = () => controller.abort();
  assert.equal(await evaluate(program, { ...options, signal, onProgress }), undefined);
  program.close();
});

test("a mean of probabilities: exact where f64 is; too small for f64, it is still above 0", () => {
  const mean = averageScores(softmaxHead);
  mean.add(new Float32Array([0, 0, 2000, 0]), 2);
  mean.add(new Float32Array([2000, 0, 2000, 0]), 2);
  assert.deepEqual([...mean.take()], [Math.log(0.75), Math.log(0.25), 0, Math.log(Number.MIN_VALUE)]);
  mean.add(new Float32Array([0, 0]), 1);
  assert.deepEqual([...mean.take()], [Math.log(0.5), Math.log(0.5)]);
});
