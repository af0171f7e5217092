/**
 * Measures the figures that `alexnet serve` is to reach, and those of training in several processes (the scenario `jobs`): `npm run soak [-- --run RUN] [--scale 0.05] [--slack 2] [SCENARIO…]`. Without a run it draws the weights of
 * `alexnet-owt`. The scale multiplies the scenarios' lengths; 1 takes about ten minutes. The slack loosens
 * bounds of times and speeds, for machines with other work.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findNetworkOrRun } from "../src/model/networkOrRun.ts";
import { modelOf, writeDrawn } from "../test/drawnModel.ts";
import { killedJobs } from "./soak/killedJobs.ts";
import * as scenarios from "./soak/scenarios.ts";

/** Scenarios by name, in their order. */
const all = {
  throughput: scenarios.throughput,
  overload: scenarios.overload,
  slow: scenarios.slowClients,
  kills: scenarios.kills,
  mixed: scenarios.mixed,
  termination: scenarios.termination,
  jobs: killedJobs,
} as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    slack: { type: "string", default: "1" },
    run: { type: "string" },
    scale: { type: "string", default: "1" },
    side: { type: "string", default: "224" },
  },
});

function format({ name, value, bound: strict, isLowest, isTimed, unit = "" }: scenarios.Figure): string {
  const slack = isTimed ? Number(values.slack) : 1;
  const bound = isLowest ? strict / slack : strict * slack;
  const isReached = isLowest ? value >= bound : value <= bound;
  if (!isReached) process.exitCode = 1;
  const number = (each: number) => `${Number(each.toPrecision(4))}${unit && ` ${unit}`}`;
  return `  ${isReached ? "ok    " : "MISSED"} ${name}: ${number(value)} (${isLowest ? "at least" : "at most"} ${number(bound)})`;
}

const folder = await mkdtemp(join(tmpdir(), "alexnet-soak-"));
try {
  const run = values.run ?? join(folder, "drawn.safetensors");
  if (values.run === undefined) {
    const network = await findNetworkOrRun("alexnet-owt", { inputSize: Number(values.side), classes: 100 });
    await writeDrawn(modelOf(network), run);
  }
  for (const [name, scenario] of Object.entries(all)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const began = performance.now();
    const figures = await scenario({ run, scale: Number(values.scale) });
    console.log(`${name} (${((performance.now() - began) / 1000).toFixed(0)} s)\n${figures.map(format).join("\n")}`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
