/** Runs a chain on an engine and on the reference. */
import { describe } from "node:test";
import type { Engine, TrainingProgram } from "../../src/engine/engine.ts";
import { type Shape, sizeOf } from "../../src/shape.ts";
import { assertClose, type Tolerance } from "../assertClose.ts";
import {
  type Chain,
  compileTraining,
  fillParameters,
  need,
  opsOf,
  passThrough,
  type Results,
  uniform,
} from "../chains.ts";
import { type EngineUnderTest, engines } from "../engines.ts";
import { type ChainData, roundedResults } from "./rounded.ts";

/** The distance from 1 to the next f32. */
export const eps = 2 ** -23;

/** Compiles a chain, hands the program over, closes both. */
export async function withProgram<T>(
  { create, settings }: Pick<EngineUnderTest, "create" | "settings">,
  chain: Chain,
  use: (program: TrainingProgram, engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await create();
  const program = await compileTraining(engine, settings, chain);
  await fillParameters(program);
  const result = await use(program, engine);
  program.close();
  engine.close();
  return result;
}

/** Inputs of a chain, and gradients of its output. */
export function dataOf(chain: Chain, outputShape: Shape, low = -1, high = 1): ChainData {
  return {
    images: uniform("images", chain.batchSize * sizeOf(chain.input), low, high),
    outputGradient: uniform("output gradient", chain.batchSize * sizeOf(outputShape)),
  };
}

/** Output and every gradient of a chain on random images. */
export async function resultsOf(engine: EngineUnderTest, chain: Chain, low = -1, high = 1): Promise<Results> {
  return withProgram(engine, chain, async (program) => {
    const { images, outputGradient } = dataOf(chain, program.outputShape, low, high);
    return passThrough(program, images, outputGradient);
  });
}

const expectations = new Map<string, Results>();

/** What the reference makes of the same, rounded where the engine rounds to keep numbers. Made once for all engines that round alike. */
export function expectedOf({ arithmetic }: EngineUnderTest, chain: Chain, low = -1, high = 1): Results {
  const key = JSON.stringify([chain, low, high, arithmetic.step]);
  const known = expectations.get(key);
  if (known) return known;
  const outputShape = opsOf(chain).at(-1)?.outputShape ?? chain.input;
  const expected = roundedResults(chain, dataOf(chain, outputShape, low, high), arithmetic.keep);
  expectations.set(key, expected);
  return expected;
}

/** The engine and the reference agree, element by element, in the output and the input's gradient. */
export async function assertAsReference(
  engine: EngineUnderTest,
  chain: Chain,
  tolerance: Tolerance,
  low = -1,
  high = 1,
): Promise<void> {
  const actual = await resultsOf(engine, chain, low, high);
  const expected = expectedOf(engine, chain, low, high);
  for (const key of ["output", "input"]) assertClose(need(actual, key), need(expected, key), tolerance, key);
}

/**
 * A bound on sums in f32, widened for an engine that rounds what it keeps: a sum that lies about half way between two numbers may go to either. Where
 * results are made of `more` kept numbers than the oracle rounds, each of size 1 or below, there are as many halves of steps on top.
 */
export function keptWithin({ arithmetic }: EngineUnderTest, sums: Tolerance, more = 0): Tolerance {
  const { relative = 0, absolute = 0 } = sums;
  return { relative: relative + arithmetic.step, absolute: absolute + (more * arithmetic.step) / 2 };
}

/** The engines on which a convolution by ones changes no number that is kept: what is behind it can be told from it. */
export const exactByOnes = engines.filter(({ arithmetic }) => arithmetic.factorError === 0);

/** Registers a suite for every engine, or for those of a list. */
export function describeEngines(name: string, suite: (engine: EngineUnderTest) => void, among = engines): void {
  for (const engine of among) describe(`${engine.name}, ${name}`, () => suite(engine));
}
