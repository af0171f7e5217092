import assert from "node:assert/strict";
import { test } from "node:test";
import { recipeSchema, recipes } from "./recipe.ts";
import {
  advance,
  initialScheduleState,
  learningRateAt,
  lowRateWarning,
  type RateRecipe,
  type Schedule,
  scheduleSchema,
} from "./schedule.ts";

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

test("plateau: × factor after `patience` evaluations without a better one, and patience starts again", () => {
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

/** The learning rate of each epoch, if the accuracy rises from one to the next. */
function ratesOf(recipe: RateRecipe & { readonly epochs: number }): readonly number[] {
  const total = recipe.epochs;
  let schedule = initialScheduleState;
  return Array.from({ length: total }, (_, done) => {
    const position = { steps: done, schedule, rollbacks: { factor: 1 } };
    const rate = learningRateAt(recipe, { perEpoch: 1, total }, position);
    schedule = advance(recipe.schedule, schedule, { done: done + 1, total }, { testAccuracy: done / total });
    return rate;
  });
}

const recipeNamed = (name: string) => recipes.find((recipe) => recipe.name === name) as (typeof recipes)[number];

test("step without an interval: the rate falls after each third of the run", () => {
  const schedule = scheduleSchema.parse({ kind: "step" });
  assert.deepEqual(schedule, { kind: "step", everyFraction: 1 / 3, factor: 0.1 });
  for (const total of [3, 9, 30, 31, 93, 399]) {
    const rates = ratesOf({ learningRate: 1, schedule, warmup: 0, epochs: total });
    const expected = rates.map((_, done) => 0.1 ** Math.floor((3 * done) / total));
    assert.deepEqual(rates, expected, String(total));
  }
});

test("recipes with steps: the same learning rates to the bit at their own epochs and below, stretched above", () => {
  for (const [name, every] of [
    ["photos", 10],
    ["small", 8],
  ] as const) {
    const recipe = recipeNamed(name);
    const fixed: Schedule = { kind: "step", everyEpochs: every, factor: 0.1 };
    for (const epochs of [1, 2, every + 1, recipe.epochs]) {
      assert.deepEqual(ratesOf({ ...recipe, epochs }), ratesOf({ ...recipe, schedule: fixed, epochs }), name);
    }
    const long = ratesOf({ ...recipe, epochs: 400 });
    assert.equal(long.at(-1), 0.01 * 0.1 ** 2, name);
    assert.equal(long.filter((rate) => rate === 0.01).length, Math.ceil((400 * every) / recipe.epochs), name);
    assert.equal(lowRateWarning({ ...recipe, epochs: 400 }), undefined, name);
  }
});

test("everyEpochs alone does not stretch; a run with hardly a learning rate for more than a third of it is warned of", () => {
  const schedule: Schedule = { kind: "step", everyEpochs: 10, factor: 0.1 };
  const recipe = { ...recipeNamed("photos"), schedule };
  assert.equal(ratesOf({ ...recipe, epochs: 400 })[70], 0.01 * 0.1 ** 7);
  assert.match(
    lowRateWarning({ ...recipe, epochs: 400 }) ?? "",
    /^schedule step: .* in 330 of 400 epochs; .*everyFraction/,
  );
  assert.match(lowRateWarning({ ...recipe, epochs: 107 }) ?? "", /in 37 of 107 epochs/);
  assert.equal(lowRateWarning({ ...recipe, epochs: 105 }), undefined, "35 of 105 are no more than a third");
  for (const named of recipes) assert.equal(lowRateWarning(named), undefined, named.name);
  const cosine: Schedule = { kind: "cosine", floor: 0 };
  assert.equal(lowRateWarning({ ...recipe, schedule: cosine, warmup: 5, epochs: 400 }), undefined);
});

test("every schedule runs over the epochs of every recipe, at a rate above 0 and never above the recipe's", () => {
  for (const recipe of recipes) {
    for (const kind of ["constant", "step", "plateau", "cosine"] as const) {
      const made = recipeSchema.parse({ ...recipe, schedule: { kind } });
      for (const rate of ratesOf(made)) assert.ok(rate > 0 && rate <= made.learningRate, `${recipe.name}, ${kind}`);
    }
  }
});
