/** Figures of a classifier with one class per image against scikit-learn and SciPy (scripts/golden/evaluation.py), and degenerate ones by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertClose } from "../../../test/assertClose.ts";
import { floats, readGolden } from "../../../test/golden.ts";
import { evaluateInDetail } from "./evaluate.ts";
import { wilsonInterval } from "./intervals.ts";
import { rankLabel, rocAuc, rocCurve } from "./labelRanking.ts";
import type { Evaluation } from "./metrics.ts";
import type { ScoredBatch } from "./scores.ts";

type Pair = readonly [number, number];

interface Golden {
  readonly images: number;
  readonly classes: number;
  readonly logits: string;
  readonly truth: readonly number[];
  readonly confusion: readonly (readonly number[])[];
  readonly precision: readonly number[];
  readonly recall: readonly number[];
  readonly f1: readonly number[];
  readonly averagePrecision: readonly (number | null)[];
  readonly rocAuc: readonly (number | null)[];
  readonly rocPoints: readonly [readonly number[], readonly number[]];
  readonly meanAveragePrecision: number;
  readonly meanRocAuc: number;
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  readonly macroF1: number;
  readonly microF1: number;
  readonly weightedF1: number;
  readonly loss: number;
  readonly accuracyInterval: Pair;
  readonly recallInterval: readonly (Pair | null)[];
  readonly precisionInterval: readonly (Pair | null)[];
  readonly wilson: readonly (readonly [number, number, number, number])[];
}

const golden = await readGolden<Golden>("evaluation");
// Sums of 300 terms in f64, in another order; SciPy's quantile has 16 digits.
const tolerance = { relative: 1e-12, absolute: 1e-12 };

/** Evaluates rows of scores in batches of 64. */
async function evaluated(scores: Float32Array, truth: readonly number[], classes: number): Promise<Evaluation> {
  async function* batches(): AsyncGenerator<ScoredBatch> {
    for (let start = 0; start < truth.length; start += 64) {
      const count = Math.min(64, truth.length - start);
      const labels = Int32Array.from(truth.slice(start, start + count));
      const indices = Uint32Array.from({ length: count }, (_, row) => start + row);
      yield { scores: scores.subarray(start * classes), labels, indices, count };
    }
  }
  const image = () => assert.fail("an evaluation from scores reads no image");
  const split = { length: truth.length, label: (i: number) => truth[i] as number, image };
  const classNames = Array.from({ length: classes }, (_, c) => `class ${c}`);
  const evaluation = await evaluateInDetail(batches(), { split, classNames });
  assert.ok(evaluation);
  return evaluation;
}

const values = (list: readonly (number | null | undefined)[]) => list.map((value) => value ?? -1);

test("F1, balanced accuracy, average precision, ROC AUC and Wilson intervals are those of scikit-learn and SciPy", async () => {
  const evaluation = await evaluated(floats(golden.logits), golden.truth, golden.classes);
  const { perClass, averages, ranking, accuracyInterval, loss, top1Accuracy } = evaluation;
  assert.ok(averages && ranking);
  assert.deepEqual(evaluation.confusion, golden.confusion);
  const figures = { loss, accuracy: top1Accuracy, ...averages, ...ranking };
  for (const key of [
    ...(["loss", "accuracy", "balancedAccuracy", "macroF1", "microF1", "weightedF1"] as const),
    ...(["meanAveragePrecision", "meanRocAuc"] as const),
  ]) {
    assertClose([figures[key] ?? Number.NaN], [golden[key]], tolerance, key);
  }
  for (const key of ["averagePrecision", "rocAuc"] as const) {
    assertClose(values(perClass.map((own) => own[key])), values(golden[key]), tolerance, key);
  }
  // scikit-learn has 0 where there is no figure.
  for (const key of ["precision", "recall", "f1"] as const) {
    const own = perClass.map((each) => each[key] ?? 0);
    assertClose(own, golden[key], tolerance, key);
  }
  assert.deepEqual([perClass[4]?.precision, perClass[5]?.recall], [null, null]);
  for (const key of ["precisionInterval", "recallInterval"] as const) {
    const flat = (list: readonly (Pair | null)[]) => list.flatMap((interval) => interval ?? [-1, -1]);
    assertClose(flat(perClass.map((own) => own[key])), flat(golden[key]), tolerance, key);
  }
  assertClose([...accuracyInterval], [...golden.accuracyInterval], tolerance, "accuracyInterval");
  for (const [part, whole, ...ends] of golden.wilson) {
    assertClose([...(wilsonInterval(part, whole) ?? [])], ends, tolerance, `${part} of ${whole}`);
  }
  // Each point of the curve with ties is one of scikit-learn's.
  const [rates, recalls] = golden.rocPoints;
  const known = new Set(rates.map((rate, i) => `${rate.toFixed(12)} ${recalls[i]?.toFixed(12)}`));
  const curve = ranking.rocCurves[1] ?? [];
  assert.ok(curve.length > 50 && curve.every(([x, y]) => known.has(`${x.toFixed(12)} ${y.toFixed(12)}`)));
  assert.deepEqual(
    [curve[0], curve.at(-1)],
    [
      [0, 0],
      [1, 1],
    ],
  );
});

test("no figure where it is not defined: no images of a class, images of one class only", async () => {
  const one = await evaluated(Float32Array.of(1, 0, 0, 1, 2, 0), [0, 0, 0], 2);
  assert.deepEqual(
    one.perClass.map(({ averagePrecision, rocAuc }) => [averagePrecision, rocAuc]),
    [
      [1, null],
      [null, null],
    ],
  );
  assert.deepEqual([one.averages?.balancedAccuracy, one.ranking?.meanRocAuc], [null, null]);
  assert.deepEqual(one.ranking?.rocCurves, [[], []]);
  assert.equal(wilsonInterval(0, 0), null);
  await assert.rejects(evaluated(Float32Array.of(Number.NaN, 0), [0], 2), { name: "NonFiniteError" });
});

test("area under the ROC curve by pairs: ties of a present and an absent label count half", () => {
  const scores = Float64Array.of(3, 2, 2, 2, 1, 0, 0);
  const present = [true, false, true, true, false, true, false];
  const points = rankLabel({ scores, isPresent: (i) => present[i] === true });
  let [won, pairs] = [0, 0];
  for (const [i, a] of scores.entries()) {
    for (const [j, b] of scores.entries()) {
      if (!present[i] || present[j]) continue;
      pairs++;
      won += a > b ? 1 : a === b ? 0.5 : 0;
    }
  }
  assert.ok(Math.abs((rocAuc(points) ?? 0) - won / pairs) < 1e-15);
  assert.deepEqual(rocCurve(points), [
    [0, 0],
    [0, 0.25],
    [1 / 3, 0.75],
    [2 / 3, 0.75],
    [1, 1],
  ]);
  const many = rankLabel({ scores: Float64Array.from({ length: 5000 }, (_, i) => i), isPresent: (i) => i % 3 === 0 });
  assert.ok(rocCurve(many).length <= 101);
});
