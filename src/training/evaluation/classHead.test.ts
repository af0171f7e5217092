import assert from "node:assert/strict";
import { test } from "node:test";
import { countCalibration } from "./calibration.ts";
import { classHeadOf, softmax, softmaxHead } from "./classHead.ts";
import { countConfusion } from "./confusion.ts";
import { countCorrect, countEvaluation } from "./metrics.ts";
import { averageScores } from "./scores.ts";

const binary = classHeadOf("sigmoid", 1, "model");
const multiLabel = classHeadOf("sigmoid", 3, "model");
const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`);

test("a logit of log 3 is 75 % of the second class; the loss is the binary cross-entropy", () => {
  // log 3 is rounded to f32: relative 6e-8.
  const scores = binary.scores(Float32Array.of(Math.log(3), 0), 2);
  const [first = 0, second = 0] = binary.probabilities(scores.subarray(0, 2));
  assert.ok(Math.abs(first - 0.25) < 1e-7 && Math.abs(second - 0.75) < 1e-7);
  const counter = countEvaluation(["no", "yes"], { head: binary });
  const judgements = counter.add(scores, [0, 1], 2);
  assert.deepEqual(
    judgements.map(({ predicted }) => predicted),
    [[1], [0]],
    "half is the first class",
  );
  assert.ok(Math.abs(counter.result().loss - (Math.log(4) + Math.log(2)) / 2) < 1e-7);
});

test("binary: logits far out of exp's range", () => {
  const scores = binary.scores(Float32Array.of(1000, -1000), 2);
  assert.deepEqual([...binary.probabilities(scores.subarray(0, 2))], [0, 1]);
  const { loss } = binary.judge(scores.subarray(2, 4), 0, 1);
  assert.equal(loss, 1000);
});

test("multi-label: a loss for each class, and figures at the threshold, by hand", () => {
  const names = ["a", "b", "c"];
  // Probabilities 0.8, 0.5, 0.2; then 0.2, 0.5, 0.8.
  const rows = [0.8, 0.5, 0.2, 0.2, 0.5, 0.8].map((p) => Math.log(p / (1 - p)));
  const counter = countEvaluation(names, { head: multiLabel, threshold: 0.6 });
  counter.add(Float64Array.from(rows), [0, 1], 2);
  const { loss, top1Accuracy, perClass, multiLabel: figures, confusion } = counter.result();
  const first = Math.log(0.8) + Math.log(0.5) + Math.log(0.8);
  const second = Math.log(0.8) + Math.log(0.5) + Math.log(0.2);
  near(loss, -(first + second) / 3 / 2);
  assert.equal(top1Accuracy, 0.5);
  assert.deepEqual(confusion, [
    [1, 0, 0],
    [0, 0, 1],
    [0, 0, 0],
  ]);
  const plain = perClass.map(({ precisionInterval: _p, recallInterval: _r, ...own }) => own);
  assert.deepEqual(plain, [
    { className: "a", images: 1, correct: 1, precision: 1, recall: 1, f1: 1, averagePrecision: 1, rocAuc: 1 },
    { className: "b", images: 1, correct: 0, precision: null, recall: 0, f1: 0, averagePrecision: 0.5, rocAuc: 0.5 },
    { className: "c", images: 0, correct: 0, precision: 0, recall: null, f1: 0, averagePrecision: null, rocAuc: null },
  ]);
  const { threshold, exactMatch, macroF1, hammingLoss, microF1, meanAveragePrecision } = figures ?? {};
  assert.deepEqual([threshold, exactMatch, macroF1], [0.6, 0.5, 1 / 3]);
  assert.deepEqual([hammingLoss, microF1, meanAveragePrecision], [2 / 6, 0.5, 0.75]);
});

test("multi-label: 0.5 is the default threshold, and is present itself", () => {
  const counter = countEvaluation(["a", "b", "c"], { head: multiLabel });
  counter.add(Float64Array.of(0, -1, -1), [0], 1);
  const { threshold, exactMatch, macroF1 } = counter.result().multiLabel ?? {};
  assert.deepEqual([threshold, exactMatch, macroF1], [0.5, 1, 1]);
});

test("means of probabilities come back as probabilities, with every head", () => {
  for (const [head, first, second] of [
    [softmaxHead, [1, 2, 3], [3, 0, -40]],
    [binary, [5], [-800]],
    [multiLabel, [1, 20, -700], [-1, 40, 700]],
  ] as const) {
    const rows = [first, second].map((row) => head.scores(Float32Array.from(row), 1));
    const mean = averageScores(head);
    for (const row of rows) mean.add(row, 1);
    const expected = rows.map((row) => head.probabilities(row));
    for (const [c, p] of head.probabilities(mean.take()).entries())
      near(p, ((expected[0]?.[c] as number) + (expected[1]?.[c] as number)) / 2);
  }
});

test("metrics refuse NaN and the infinities", () => {
  for (const bad of [Number.NaN, Infinity, -Infinity]) {
    const scores = Float32Array.of(1, bad, 2);
    const message = new RegExp(`^NonFiniteError: scores: expected finite numbers, got ${bad} for class 1`);
    assert.throws(() => softmax(scores), message);
    assert.throws(() => countEvaluation(["a", "b", "c"]).add(scores, [0], 1), message);
    assert.throws(() => averageScores(softmaxHead).add(scores, 1), message);
    assert.throws(() => countCalibration().add(bad, true), /calibration: expected a probability/);
    assert.throws(() => countConfusion(["a", "b"]).add(bad, 0), /confusion: expected classes from 0 to 1/);
  }
  assert.throws(() => countCorrect(Float32Array.of(1, Number.NaN), [0], 1), /^NonFiniteError/);
  assert.throws(() => countConfusion(["a", "b"]).add(0, 2), /confusion: expected classes from 0 to 1/);
});

test("a softmax over one output, and no head, are refused", () => {
  assert.throws(() => classHeadOf("softmax", 1, "model"), /^ConfigError: model: expected at least 2 outputs/);
  assert.throws(() => classHeadOf(undefined, 1, "model"), /expected at least 2 outputs/);
  assert.throws(() => classHeadOf("none", 5, "model"), /^ConfigError: model: its head is "none"/);
});
