import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEvaluation } from "../../report/tables/evaluation.ts";
import { classFigures, frequentConfusions } from "./confusion.ts";
import { wilsonInterval } from "./intervals.ts";
import { countEvaluation } from "./metrics.ts";

/** An evaluation of images, each given by its class and the class predicted. */
function evaluate(classNames: readonly string[], images: readonly (readonly [label: number, predicted: number])[]) {
  const counter = countEvaluation(classNames);
  for (const [label, predicted] of images) {
    const scores = new Float32Array(classNames.length);
    scores[predicted] = 1;
    counter.add(scores, [label], 1);
  }
  return counter.result();
}

test("confusion, precision and recall are those counted by hand; a class that is absent, and one never predicted", () => {
  const result = evaluate(
    ["cat", "dog", "fox", "owl", "absent"],
    [
      [0, 0],
      [0, 0],
      [0, 1],
      [0, 4],
      [1, 1],
      [1, 0],
      [1, 0],
      [2, 0],
      [2, 1],
      [3, 3],
    ],
  );
  assert.deepEqual(result.confusion, [
    [2, 1, 0, 0, 1],
    [2, 1, 0, 0, 0],
    [1, 1, 0, 0, 0],
    [0, 0, 0, 1, 0],
    [0, 0, 0, 0, 0],
  ]);
  assert.deepEqual(
    result.perClass.map(({ precisionInterval: _p, recallInterval: _r, ...figures }) => figures),
    [
      { className: "cat", images: 4, correct: 2, precision: 2 / 5, recall: 2 / 4, f1: 4 / 9 },
      { className: "dog", images: 3, correct: 1, precision: 1 / 3, recall: 1 / 3, f1: 2 / 6 },
      { className: "fox", images: 2, correct: 0, precision: null, recall: 0, f1: 0 },
      { className: "owl", images: 1, correct: 1, precision: 1, recall: 1, f1: 1 },
      { className: "absent", images: 0, correct: 0, precision: 0, recall: null, f1: 0 },
    ],
  );
  const defined = ({ precision, recall, precisionInterval, recallInterval }: (typeof result.perClass)[number]) =>
    (precision === null) === (precisionInterval === null) && (recall === null) === (recallInterval === null);
  assert.ok(result.perClass.every(defined), "an interval where there is a fraction");
  const { averages } = result;
  assert.ok(Math.abs((averages?.balancedAccuracy ?? 0) - (1 / 2 + 1 / 3 + 1) / 4) < 1e-15);
  assert.ok(Math.abs((averages?.macroF1 ?? 0) - (4 / 9 + 2 / 6 + 1) / 5) < 1e-15);
  assert.ok(Math.abs((averages?.weightedF1 ?? 0) - (4 * (4 / 9) + 3 * (2 / 6) + 1) / 10) < 1e-15);
  assert.equal(averages?.microF1, 0.4);
  assert.deepEqual([result.top1Accuracy, result.images], [4 / 10, 10]);
  assert.deepEqual(frequentConfusions(result, 3), [
    { className: "dog", predicted: "cat", images: 2 },
    { className: "cat", predicted: "dog", images: 1 },
    { className: "cat", predicted: "absent", images: 1 },
  ]);
  assert.equal(frequentConfusions(result, 10).length, 5);
});

test("one image, of two classes: all figures are there, JSON has no gaps", () => {
  const result = evaluate(["a", "b"], [[1, 0]]);
  const { calibration, ...figures } = JSON.parse(JSON.stringify(result));
  assert.ok(Math.abs(calibration.error - calibration.confidence) < 1e-15);
  assert.deepEqual(figures, {
    loss: result.loss,
    images: 1,
    top1Accuracy: 0,
    topK: { k: 2, accuracy: 1 },
    perClass: JSON.parse(
      JSON.stringify([
        classFigures("a", { images: 0, predicted: 1, correct: 0 }),
        classFigures("b", { images: 1, predicted: 0, correct: 0 }),
      ]),
    ),
    // One class has images: no mean of recalls.
    averages: { balancedAccuracy: null, macroF1: 0, microF1: 0, weightedF1: 0 },
    accuracyInterval: [...(wilsonInterval(0, 1) ?? [])],
    confusion: [
      [0, 0],
      [1, 0],
    ],
  });
  const text = formatEvaluation({ ...result, worstMistakes: [], bestPredictions: [] });
  assert.match(text, /Most frequent confusions\n\nClass +Predicted as +Images\n[- ]+\nb +a +1$/);
});
