/** Measures, statistics and verdicts by hand-computed values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry } from "../checkpoint/runLog.ts";
import type { ArmResult } from "./armResults.ts";
import type { Finding } from "./experiment.ts";
import { conclusionOf, judge } from "./findings.ts";
import { epochsTo, formatStatistics, measures, type Statistics, statisticsOf, units } from "./measures.ts";

function entry(epoch: number, trainAccuracy: number, testAccuracy?: number): LogEntry {
  return {
    epoch,
    iteration: 10 * epoch,
    trainLoss: 1,
    trainAccuracy,
    ...(testAccuracy === undefined ? {} : { testAccuracy }),
    learningRate: 0.1,
    examplesPerSecond: 1,
    seconds: 2 * epoch,
  };
}

test("epochs to a training error are interpolated between evaluations; infinite if it is not reached", () => {
  const log = [entry(0.5, 0.9), entry(1, 0.5, 0.4), entry(2, 0.7, 0.6), entry(3, 0.8, 0.6)];
  // From 30 to 20 % between epochs 2 and 3; the line without an evaluation does not count.
  assert.ok(Math.abs((epochsTo(0.25, log) ?? 0) - 2.5) < 1e-12, "rounding of 1 − accuracy");
  assert.equal(epochsTo(0.6, log), 1);
  assert.equal(epochsTo(0.1, log), Number.POSITIVE_INFINITY);
  assert.equal(epochsTo(0.1, [entry(0.5, 0.9)]), undefined);
});

test("measures of a run are those of its last evaluation, not its best", () => {
  const run = { log: [entry(1, 0.5, 0.75), entry(2, 0.625, 0.5)], evaluated: { trainError: 0.25 } };
  const values = Object.fromEntries(Object.entries(measures).map(([name, { of }]) => [name, of(run)]));
  assert.deepEqual(values, {
    testError: 0.5,
    trainError: 0.25,
    gap: 0.25,
    runningError: 0.375,
    trainLoss: 1,
    epochsToTarget: Number.POSITIVE_INFINITY,
    step: 200,
    time: 4,
  });
});

test("mean and sample deviation, as text with one unit", () => {
  const three = statisticsOf([0.1, 0.2, 0.3]) as Statistics;
  assert.ok(Math.abs(three.mean - 0.2) < 1e-15 && Math.abs(three.deviation - 0.1) < 1e-15, "rounding of sums");
  assert.equal(formatStatistics(three, units.fraction.format), "20.0 ± 10.0 %");
  assert.equal(formatStatistics(three, units.fraction.difference), "+20.0 ± 10.0 points");
  const one = statisticsOf([-0.012]) as Statistics;
  assert.equal(formatStatistics(one, units.fraction.difference), "−1.2 points");
  const times = statisticsOf([80, 100]) as Statistics;
  assert.equal(formatStatistics(times, units.duration.format), "1 min 30 s ± 14 s");
  assert.equal(statisticsOf([]), undefined);
  const epochs = (values: readonly number[]) =>
    formatStatistics(statisticsOf(values) as Statistics, units.epochs.format);
  assert.deepEqual([epochs([Infinity]), epochs([1, Infinity])], ["not reached", "not reached in 1 of 2"]);
});

/** Arms with a value of one measure for each seed; undefined for none. Runs have `epochs` epochs. */
function results(arms: Readonly<Record<string, readonly (number | undefined)[]>>, epochs = 12): readonly ArmResult[] {
  return Object.entries(arms).map(([arm, values]) => ({
    arm,
    values: {},
    seeds: values.map((value, seed) => ({
      seed,
      runs: [],
      status: value === undefined ? "diverged" : "finished",
      measures: value === undefined ? {} : { testError: value },
      seconds: 1,
      log: [entry(epochs, 0.5, 0.5)],
    })),
  }));
}

const finding: Finding = {
  name: "b − a",
  compare: "difference",
  of: { arm: "b", measure: "testError" },
  to: { arm: "a", measure: "testError" },
  published: "+1 point",
  above: 0,
};

