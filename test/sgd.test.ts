/**
 * 1,000 scalar steps of SGD with momentum and weight decay while the learning rate changes, in PyTorch's form and in the
 * paper's (scripts/golden/sgd.py made the golden). The paper's velocity keeps the learning rate it was made with.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Engine, Term, TrainingProgram } from "../src/engine/engine.ts";
import { flatten, linear } from "../src/layers/kinds.ts";
import { compileTraining } from "./chains.ts";
import { engines } from "./engines.ts";
import { drawn, readGolden } from "./golden.ts";

interface Golden {
  readonly seed: number;
  readonly gradientBound: number;
  readonly first: number;
  readonly momentum: number;
  readonly weightDecay: number;
  /** [from this step on, learning rate]. */
  readonly learningRates: readonly (readonly [step: number, rate: number])[];
  readonly pytorch: readonly number[];
  readonly paper: readonly number[];
}

interface Rates {
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

/** One update of a parameter: what velocity and weight become. */
type Form = (program: TrainingProgram, velocity: Term[1], rates: Rates) => void;

/** v ← m v + g + λ w; w ← w − ε v. */
const pytorch: Form = (program, velocity, { learningRate, momentum, weightDecay }) => {
  const { value, gradient } = program.parameters[1] as TrainingProgram["parameters"][number];
  program.combine(velocity, [
    [momentum, velocity],
    [1, gradient],
    [weightDecay, value],
  ]);
  program.combine(value, [
    [1, value],
    [-learningRate, velocity],
  ]);
};

/** v ← m v − λ ε w − ε g; w ← w + v. */
const paper: Form = (program, velocity, { learningRate, momentum, weightDecay }) => {
  const { value, gradient } = program.parameters[1] as TrainingProgram["parameters"][number];
  program.combine(velocity, [
    [momentum, velocity],
    [-weightDecay * learningRate, value],
    [-learningRate, gradient],
  ]);
  program.combine(value, [
    [1, value],
    [1, velocity],
  ]);
};

/** The bias of a 1 → 1 linear layer after each step, its gradient given. */
async function run(engine: Engine, golden: Golden, form: Form): Promise<number[]> {
  const program = await compileTraining(engine, {
    input: [1, 1, 1],
    layers: [flatten("flatten"), linear("fc", { outFeatures: 1 })],
    batchSize: 1,
    inputGradient: false,
  });
  const { value, gradient } = program.parameters[1] as TrainingProgram["parameters"][number];
  const velocity = program.newTensor(value);
  await program.write(value, Float32Array.of(golden.first));
  const gradients = drawn(golden.seed, "sgd", golden.pytorch.length, -golden.gradientBound, golden.gradientBound);
  const weights: number[] = [];
  for (let step = 0; step < gradients.length; step++) {
    const learningRate = golden.learningRates.findLast(([from]) => from <= step)?.[1] ?? Number.NaN;
    await program.write(gradient, gradients.subarray(step, step + 1));
    form(program, velocity, { ...golden, learningRate });
    weights.push((await program.read(value))[0] as number);
  }
  program.close();
  return weights;
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  assert.equal(a.length, b.length);
  return a.reduce((largest, x, i) => Math.max(largest, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

/** Weights near 1/4 round by at most 1.5e-8 a step in f32, which adds up to some 3e-7 in 1,000 random steps. */
const tolerance = 1e-6;

for (const { name, create } of engines) {
  describe(`${name}, 1,000 steps of SGD`, () => {
    for (const [formName, form] of Object.entries({ pytorch, paper })) {
      it(`${formName} form`, async () => {
        const golden = await readGolden<Golden>("sgd");
        const engine = create();
        const expected = formName === "paper" ? golden.paper : golden.pytorch;
        const other = formName === "paper" ? golden.pytorch : golden.paper;
        const weights = await run(engine, golden, form);
        assert.ok(largestDifference(weights, expected) <= tolerance, `off by ${largestDifference(weights, expected)}`);
        assert.ok(largestDifference(weights, other) > 1000 * tolerance, "the other form would pass too");
        const undecayed = await run(engine, { ...golden, weightDecay: 0 }, form);
        assert.ok(largestDifference(undecayed, expected) > 1000 * tolerance, "without decay it would pass too");
        engine.close();
      });
    }
  });
}
