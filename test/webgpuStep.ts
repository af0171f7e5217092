/** A training step of given chains on a page's graphics adapter, for a browser and for comparison here. */
import type { Engine } from "../src/engine/engine.ts";
import { sizeOf } from "../src/shape.ts";
import { type Chain, compileTraining, fillParameters, passThrough, uniform } from "./chains.ts";
import { stacks } from "./conformance/stacks.ts";

/** Chains that are compared: every kind of layer that the engine has, but average pooling. */
export const comparedStacks = [
  "conv → relu → norm → pool → conv → relu → linear",
  "flatten → dropout → linear after a pool, as in alexnet-owt",
  "activations after linear, two in a row",
] as const;

export function chainOf(name: (typeof comparedStacks)[number]): Chain {
  return { ...(stacks[name] as Omit<Chain, "batchSize">), batchSize: 3 };
}

/** Output and gradients of each chain, by its name. */
export async function stepsOn(engine: Engine): Promise<Readonly<Record<string, Readonly<Record<string, number[]>>>>> {
  const all: Record<string, Record<string, number[]>> = {};
  for (const name of comparedStacks) {
    const chain = chainOf(name);
    const program = await compileTraining(engine, { precision: "f32", exact: true }, chain);
    await fillParameters(program);
    const images = uniform("images", chain.batchSize * sizeOf(chain.input));
    const outputGradient = uniform("output gradient", chain.batchSize * sizeOf(program.outputShape));
    const results = await passThrough(program, images, outputGradient);
    all[name] = Object.fromEntries([...results].map(([key, values]) => [key, [...values]]));
    program.close();
  }
  engine.close();
  return all;
}
