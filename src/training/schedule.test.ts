import assert from "node:assert/strict";
import { test } from "node:test";
import { advance, initialScheduleState, type Schedule, scheduleSchema } from "./schedule.ts";

/** The factor in force after each epoch, for test accuracies epoch by epoch. */
function factors(schedule: Schedule, accuracies: readonly number[]): readonly number[] {
  let state = initialScheduleState;
  return accuracies.map((accuracy, i) => {
    state = advance(schedule, state, { done: i + 1, total: accuracies.length }, { testAccuracy: accuracy });
    return state.factor;
  });
}

const assertFactors = (actual: readonly number[], expected: readonly number[]) =>
  // Powers of 0.1 by multiplication and by ** differ in the last bit.
  assert.deepEqual(
    actual.map((factor) => factor.toPrecision(12)),
    expected.map((factor) => factor.toPrecision(12)),
  );

test("constant: the factor is 1 whatever the accuracy", () => {
  assertFactors(factors({ kind: "constant" }, [0.5, 0.4, 0.4, 0.4, 0.4]), [1, 1, 1, 1, 1]);
});

test("step: × factor after every everyEpochs epochs", () => {
  const accuracies = [0.1, 0.2, 0.3, 0.4, 0.5];
  assertFactors(factors({ kind: "step", everyEpochs: 2, factor: 0.1 }, accuracies), [1, 0.1, 0.1, 0.01, 0.01]);
  assertFactors(
    factors({ kind: "step", everyEpochs: 1, factor: 0.5 }, accuracies),
    [0.5, 0.25, 0.125, 0.0625, 0.03125],
  );
});

test("step: the end of a last epoch that is cut short reduces nothing", () => {
  const { factor } = advance(
    { kind: "step", everyEpochs: 1, factor: 0.1 },
    initialScheduleState,
    { done: 0.25, total: 0.25 },
    { testAccuracy: 0.5 },
  );
  assert.equal(factor, 1);
});

test("plateau: × factor after `patience` evaluations without a better one, and patience begins anew", () => {
  const schedule: Schedule = { kind: "plateau", factor: 0.1, patience: 2, reductions: 3 };
  const accuracies = [0.5, 0.5, 0.6, 0.6, 0.59, 0.58, 0.6, 0.61, 0.6, 0.6];
  assertFactors(factors(schedule, accuracies), [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001]);
});

test("plateau: an equal accuracy is none that is better; at most `reductions` times", () => {
  const schedule: Schedule = { kind: "plateau", factor: 0.1, patience: 1, reductions: 2 };
  assertFactors(factors(schedule, [0.5, 0.5, 0.5, 0.5, 0.5]), [1, 0.1, 0.01, 0.01, 0.01]);
});

test("a schedule's state survives JSON, as it does in checkpoints", () => {
  const schedule: Schedule = { kind: "plateau", factor: 0.1, patience: 1, reductions: 2 };
  const state = [0.5, 0.4].reduce(
    (before, testAccuracy, i) => advance(schedule, before, { done: i + 1, total: 2 }, { testAccuracy }),
    initialScheduleState,
  );
  assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
});

test("schedules: the paper's values are the defaults; what makes no sense is refused", () => {
  assert.deepEqual(scheduleSchema.parse({ kind: "plateau" }), {
    kind: "plateau",
    factor: 0.1,
    patience: 2,
    reductions: 3,
  });
  for (const wrong of [
    { kind: "linear" },
    { kind: "cosine", floor: 1 },
    { kind: "step", everyFraction: 1.5 },
    { kind: "step", everyEpochs: 0.5 },
    { kind: "step", everyEpochs: 1, factor: 1 },
    { kind: "plateau", patience: 0 },
    { kind: "constant", factor: 0.1 },
  ]) {
    assert.equal(scheduleSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
});
