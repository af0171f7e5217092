import assert from "node:assert/strict";
import { test } from "node:test";
import { fillGaussian, fillWords, randomStream } from "../../random.ts";
import { formatEvaluation } from "../../report/tables/evaluation.ts";
import { softmax } from "./classHead.ts";
import { countCorrect, countEvaluation } from "./metrics.ts";

/** A row of scores for each image, from numbers in rows. */
const rows = (...scores: readonly (readonly number[])[]) => Float32Array.from(scores.flat());

function evaluate(classNames: readonly string[], logits: Float32Array, labels: readonly number[]) {
  const counter = countEvaluation(classNames);
  counter.add(logits, labels, labels.length);
  return counter.result();
}

const letters = (count: number) => Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i));

/** Random scores and labels for `images` images in `classes` classes. */
function random(classes: number, images: number) {
  const logits = new Float32Array(classes * images);
  fillGaussian(randomStream(3, "logits"), 0, logits, 3);
  const labels = new Uint32Array(images);
  fillWords(randomStream(3, "labels"), 0, labels);
  return { logits, labels: [...labels].map((word) => word % classes) };
}

test("loss is −log of the label's share, accuracies are ranks: against plain sorting and exponentials", () => {
  const classes = 12;
  const { logits, labels } = random(classes, 200);
  let [loss, first, amongFive] = [0, 0, 0];
  const correct = new Array<number>(classes).fill(0);
  for (const [row, label] of labels.entries()) {
    const scores = [...logits.subarray(row * classes, (row + 1) * classes)];
    const exponentials = scores.map(Math.exp);
    loss -= Math.log((exponentials[label] as number) / exponentials.reduce((a, b) => a + b));
    const sorted = scores.map((score, c) => ({ score, c })).sort((a, b) => b.score - a.score);
    if (sorted[0]?.c === label) {
      first++;
      correct[label] = (correct[label] as number) + 1;
    }
    if (sorted.slice(0, 5).some(({ c }) => c === label)) amongFive++;
  }
  const result = evaluate(letters(classes), logits, labels);
  // Both are f64 throughout: rounding only.
  assert.ok(Math.abs(result.loss - loss / 200) < 1e-12, `${result.loss} is not ${loss / 200}`);
  assert.equal(result.top1Accuracy, first / 200);
  assert.deepEqual(result.topK, { k: 5, accuracy: amongFive / 200 });
  assert.deepEqual(
    result.perClass.map((entry) => entry.correct),
    correct,
  );
  assert.deepEqual(
    result.perClass.map(({ images }) => images),
    letters(classes).map((_, c) => labels.filter((label) => label === c).length),
  );
});

test("the same result, whatever the batches", () => {
  const { logits, labels } = random(7, 100);
  const counter = countEvaluation(letters(7));
  for (const [from, to] of [
    [0, 64],
    [64, 99],
    [99, 100],
  ] as const) {
    // A last, smaller batch comes in arrays of full size: what is past `count` must not count.
    const padded = new Float32Array(7 * 64).fill(1e9);
    padded.set(logits.subarray(from * 7, to * 7));
    counter.add(padded, [...labels.slice(from, to), ...new Array<number>(64 - to + from).fill(0)], to - from);
  }
  assert.deepEqual(counter.result(), evaluate(letters(7), logits, labels));
});

test("with fewer than five classes k is their number, which the report says", () => {
  const result = evaluate(["a", "b", "c"], rows([1, 2, 3], [3, 2, 1]), [0, 0]);
  assert.deepEqual([result.topK, result.top1Accuracy], [{ k: 3, accuracy: 1 }, 0.5]);
  assert.match(
    formatEvaluation({ ...result, worstMistakes: [], bestPredictions: [] }),
    /top-3 accuracy \(all 3 classes\)/,
  );
});

test("ties: the class with the lower number comes first, so equal scores do not count as correct for all", () => {
  const equal = rows([0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]);
  const result = evaluate(letters(6), equal, [0, 4, 5]);
  assert.equal(result.top1Accuracy, 1 / 3);
  assert.equal(result.topK.accuracy, 2 / 3);
  assert.equal(countCorrect(equal, [0, 4, 5], 3), 1);
});

test("countCorrect and the evaluation's top-1 are the same", () => {
  const { logits, labels } = random(10, 300);
  assert.equal(countCorrect(logits, labels, 300) / 300, evaluate(letters(10), logits, labels).top1Accuracy);
});

test("scores far out of exp's range: the loss and the probabilities are finite and right", () => {
  const result = evaluate(["a", "b"], rows([1000, 0], [-1000, -1002]), [1, 0]);
  const second = Math.log(1 + Math.exp(-2));
  assert.ok(Math.abs(result.loss - (1000 + second) / 2) < 1e-12);
  assert.deepEqual([...softmax(rows([1000, 0]))], [1, 0]);
});

test("softmax: shares that sum to 1, in the ratio of the exponentials", () => {
  const shares = softmax(rows([0, Math.log(2), Math.log(5)]));
  // The logarithms are rounded to f32: relative 6e-8 on scores below 2.
  for (const [c, expected] of [1 / 8, 2 / 8, 5 / 8].entries())
    assert.ok(Math.abs((shares[c] as number) - expected) < 1e-6);
});
