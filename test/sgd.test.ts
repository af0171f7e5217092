/**
 * 1,000 scalar steps of SGD with momentum and weight decay while the learning rate changes, in PyTorch's form and in the
 * paper's (scripts/golden/sgd.py made the golden). The paper's velocity keeps the learning rate it was made with. Weights, their gradients
 * and velocities are f32 whatever is multiplied.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TrainableParameter } from "../src/engine/engine.ts";
import { flatten, linear } from "../src/layers/kinds.ts";
import { createOptimizer } from "../src/training/optimizers/optimizer.ts";
import type { Sgd } from "../src/training/optimizers/sgd.ts";
import { compileTraining } from "./chains.ts";
import { type EngineUnderTest, engines } from "./engines.ts";
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

/** How often the weight is looked at: reading takes longer than a step. */
const every = 10;

/** The bias of a 1 → 1 linear layer after every tenth step, its gradient given. */
async function run(
  { create, settings }: EngineUnderTest,
  golden: Golden,
  form: "paper" | "pytorch",
): Promise<number[]> {
  // The one number has nothing for a second thread.
  const engine = await create({ threads: 1 });
  const program = await compileTraining(engine, settings, {
    input: [1, 1, 1],
    layers: [flatten("flatten"), linear("fc", { outFeatures: 1 })],
    batchSize: 1,
    inputGradient: false,
  });
  const { value, gradient } = program.parameters[1] as TrainableParameter;
  const sgd: Sgd = { kind: "sgd", form, momentum: golden.momentum, weightDecay: golden.weightDecay };
  const optimizer = createOptimizer(program, { optimizer: sgd });
  await program.write(value, Float32Array.of(golden.first));
  const gradients = drawn(golden.seed, "sgd", golden.pytorch.length, -golden.gradientBound, golden.gradientBound);
  const weights: number[] = [];
  for (let step = 0; step < gradients.length; step++) {
    const learningRate = golden.learningRates.findLast(([from]) => from <= step)?.[1] ?? Number.NaN;
    await program.write(gradient, gradients.subarray(step, step + 1));
    await optimizer.step({ learningRate, step: step + 1, images: 1 });
    if (step % every === every - 1) weights.push((await program.read(value))[0] as number);
  }
  program.close();
  engine.close();
  return weights;
}

function weightsOf(golden: Golden, form: "paper" | "pytorch"): number[] {
  return golden[form].filter((_, step) => step % every === every - 1);
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  assert.equal(a.length, b.length);
  return a.reduce((largest, x, i) => Math.max(largest, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

/** Weights near 1/4 round by at most 1.5e-8 a step in f32, which adds up to some 3e-7 in 1,000 random steps. */
const tolerance = 1e-6;

// A software adapter takes a minute for these thousands of steps; optimizers.test.ts has it.
for (const engine of engines.filter(({ isEmulated }) => !isEmulated)) {
  describe(`${engine.name}, 1,000 steps of SGD`, () => {
    for (const form of ["pytorch", "paper"] as const) {
      it(`${form} form`, async () => {
        const golden = await readGolden<Golden>("sgd");
        const expected = weightsOf(golden, form);
        const other = weightsOf(golden, form === "paper" ? "pytorch" : "paper");
        const weights = await run(engine, golden, form);
        assert.ok(largestDifference(weights, expected) <= tolerance, `off by ${largestDifference(weights, expected)}`);
        assert.ok(largestDifference(weights, other) > 1000 * tolerance, "the other form would pass too");
        const undecayed = await run(engine, { ...golden, weightDecay: 0 }, form);
        assert.ok(largestDifference(undecayed, expected) > 1000 * tolerance, "without decay it would pass too");
      });
    }
  });
}