test("a finding compares within each seed, and holds only if every seed agrees", () => {
  const judged = (b: readonly (number | undefined)[], change: Partial<Finding> = {}) =>
    judge({ evaluations: [] }, results({ a: [0.25, 0.5, 0.25], b }), { ...finding, ...change });
  const all = judged([0.5, 0.75, 0.5]);
  assert.deepEqual(
    [all.values, all.measured, all.verdict, all.sentence],
    [[0.25, 0.25, 0.25], "+25.0 ± 0.0 points", "holds", "holds in all 3 seeds"],
  );
  assert.equal(judged([0.5, 0.25, 0.5]).sentence, "undecided: holds in 2 of 3 seeds");
  assert.equal(judged([0.25, 0.25, 0.25]).sentence, "does not hold in any of 3 seeds", "the bound is excluded");
  assert.equal(
    judged([0.5, undefined, undefined]).sentence,
    "undecided: holds in 1 of 3 seeds, not measured in 2 (a run diverged)",
    "a run that diverged is no agreement",
  );
  const none = judged([undefined, undefined, undefined]);
  assert.deepEqual([none.verdict, none.sentence], ["not measured", "not measured (a run diverged)"]);
  const ratio = { compare: "ratio", above: 1.5, below: 3 } as const;
  assert.deepEqual(judged([0.5, 1, 0.5], ratio).measured, "2.0 ± 0.0 times");
  assert.deepEqual(judged([0.5, 1, 2], ratio).verdict, "undecided");
});

test("a target that was not reached in 12 epochs decides a comparison only if 12 epochs do", () => {
  // Epochs to the target of arm a, whose numbers are those of `testError` here, and of b.
  const judged = (a: readonly number[], b: readonly number[], change: Partial<Finding> = {}) =>
    judge({ evaluations: [] }, results({ a, b }), { ...finding, compare: "ratio", above: 3, ...change });
  const over = judged([3, 2, 3.5], [Infinity, Infinity, Infinity]);
  assert.deepEqual(
    [over.measured, over.verdict, over.sentence],
    ["not reached by the first: more than 3.4 times", "holds", "holds in all 3 seeds"],
  );
  const open = judged([5, 3, 6], [Infinity, Infinity, 8]);
  assert.deepEqual(
    [open.measured, open.verdict, open.sentence],
    [
      "not reached by the first: more than 1.3 times",
      "undecided",
      "undecided: holds in 1 of 3 seeds, not reached in time in 1",
    ],
  );
  assert.equal(judged([5], [Infinity]).sentence, "undecided (one seed): a target was not reached in time");
  const second = judged([Infinity, Infinity], [6, 3]);
  assert.deepEqual(
    [second.measured, second.values, second.verdict],
    ["not reached by the second: less than 0.50 times", [0, 0], "fails"],
  );
  const neither = judged([Infinity, Infinity], [Infinity, 3]);
  assert.deepEqual(
    [neither.measured, neither.sentence],
    ["not reached by the first and the second", "undecided: holds in 0 of 2 seeds, not reached in time in 1"],
    "a seed in which neither reached it counts",
  );
});

test("the conclusion counts what holds, and says when it is no evidence", () => {
  const [held, failed] = [
    [0.5, 0.75],
    [0, 0],
  ].map((b) => judge({ evaluations: [] }, results({ a: [0.25, 0.5], b }), finding)) as [
    ReturnType<typeof judge>,
    ReturnType<typeof judge>,
  ];
  assert.equal(conclusionOf([held, held], false), "All 2 comparisons hold.");
  assert.equal(conclusionOf([held, failed], false), "1 of 2 comparisons hold.");
  assert.equal(conclusionOf([failed], false), "The comparison does not hold.");
  const open = { ...failed, verdict: "undecided" } as const;
  const unmeasured = { ...failed, verdict: "not measured" } as const;
  assert.equal(conclusionOf([open], false), "The comparison is undecided.");
  assert.equal(conclusionOf([failed, open], false), "None of 2 comparisons holds; 1 undecided.");
  assert.equal(
    conclusionOf([held, held, open, unmeasured], false, ["Diverged: b (1 of 2 seeds)."]),
    "2 of 3 comparisons hold; 1 undecided, 1 not measured. Diverged: b (1 of 2 seeds).",
  );
  assert.match(conclusionOf([held], true), /says nothing about the claim/);
  assert.match(conclusionOf([{ ...held, values: [1] }], false), /One seed gives no deviation/);
});
