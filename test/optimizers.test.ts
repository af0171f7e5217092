/**
 * 1,000 steps of every optimizer, with clipping, accumulation and averaging, and the rates of every schedule, are PyTorch's
 * (scripts/golden/optimizers.py made the golden); PyTorch has no LARS, which is compared with its paper's formulas (scripts/golden/lars.py).
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { flatten, linear } from "../src/layers/kinds.ts";
import { createOptimizer, type Optimizer } from "../src/training/optimizers/optimizer.ts";
import { optimizerNames } from "../src/training/optimizers/optimizers.ts";
import { parseRecipe, type Recipe } from "../src/training/recipe.ts";
import { advance, initialScheduleState, learningRateAt, runSteps, scheduleNames } from "../src/training/schedule.ts";
import { assertClose, assertCloseNorm, norm } from "./assertClose.ts";
import { compileTraining } from "./chains.ts";
import { type EngineUnderTest, engines } from "./engines.ts";
import { drawn, readGolden } from "./golden.ts";

type Case = Pick<Recipe, "optimizer" | "learningRate" | "clipNorm" | "accumulate" | "average"> & {
  readonly weights: readonly (readonly number[])[];
};

interface Golden {
  readonly seed: number;
  readonly steps: number;
  readonly every: number;
  readonly optimizers: readonly Case[];
  readonly perEpoch: number;
  readonly epochs: number;
  readonly accuracies: readonly number[];
  readonly schedules: readonly (Pick<Recipe, "schedule" | "warmup"> & { readonly rates: readonly number[] })[];
}

const golden = await readGolden<Golden>("optimizers");
const cases = [...golden.optimizers, ...(await readGolden<Pick<Golden, "optimizers">>("lars")).optimizers];
/** A weight [2, 3] and a bias [2]. */
const size = 8;
const imagesOf = (batch: number) => 1 + (batch % 5);

/** A recipe with what a case names, and the defaults of all else. */
function recipeOf(changes: object): Recipe {
  const rest = { name: "golden", epochs: golden.epochs, batchSize: 1, learningRate: 0.1, normalization: "unit" };
  return parseRecipe({ ...rest, optimizer: {}, initializer: { weight: { kind: "pytorch" } }, ...changes }, "golden");
}

async function trajectory(
  engineUnderTest: EngineUnderTest,
  recipe: Recipe,
  steps: number,
): Promise<readonly Float32Array[]> {
  const engine = await engineUnderTest.create({ threads: 1 });
  const program = await compileTraining(engine, engineUnderTest.settings, {
    input: [3, 1, 1],
    layers: [flatten("flatten"), linear("fc", { outFeatures: 2 })],
    batchSize: 1,
    inputGradient: false,
  });
  const draw = (purpose: string, length: number, low: number, high: number) =>
    drawn(golden.seed, purpose, length, low, high);
  const [first, centre, curvature] = [
    draw("first", size, -1, 1),
    draw("centre", size, -1, 1),
    draw("curvature", size, 0.5, 2),
  ];
  const noise = draw("noise", golden.steps * size, -0.5, 0.5);
  const { parameters } = program;
  const places = [
    [0, 6],
    [6, 8],
  ] as const;
  const now = new Float32Array(size);
  const readInto = async (values: Float32Array) => {
    for (const [i, { value }] of parameters.entries()) await program.read(value, values.subarray(...(places[i] ?? [])));
  };
  for (const [i, { value }] of parameters.entries()) await program.write(value, first.slice(...(places[i] ?? [])));
  const optimizer = createOptimizer(program, recipe);
  optimizer.start();
  const kept: Float32Array[] = [];
  let batch = 0;
  for (let step = 1; step * recipe.accumulate <= steps; step++) {
    let images = 0;
    for (let i = 0; i < recipe.accumulate; i++, batch++) {
      await readInto(now);
      const gradient = now.map(
        (w, j) => (curvature[j] as number) * (w - (centre[j] as number)) + (noise[batch * size + j] as number),
      );
      for (const [p, parameter] of parameters.entries()) {
        await program.write(parameter.gradient, gradient.slice(...(places[p] ?? [])));
      }
      images += imagesOf(batch);
      optimizer.addBatch(imagesOf(batch), i === 0);
    }
    await optimizer.step({ learningRate: recipe.learningRate, step, images });
    if (step % golden.every === 0) kept.push(await evaluated(optimizer, readInto));
  }
  program.close();
  engine.close();
  return kept;
}

