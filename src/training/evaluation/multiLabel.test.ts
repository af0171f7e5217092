/** Multi-label metrics against scikit-learn (scripts/golden/multiLabel.py), and by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertClose } from "../../../test/assertClose.ts";
import { floats, readGolden } from "../../../test/golden.ts";
import { createLabelSetIndex } from "../../dataset/labelSets.ts";
import { classHeadOf, softmaxHead } from "./classHead.ts";
import { averagePrecision, bestThreshold, precisionCurve, rankLabel } from "./labelRanking.ts";
import { countEvaluation, labelSetFigures } from "./metrics.ts";
import { countExact } from "./multiLabel.ts";

interface Case {
  readonly thresholds: readonly number[];
  readonly precision: readonly (number | null)[];
  readonly recall: readonly (number | null)[];
  readonly f1: readonly (number | null)[];
  readonly averagePrecision: readonly (number | null)[];
  readonly meanAveragePrecision: number;
  readonly exactMatch: number;
  readonly hammingLoss: number;
  readonly microF1: number;
  readonly macroF1: number;
  readonly loss: number;
}

interface Golden {
  readonly images: number;
  readonly labels: number;
  readonly logits: string;
  readonly truth: readonly string[];
  readonly cases: readonly Case[];
  readonly bestF1: readonly (number | null)[];
}

const head = classHeadOf("sigmoid", 6, "model");
const golden = await readGolden<Golden>("multiLabel");
const { images, labels } = golden;
const logits = floats(golden.logits);
const index = createLabelSetIndex();
const setOf = (row: string) => [...row].flatMap((digit, c) => (digit === "1" ? [c] : []));
const ids = golden.truth.map((row) => index.indexOf(setOf(row)));
const names = Array.from({ length: labels }, (_, c) => `label ${c}`);
// Sums of 200 terms in f64, in another order.
const tolerance = { relative: 1e-12, absolute: 1e-12 };

function evaluated(threshold: number | readonly number[]) {
  const counter = countEvaluation(names, { head, threshold, labelSets: index.sets });
  for (let start = 0; start < images; start += 64) {
    const count = Math.min(64, images - start);
    counter.add(logits.subarray(start * labels), ids.slice(start), count);
  }
  return counter.result();
}

test("precision, recall, F1, average precision, exact match and Hamming loss are those of scikit-learn", () => {
  for (const expected of golden.cases) {
    const isUniform = new Set(expected.thresholds).size === 1;
    const figures = evaluated(isUniform ? (expected.thresholds[0] as number) : expected.thresholds);
    const { multiLabel, perClass } = figures;
    assert.ok(multiLabel);
    assert.equal(labelSetFigures(figures), multiLabel);
    for (const key of ["exactMatch", "hammingLoss", "microF1", "macroF1"] as const) {
      assertClose([multiLabel[key]], [expected[key]], tolerance, key);
    }
    assertClose([multiLabel.meanAveragePrecision ?? Number.NaN], [expected.meanAveragePrecision], tolerance, "mAP");
    // scikit-learn clips probabilities at 1e-16, far below these.
    assertClose([figures.loss], [expected.loss], tolerance, "loss");
    for (const key of ["precision", "recall", "averagePrecision"] as const) {
      const own = perClass.map((each) => each[key]);
      assert.deepEqual(
        own.map((value) => value === null),
        expected[key].map((value) => value === null),
        key,
      );
      assertClose(
        own.map((value) => value ?? 0),
        expected[key].map((value) => value ?? 0),
        tolerance,
        key,
      );
    }
    // Without images, a label that is predicted has F1 0 in both.
    assertClose(
      perClass.map(({ f1 }) => f1 ?? 0),
      expected.f1.map((value) => value ?? 0),
      tolerance,
      "F1",
    );
  }
});

test("fitted thresholds reach the best F1 score of scikit-learn's curve", () => {
  const { fittedThresholds = [] } = evaluated(0.5).multiLabel ?? {};
  const fitted = evaluated(fittedThresholds);
  assert.equal(fittedThresholds[5], 0.5, "a label without images");
  assertClose(
    fitted.perClass.slice(0, 5).map(({ f1 }) => f1 ?? 0),
    golden.bestF1.slice(0, 5).map((value) => value ?? 0),
    tolerance,
    "F1",
  );
});

test("a label by hand: ties are predicted together; a curve has at most 100 points", () => {
  const present = [true, false, true, false];
  const points = rankLabel({ scores: Float32Array.of(2, 1, 1, -1), isPresent: (image) => present[image] === true });
  assert.deepEqual(
    points.map(({ score, precision, recall }) => [score, precision, recall]),
    [
      [2, 1, 0.5],
      [1, 2 / 3, 1],
      [-1, 0.5, 1],
    ],
  );
  assert.equal(averagePrecision(points), 0.5 + 0.5 * (2 / 3));
  assert.equal(
    bestThreshold(points, (score) => (score + 2) / 4, 0.5),
    0.5,
    "midway between 0.75 and 0.25",
  );
  const tie = [1, -1].map((score) => ({ score, precision: 0.5, recall: 0.5, falsePositiveRate: 0.5, f1: 0.5 }));
  assert.equal(
    bestThreshold(tie, (score) => (score + 2) / 4, 0.5),
    0.5,
    "of equal F1 scores the higher threshold, midway between 0.75 and 0.25",
  );
  assert.deepEqual([averagePrecision([]), bestThreshold([], (score) => score, 0.5)], [null, 0.5]);
  assert.deepEqual(
    precisionCurve(points),
    [
      [0.5, 1],
      [1, 2 / 3],
    ],
    "the lower precision at full recall is left out",
  );
  const many = rankLabel({ scores: Float64Array.from({ length: 5000 }, (_, i) => i), isPresent: (i) => i % 3 === 0 });
  assert.ok(precisionCurve(many).length <= 100);
});

test("exact match of logits; images without labels; a softmax head is refused", () => {
  const sets = [[], [0, 2]];
  const scores = Float32Array.of(-1, -1, -1, 1, -1, 1, 1, 1, 1, 0, -1, 0.5);
  assert.equal(countExact(scores, [0, 1, 1, 1], 4, sets), 3);
  assert.equal(countExact(scores, [0, 1, 1, 1], 4, sets, [0, -1, 0.75]), 0);
  assert.equal(countExact(scores, [0, 1, 1, 1], 4, sets, [0, 2, 0.5]), 4);
  const counter = countEvaluation(["a", "b", "c"], { head, labelSets: sets });
  const [none] = counter.add(Float32Array.of(-9, -9, -9), [0], 1);
  assert.deepEqual([none?.labels, none?.predicted, none?.isCorrect], [[], [], true]);
  assert.equal(counter.result().top1Accuracy, 0, "its most probable class is none of its own");
  assert.throws(() => countEvaluation(["a", "b"], { head: softmaxHead, labelSets: sets }), {
    name: "ConfigError",
    message: /expected a multi-label network/,
  });
});

test("label sets by hand: rank of the first label, and geometric means of all decisions", () => {
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  const sets = [[5], [4, 6], []];
  const counter = countEvaluation(names, { head, labelSets: sets });
  const row = [3, 2, 1, 0, -1, -2, -3];
  const judged = counter.add(Float32Array.from([...row, ...row, ...row]), [0, 1, 2], 3);
  assert.deepEqual(
    judged.map(({ rank }) => rank),
    [5, 4, 7],
  );
  assert.deepEqual(counter.result().topK, { k: 5, accuracy: 1 / 3 });
  // Probabilities 0.75, 0.75 and 0.5; the first two labels are predicted, and the last by its threshold is not.
  const few = countEvaluation(["a", "b", "c"], { head, threshold: 0.6, labelSets: [[0, 2]] });
  const [first] = few.add(Float64Array.of(Math.log(3), Math.log(3), 0), [0], 1);
  assert.deepEqual([first?.predicted, first?.isCorrect], [[0, 1], false]);
  const expected = [Math.cbrt(0.75 * 0.75 * 0.5), Math.cbrt(0.75 * 0.25 * 0.5), -Math.log(0.75 * 0.25 * 0.5) / 3];
  const got = [first?.probability ?? 0, first?.labelProbability ?? 0, first?.loss ?? 0];
  assertClose(got, expected, tolerance, "probabilities and loss");
});
