import assert from "node:assert/strict";
import { describe } from "node:test";
import type { Engine, TrainingProgram } from "../../src/engine/engine.ts";
import { createReferenceEngine } from "../../src/engine/reference/reference.ts";
import { type Shape, sizeOf } from "../../src/shape.ts";
import { assertClose, type Tolerance } from "../assertClose.ts";
import { type Chain, compileTraining, fillParameters, need, passThrough, type Results, uniform } from "../chains.ts";
import { type EngineUnderTest, engines } from "../engines.ts";

/** The distance from 1 to the next f32. */
export const eps = 2 ** -23;

/** Compiles a chain, hands the program over, closes both. */
export async function withProgram<T>(
  { create }: Pick<EngineUnderTest, "create">,
  chain: Chain,
  use: (program: TrainingProgram, engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = create();
  const program = await compileTraining(engine, chain);
  await fillParameters(program);
  const result = await use(program, engine);
  program.close();
  engine.close();
  return result;
}

/** Inputs of a chain, and gradients of its output. */
export function dataOf(chain: Chain, outputShape: Shape, low = -1, high = 1) {
  return {
    images: uniform("images", chain.batchSize * sizeOf(chain.input), low, high),
    outputGradient: uniform("output gradient", chain.batchSize * sizeOf(outputShape)),
  };
}

/** Output and every gradient of a chain on random images. */
export async function resultsOf(
  engine: Pick<EngineUnderTest, "create">,
  chain: Chain,
  low = -1,
  high = 1,
): Promise<Results> {
  return withProgram(engine, chain, async (program) => {
    const { images, outputGradient } = dataOf(chain, program.outputShape, low, high);
    return passThrough(program, images, outputGradient);
  });
}

/** The engine and the reference agree, element by element, in the output and every gradient. */
export async function assertAsReference(
  engine: EngineUnderTest,
  chain: Chain,
  tolerance: Tolerance,
  low = -1,
  high = 1,
): Promise<void> {
  const actual = await resultsOf(engine, chain, low, high);
  const expected = await resultsOf({ create: createReferenceEngine }, chain, low, high);
  assert.deepEqual([...actual.keys()], [...expected.keys()]);
  for (const [key, value] of expected) assertClose(need(actual, key), value, tolerance, key);
}

/** Registers a suite for every engine. */
export function describeEngines(name: string, suite: (engine: EngineUnderTest) => void): void {
  for (const engine of engines) describe(`${engine.name}, ${name}`, () => suite(engine));
}
