/**
 * Time of one convolution of AlexNet, forward and backward, by the discrete Fourier transform and by the rule's choice, relative to direct convolution. The
 * algorithms take turns in one process, on one thread; figures are medians of processor time.
 *
 *     OMP_NUM_THREADS=1 node --import tsx bench/convolutions.ts [--precision f32] [--batch-sizes 8,16,32,64] [--rounds 15]
 */
import { parseArgs } from "node:util";
import type { Precision, TrainingProgram } from "../src/engine/engine.ts";
import { createOneDnnEngine, type OneDnnOptions } from "../src/engine/onednn/onednn.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { initialValues } from "../src/network/initialize.ts";
import { type Network, operations, place } from "../src/network/network.ts";
import { fillGaussian, randomStream } from "../src/random.ts";
import { spread } from "../src/report/tables/spread.ts";
import { formatTable } from "../src/report/tables/terminal.ts";
import { sizeOf } from "../src/shape.ts";
import { findRecipe } from "../src/training/recipe.ts";

/** Networks and the layers whose convolutions are timed. */
const cases = [
  ["alexnet-fashion", ["conv2", "conv3", "conv4", "conv5"]],
  ["alexnet", ["conv2", "conv4", "conv5"]],
] as const;
const WARM_UP = 2;
const draws = { seed: 0, first: 0 };

const { values: flags } = parseArgs({
  options: {
    precision: { type: "string", default: "f32" },
    "batch-sizes": { type: "string", default: "8,16,32,64" },
    rounds: { type: "string", default: "15" },
  },
});
const precision: Precision = flags.precision === "bf16" ? "bf16" : "f32";
const algorithms: Readonly<Record<string, OneDnnOptions>> = {
  direct: { convolution: "direct" },
  dft: { convolution: "dft" },
  rule: {},
};

/** A network of one layer of another, with its ReLU. */
function alone(network: Network, name: string): Network {
  const placed = place(network).find(({ layer }) => layer.name === name);
  if (!placed) throw new Error(`${network.name}: no layer ${name}`);
  const [channels = 0, height = 0, width = 0] = placed.inputShape;
  const layers = [placed.layer, { name: "relu", kind: "relu" } as const];
  return { ...network, name, input: [channels, height, width], layers };
}

async function compile(network: Network, batchSize: number, options: OneDnnOptions): Promise<TrainingProgram> {
  const engine = createOneDnnEngine({ threads: 1, ...options });
  const request = { ops: operations(network), inputShape: network.input, batchSize, precision, inputGradient: true };
  const program = await engine.compileTraining(request);
  const tensors = new Map(program.parameters.map(({ name, value }) => [name, value]));
  for (const { name, values } of initialValues(network, findRecipe("fashion").initializer, 0)) {
    const tensor = tensors.get(name);
    if (tensor) await program.write(tensor, values);
  }
  return program;
}

/** Milliseconds of processor time of each algorithm, and the algorithm that the rule chose. */
async function measure(network: Network, batchSize: number) {
  const programs = new Map<string, TrainingProgram>();
  for (const [name, options] of Object.entries(algorithms))
    programs.set(name, await compile(network, batchSize, options));
  const [first] = programs.values();
  const gradient = new Float32Array(batchSize * sizeOf(first?.outputShape ?? []));
  fillGaussian(randomStream(1, "gradient"), 0, gradient, 1);
  const times = new Map(Array.from(programs.keys(), (name) => [name, [] as number[]]));
  for (const program of programs.values()) fillGaussian(randomStream(1, "images"), 0, program.input, 1);
  for (let round = -WARM_UP; round < Number(flags.rounds); round++) {
    for (const [name, program] of programs) {
      const before = process.cpuUsage();
      await program.forwardTraining(program.input, batchSize, draws);
      await program.backward(gradient);
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) times.get(name)?.push((user + system) / 1000);
    }
  }
  const chosen = programs.get("rule")?.algorithms?.[network.layers[0]?.name ?? ""] ?? "";
  for (const program of programs.values()) program.close();
  return { milliseconds: new Map(Array.from(times, ([name, list]) => [name, spread(list).median])), chosen };
}

const rows: string[][] = [];
for (const [name, layers] of cases) {
  for (const layer of layers) {
    for (const size of flags["batch-sizes"].split(",").map(Number)) {
      const { milliseconds, chosen } = await measure(alone(findNetwork(name), layer), size);
      const direct = milliseconds.get("direct") ?? Number.NaN;
      const ratio = (of: string) => (direct / (milliseconds.get(of) ?? Number.NaN)).toFixed(2);
      rows.push([`${name} ${layer}`, String(size), `${direct.toFixed(1)} ms`, ratio("dft"), ratio("rule"), chosen]);
    }
  }
}
const headings = ["layer", "batch", "direct", "direct ÷ dft", "direct ÷ rule", "rule"];
console.log(
  formatTable(
    headings.map((heading) => ({ heading, align: "left" as const })),
    rows,
  ),
);
