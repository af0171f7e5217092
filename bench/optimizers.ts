/**
 * Cost of each optimizer and option: training steps alternate on one program, so that a slowdown of the machine affects all alike. Prints the median
 * step, its ratio to plain SGD with momentum, and the optimizer's part of it.
 *
 *     node --import tsx bench/optimizers.ts [--network alexnet-fashion] [--precision f32] [--batch-size 128] [--rounds 5] [--threads N]
 */
import { parseArgs } from "node:util";
import { initialize, trainingStep } from "../src/benchmark/benchmarkNetwork.ts";
import { selectEngine } from "../src/engine/select/selectEngine.ts";
import { operations } from "../src/network/network.ts";
import { spread } from "../src/report/tables/spread.ts";
import { loadNetwork } from "../src/settings/load.ts";
import { withOverrides } from "../src/settings/overrides.ts";
import type { RecipeOverrides } from "../src/settings/settings.ts";
import { findRecipe } from "../src/training/recipe.ts";

const { values } = parseArgs({
  options: {
    network: { type: "string", default: "alexnet-fashion" },
    precision: { type: "string", default: "f32" },
    "batch-size": { type: "string", default: "128" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string" },
  },
});

const variants: Readonly<Record<string, RecipeOverrides>> = {
  "SGD with momentum": {},
  Nesterov: { nesterov: true },
  Adam: { optimizer: "adam" },
  AdamW: { optimizer: "adamw" },
  LARS: { optimizer: "lars" },
  "SGD, clipped": { clipNorm: 1 },
  "SGD, averaged": { average: 0.999 },
  "SGD, two batches a step": { accumulate: 2 },
  "AdamW, clipped, averaged": { optimizer: "adamw", clipNorm: 1, average: 0.999 },
};

const network = await loadNetwork(values.network);
const { engine } = await selectEngine("onednn", values.threads === undefined ? undefined : Number(values.threads));
const batchSize = Number(values["batch-size"]);
const program = await engine.compileTraining({
  ops: operations(network),
  inputShape: network.input,
  batchSize,
  precision: values.precision === "bf16" ? "bf16" : "f32",
});
await initialize(program, network);
const learningRate = 1e-6;
const entries = Object.entries(variants);
const steps: (() => Promise<void>)[] = [];
for (const [, overrides] of entries) {
  steps.push(
    trainingStep(program, program.input, withOverrides(findRecipe("fashion"), { learningRate, ...overrides })),
  );
}
const [seconds, updates] = [entries.map((): number[] => []), entries.map((): number[] => [])];
for (let round = -1; round < Number(values.rounds); round++) {
  for (const [i, step] of steps.entries()) {
    program.takeProfile();
    const start = performance.now();
    // Two, since one variant accumulates two batches per step.
    await step();
    await step();
    const [all, update] = [(performance.now() - start) / 2000, updateSeconds() / 2];
    if (round < 0) continue;
    seconds[i]?.push(all);
    updates[i]?.push(update);
  }
}
program.close();
engine.close();

function updateSeconds(): number {
  const account = program.takeProfile().filter(({ direction }) => direction === "update");
  return account.reduce((sum, work) => sum + work.seconds, 0);
}

const medianOf = (list: readonly (readonly number[])[], i: number) => spread(list[i] ?? []).median;
console.log(
  `${engine.description}; ${network.name}, ${values.precision}, batches of ${batchSize}, ${values.rounds} rounds`,
);
for (const [i, [name]] of entries.entries()) {
  const [all, update] = [medianOf(seconds, i), medianOf(updates, i)];
  // Everything else is the same for all, so the updates alone give a more precise ratio.
  const ratio = 1 + (update - medianOf(updates, 0)) / medianOf(seconds, 0);
  console.log(
    `${name.padEnd(26)} ${(1000 * all).toFixed(0).padStart(6)} ms  update ${(1000 * update).toFixed(1).padStart(6)} ms  ` +
      `step × ${(all / medianOf(seconds, 0)).toFixed(3)}, by the updates alone × ${ratio.toFixed(3)}`,
  );
}