async function evaluated(optimizer: Optimizer, readInto: (values: Float32Array) => Promise<void>) {
  const values = new Float32Array(size);
  await optimizer.withAverage(() => readInto(values));
  return values;
}

/** What is computed in f32, or written in it, is rounded at every step, and drawn back to the middle of the bowl. */
const tolerance = 1e-6;

/** A software adapter takes long for steps that read norms: one case of LARS, of few steps. */
const onAdapter = cases.filter(({ optimizer, accumulate }) => optimizer.kind !== "lars" || accumulate !== undefined);

const libraryOf = ({ name }: EngineUnderTest) => name.split(",")[0];

// Updates know nothing of precisions and algorithms: once for each library. A software adapter needs seconds for a hundred steps.
for (const engine of engines.filter((one) => one === engines.find((other) => libraryOf(other) === libraryOf(one)))) {
  const steps = engine.isEmulated ? 2 * golden.every : golden.steps;
  describe(`${engine.name}, ${steps} steps`, () => {
    for (const { weights, ...options } of engine.isEmulated ? onAdapter : cases) {
      it(JSON.stringify(options), async () => {
        const actual = await trajectory(engine, recipeOf(options), steps);
        assert.equal(actual.length, Math.floor((steps / golden.steps) * weights.length));
        for (const [i, values] of actual.entries()) {
          assertCloseNorm(values, weights[i] ?? [], tolerance, `after ${golden.every * (i + 1)} steps`);
        }
      });
    }
  });
}

it("every kind of optimizer is among them, and no two cases could be taken for each other", () => {
  assert.deepEqual([...new Set(cases.map(({ optimizer }) => optimizer.kind))], optimizerNames);
  for (const [i, { weights }] of cases.entries()) {
    for (const other of cases.slice(0, i)) {
      const difference = norm(Float64Array.from(weights[1] ?? [], (w, j) => w - (other.weights[1]?.[j] as number)));
      assert.ok(difference > 100 * tolerance, `${JSON.stringify(other.optimizer)}: ${difference}`);
    }
  }
});

for (const { rates, ...options } of golden.schedules) {
  it(`rates of ${JSON.stringify(options)}`, () => {
    const recipe = recipeOf(options);
    const steps = runSteps(recipe, golden.perEpoch);
    assert.deepEqual(steps, { perEpoch: golden.perEpoch, total: golden.perEpoch * golden.epochs });
    let schedule = initialScheduleState;
    const actual: number[] = [];
    for (let step = 0; step < steps.total; step++) {
      if (step % 10 === 0)
        actual.push(learningRateAt(recipe, steps, { steps: step, schedule, rollbacks: { factor: 1 } }));
      const epoch = (step + 1) / golden.perEpoch;
      if (Number.isInteger(epoch)) {
        schedule = advance(
          recipe.schedule,
          schedule,
          { done: epoch, total: golden.accuracies.length },
          { testAccuracy: golden.accuracies[epoch - 1] as number },
        );
      }
    }
    // PyTorch multiplies step by step: some hundred roundings of f64.
    assertClose(actual, rates, { relative: 1e-12 }, "rate");
  });
}

/** Kinds that src/training/schedule.test.ts compares with PyTorch's formulas and with exact values. */
const byFormula = ["linear", "polynomial", "exponential", "one-cycle", "cosine-restarts"];

it("every kind of schedule is among them, or is compared with its formula", () => {
  const kinds = golden.schedules.map(({ schedule }) => schedule.kind);
  assert.deepEqual(new Set([...kinds, ...byFormula]), new Set(scheduleNames));
});
