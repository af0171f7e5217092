import assert from "node:assert/strict";
import { test } from "node:test";
import { lowRateWarning } from "./lowRate.ts";
import { rateScale } from "./rateScale.ts";
import { recipeSchema, recipes } from "./recipe.ts";
import {
  advance,
  initialScheduleState,
  learningRateAt,
  type RateRecipe,
  type Schedule,
  scheduleNames,
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

test("linear scaling: in proportion to the images per step, and none without a base", () => {
  const recipe = {
    learningRate: 0.2,
    schedule: { kind: "constant" },
    warmup: 0,
    batchSize: 1024,
    accumulate: 4,
  } as const;
  const position = { steps: 0, schedule: initialScheduleState, rollbacks: { factor: 0.5 } };
  const rateOf = (of: RateRecipe) => learningRateAt(of, { perEpoch: 1, total: 1 }, position);
  assert.equal(rateOf(recipe), 0.1);
  assert.equal(rateOf({ ...recipe, baseBatchSize: 128 }), 3.2);
  assert.equal(rateOf({ ...recipe, baseBatchSize: 128, accumulate: 1 }), 0.8);
  assert.equal(lowRateWarning({ ...recipe, baseBatchSize: 1_000_000_000, epochs: 3 }), undefined);
});

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

test("step: × factor at the ends of the epochs that complete the listed fractions of the run", () => {
  const schedule = scheduleSchema.parse({ kind: "step", at: [140 / 160, 150 / 160] });
  assert.deepEqual(schedule, { kind: "step", at: [140 / 160, 150 / 160], factor: 0.1 });
  const after = factors(schedule, Array(160).fill(0.5));
  assertFactors(
    [139, 140, 149, 150, 160].map((epochs) => after[epochs - 1] as number),
    [1, 0.1, 0.1, 0.01, 0.01],
  );
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
    { kind: "sawtooth" },
    { kind: "linear", floor: -0.1 },
    { kind: "polynomial", power: 0 },
    { kind: "exponential", final: 0 },
    { kind: "one-cycle", rise: 1 },
    { kind: "cosine-restarts", cycles: 1.5 },
    { kind: "cosine-restarts", cycles: 1e9 },
    { kind: "cosine-restarts", growth: 0.5 },
    { kind: "cosine", floor: 1 },
    { kind: "step", everyFraction: 1.5 },
    { kind: "step", everyEpochs: 0.5 },
    { kind: "step", at: [1] },
    { kind: "step", at: [] },
    { kind: "step", at: [0.5], everyFraction: 0.5 },
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
    for (const kind of scheduleNames) {
      const made = recipeSchema.parse({ ...recipe, schedule: { kind } });
      const highest = made.learningRate * rateScale(made);
      for (const rate of ratesOf(made)) assert.ok(rate > 0 && rate <= highest, `${recipe.name}, ${kind}`);
    }
  }
});

/** The factor of a schedule in each of `total` steps, and after the last one. */
function factorsAlong(schedule: Schedule, total: number, warmup = 0): readonly number[] {
  const recipe = { learningRate: 1, schedule, warmup };
  const position = (steps: number) => ({ steps, schedule: initialScheduleState, rollbacks: { factor: 1 } });
  return Array.from({ length: total + 1 }, (_, steps) =>
    learningRateAt(recipe, { perEpoch: 1, total }, position(steps)),
  );
}

/** Both are sums and products of a few factors: they differ in the last bits only. */
function assertClose(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of actual.entries())
    assert.ok(Math.abs(value - (expected[i] as number)) < 1e-12, `${i}: ${value}, ${expected[i]}`);
}

/** Step by step, as the chained forms of torch.optim.lr_scheduler compute them. */
function chained(total: number, next: (rate: number, step: number) => number, first = 1): readonly number[] {
  const rates = [first];
  for (let step = 1; step <= total; step++) rates.push(next(rates.at(-1) as number, step));
  return rates;
}

