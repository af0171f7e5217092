/** Measures, statistics and verdicts by hand-computed values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry } from "../checkpoint/runLog.ts";
import type { ArmResult, Measured } from "./armResults.ts";
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
  assert.equal(formatStatistics(statisticsOf([1, Infinity]) as Statistics, units.epochs.format), "not reached");
});

/** Arms with a value of one measure for each seed; undefined for none. */
function results(arms: Readonly<Record<string, readonly (number | undefined)[]>>): readonly ArmResult[] {
  return Object.entries(arms).map(([arm, values]) => ({
    arm,
    values: {},
    seeds: values.map((value, seed) => ({
      seed,
      runs: [],
      status: "finished",
      measures: value === undefined ? {} : { testError: value },
      seconds: 1,
      log: [],
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
  assert.equal(judged([0.5, undefined, undefined]).sentence, "holds (one seed)");
  assert.deepEqual(judged([undefined, undefined, undefined]).verdict, "not measured");
  const ratio = { compare: "ratio", above: 1.5, below: 3 } as const;
  assert.deepEqual(judged([0.5, 1, 0.5], ratio).measured, "2.0 ± 0.0 times");
  assert.deepEqual(judged([0.5, 1, 2], ratio).verdict, "undecided");
  const endless = judged([Infinity, Infinity, Infinity], { compare: "ratio", above: 3 });
  assert.deepEqual([endless.measured, endless.verdict], ["not reached by the first", "holds"]);
  const swapped = { of: finding.to as Measured, to: finding.of };
  const second = judged([Infinity, 0.25, 0.25], { ...swapped, compare: "ratio", above: 3 });
  assert.deepEqual([second.measured, second.values], ["not reached by the second", [0, 2, 1]]);
  const mixed = judge({ evaluations: [] }, results({ a: [Infinity, 0.5], b: [0.5, Infinity] }), finding);
  assert.equal(mixed.measured, "not reached by the first and the second");
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
  assert.match(conclusionOf([held], true), /says nothing about the claim/);
  assert.match(conclusionOf([{ ...held, values: [1] }], false), /One seed gives no deviation/);
});
