import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../errors.ts";
import { findRecipe, parseRecipe, recipes } from "./recipe.ts";

const minimal = {
  name: "mine",
  epochs: 1,
  batchSize: 32,
  learningRate: 0.1,
  optimizer: {},
  initializer: { weight: { kind: "heNormal" } },
  normalization: "unit",
};

test("what is left out of a recipe is plain SGD at a constant rate", () => {
  assert.deepEqual(parseRecipe(minimal, "mine.json"), {
    ...minimal,
    source: "",
    deviations: [],
    optimizer: { kind: "sgd", form: "paper", momentum: 0, weightDecay: 0 },
    schedule: { kind: "constant" },
    warmup: 0,
    accumulate: 1,
    multipliers: {},
    initializer: { weight: { kind: "heNormal" }, bias: "zero", ones: [] },
    fit: "resize",
    filter: "bilinear",
    augmentation: {},
    labelSmoothing: 0,
    mixup: 0,
    classWeights: "none",
    sampler: "shuffle",
    seed: 0,
  });
});

test("the named recipes are recipes, each with a source, and found by name", () => {
  for (const recipe of recipes) {
    assert.deepEqual(parseRecipe(JSON.parse(JSON.stringify(recipe)), recipe.name), recipe);
    assert.notEqual(recipe.source, "");
    assert.equal(findRecipe(recipe.name), recipe);
  }
  assert.throws(
    () => findRecipe("adam"),
    (error) => error instanceof ConfigError && /"adam".*fashion, d2l, paper/.test(error.message),
  );
});

test("the paper's recipe is §5 of the paper", () => {
  const { batchSize, learningRate, optimizer, schedule, initializer, epochs } = findRecipe("paper");
  assert.deepEqual([batchSize, learningRate, epochs], [128, 0.01, 90]);
  assert.deepEqual(optimizer, { kind: "sgd", form: "paper", momentum: 0.9, weightDecay: 0.0005 });
  assert.deepEqual(schedule, { kind: "plateau", factor: 0.1, patience: 2, reductions: 3 });
  assert.deepEqual(initializer.weight, { kind: "gaussian", deviation: 0.01 });
  assert.deepEqual(initializer.ones, ["conv2", "conv4", "conv5", "fc6", "fc7"]);
});

test("an unknown key or a value that makes no sense is refused, naming where it is", () => {
  const wrong: readonly (readonly [change: object, says: RegExp])[] = [
    [{ learningrate: 0.1 }, /learningrate/],
    [{ optimizer: { momentun: 0.9 } }, /optimizer: .*momentun/],
    [{ optimizer: { kind: "adagrad" } }, /optimizer\.kind/],
    [{ optimizer: { kind: "adam", momentum: 0.9 } }, /optimizer: .*momentum/],
    [{ clipNorm: 0 }, /clipNorm/],
    [{ accumulate: 0 }, /accumulate/],
    [{ average: 1 }, /average/],
    [{ warmup: -1 }, /warmup/],
    [{ optimizer: { momentum: 1 } }, /optimizer\.momentum/],
    [{ optimizer: { form: "nesterov" } }, /optimizer\.momentum: expected more than 0 for Nesterov's form/],
    [{ initializer: { weight: { kind: "gaussian" } } }, /initializer\.weight\.deviation/],
    [{ initializer: { weight: { kind: "heNormal" }, gain: 2 } }, /initializer: .*gain/],
    [{ multipliers: { bias: { rate: 2 } } }, /multipliers\.bias: .*rate/],
    [{ normalization: "none" }, /normalization/],
    [{ schedule: { kind: "step", everyEpochs: 0 } }, /schedule\.everyEpochs/],
    [{ epochs: 0 }, /epochs/],
    [{ batchSize: 1.5 }, /batchSize/],
    [{ labelSmoothing: 1 }, /labelSmoothing/],
    [{ mixup: -0.1 }, /mixup/],
    [{ cutmix: -1 }, /cutmix/],
    [{ classWeights: { cat: 0 } }, /classWeights/],
    [{ sampler: "weighted" }, /sampler/],
    [{ earlyStopping: { patience: 0 } }, /earlyStopping\.patience/],
    [{ seed: -1 }, /seed/],
    [{ learningRate: "0.1" }, /learningRate/],
    [{ name: undefined }, /name/],
  ];
  for (const [change, says] of wrong) {
    assert.throws(
      () => parseRecipe({ ...minimal, ...change }, "mine.json"),
      (error) => error instanceof ConfigError && error.message.startsWith("mine.json: ") && says.test(error.message),
      JSON.stringify(change),
    );
  }
});