const schedule = (given: object) => scheduleSchema.parse(given);

test("linear, polynomial and exponential: PyTorch's chained forms, step by step", () => {
  const total = 20;
  // LinearLR: rate · (1 + (end − start) / (T · start + (step − 1) · (end − start))).
  const linear = chained(total, (rate, step) => rate * (1 + (0.1 - 1) / (total + (step - 1) * (0.1 - 1))));
  assertClose(factorsAlong(schedule({ kind: "linear", floor: 0.1 }), total), linear);
  // PolynomialLR: rate · ((1 − step / T) / (1 − (step − 1) / T))^power.
  const polynomial = chained(total, (rate, step) => rate * ((1 - step / total) / (1 - (step - 1) / total)) ** 2);
  assertClose(factorsAlong(schedule({ kind: "polynomial", power: 2 }), total), polynomial);
  assert.deepEqual(
    factorsAlong(schedule({ kind: "polynomial", power: 1, floor: 0.1 }), total).map((rate) => rate.toFixed(12)),
    factorsAlong(schedule({ kind: "linear", floor: 0.1 }), total).map((rate) => rate.toFixed(12)),
  );
  const gamma = 0.001 ** (1 / total);
  assertClose(
    factorsAlong(schedule({ kind: "exponential", final: 0.001 }), total),
    chained(total, (rate) => rate * gamma),
  );
});

test("one-cycle: from start to 1 at the given fraction, then to end, with the slopes of half a cosine", () => {
  const rates = factorsAlong(schedule({ kind: "one-cycle", rise: 0.25, start: 0.1, end: 0.01 }), 40);
  assertClose(
    [0, 5, 10, 25, 40].map((step) => rates[step] as number),
    [0.1, 0.55, 1, 0.505, 0.01],
  );
  assert.ok(
    rates.slice(1, 11).every((rate, i) => rate > (rates[i] as number)),
    "rises",
  );
  assert.ok(
    rates.slice(11).every((rate, i) => rate < (rates[i + 10] as number)),
    "falls",
  );
  assert.deepEqual(schedule({ kind: "one-cycle" }), { kind: "one-cycle", rise: 0.3, start: 1 / 25, end: 1 / 25 / 1e4 });
});

test("cosine with restarts: each cycle is a cosine, and cycles grow", () => {
  const cosine = factorsAlong(schedule({ kind: "cosine", floor: 0.1 }), 10);
  const equal = factorsAlong(schedule({ kind: "cosine-restarts", cycles: 3, floor: 0.1 }), 30);
  assertClose(equal, [...cosine.slice(0, 10), ...cosine.slice(0, 10), ...cosine]);
  const growing = factorsAlong(schedule({ kind: "cosine-restarts", cycles: 3, growth: 2 }), 70);
  const restarts = [...growing.keys()].filter(
    (step) => step > 0 && (growing[step] as number) > (growing[step - 1] as number),
  );
  assert.deepEqual(restarts, [10, 30]);
  assertClose(
    restarts.map((step) => growing[step] as number),
    [1, 1],
  );
  assertClose(
    factorsAlong(schedule({ kind: "cosine-restarts", cycles: 1 }), 10),
    factorsAlong(schedule({ kind: "cosine" }), 10),
  );
  const many = factorsAlong(schedule({ kind: "cosine-restarts", cycles: 400, growth: 10 }), 10);
  // The last cycle begins at a tenth of the run.
  assertClose(many, [1, ...factorsAlong(schedule({ kind: "cosine" }), 9)]);
});

test("schedules along the run begin after the warm-up, which rises to their first factor", () => {
  for (const kind of scheduleNames) {
    const given = schedule({ kind });
    const [with5, without] = [factorsAlong(given, 25, 5), factorsAlong(given, 20)];
    assertClose(with5.slice(5), without);
    assertClose(
      with5.slice(0, 5),
      [1, 2, 3, 4, 5].map((step) => ((without[0] as number) * step) / 5),
    );
  }
});
