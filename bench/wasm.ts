/**
 * Speed of the WebAssembly engine against the most that WebAssembly's instructions do here, as medians with ratios; `npm run bench:peers -- --engine wasm`
 * compares it with other engines. The contenders of a row alternate in one process, on one thread, and are timed by processor time, so that other work on
 * the machine hardly matters. With `--threads 2`, the engine's step on two threads is compared with one thread by the clock: keep the machine idle.
 *
 *     node --import tsx bench/wasm.ts [--rounds 7] [--only gemm,conv2,…] [--threads 2]
 */
import { parseArgs } from "node:util";
import { ModuleBuilder } from "../src/assembler/assembler.ts";
import { f32x4, load } from "../src/assembler/instructions.ts";
import type { Engine, TrainingProgram } from "../src/engine/engine.ts";
import { createWasmEngine } from "../src/engine/wasm/wasm.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { type Network, operations } from "../src/network/network.ts";
import { fillUniform, randomStream } from "../src/random.ts";
import { spread } from "../src/report/tables/spread.ts";
import { sizeOf } from "../src/shape.ts";
import { oneHotTargets } from "../src/training/objective/targets.ts";
import { findWorkload, isLayerNetwork } from "./peers/layerNetworks.ts";

/** A contender of a row: its work in one run, in the row's unit. */
interface Contender {
  readonly name: string;
  readonly work: number;
  run(): Promise<unknown> | unknown;
}

/** A row: its unit, and what creates its contenders; the others are compared with the first. */
interface Row {
  readonly name: string;
  readonly unit: string;
  readonly scale: number;
  contenders(): Promise<readonly Contender[]>;
}

const draws = { seed: 0, first: 0 };
const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    only: { type: "string" },
    threads: { type: "string" },
  },
});

function uniform(purpose: string, length: number, low = -1, high = 1): Float32Array {
  const values = new Float32Array(length);
  fillUniform(randomStream(0, purpose), 0, values, low, high);
  return values;
}

async function compile(engine: Engine, network: Network, batchSize: number): Promise<TrainingProgram> {
  const program = await engine.compileTraining({
    ops: operations(network),
    inputShape: network.input,
    batchSize,
    precision: "f32",
    inputGradient: isLayerNetwork(network),
  });
  for (const { name, value } of program.parameters) {
    await program.write(value, uniform(name, sizeOf(value.shape), -0.02, 0.02));
  }
  return program;
}

/** Multiplications and additions in registers: what WebAssembly's four lanes can do at most. */
function peak(): Contender {
  const iterations = 3e6;
  const module = new ModuleBuilder();
  const loop = module.function(["i32", "i32"], undefined, (body, n, address) => {
    const sums = Array.from({ length: 8 }, () => body.local("v128"));
    const [x, y] = [body.local("v128", load.v128(address)), body.local("v128", load.v128(address, 16))];
    body.for(body.i32(0), n, 1, () => {
      for (const sum of [...sums, ...sums]) body.set(sum, f32x4.add(sum, f32x4.mul(x, y)));
    });
    for (const [i, sum] of sums.entries()) body.storeV128(address, sum, 16 * i);
  });
  module.export("loop", loop);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { host: { memory } });
  const run = exports["loop"] as (n: number, address: number) => void;
  return { name: "peak", work: iterations * 16 * 8, run: () => run(iterations, 64) };
}

/** The forward pass of a layer, or a step with both gradients: three times its work. */
async function layer(name: string, flops: number, batchSize: number, part: "forward" | "step"): Promise<Contender> {
  const network = findWorkload(name);
  const program = await compile(wasm, network, batchSize);
  const images = uniform("images", batchSize * sizeOf(network.input));
  const gradient = uniform("gradient", batchSize * sizeOf(program.outputShape));
  const forward = () => program.forwardTraining(images, batchSize, draws);
  if (part === "forward") return { name: "forward", work: batchSize * flops, run: forward };
  return {
    name: "forward and gradients",
    work: 3 * batchSize * flops,
    run: async () => {
      await forward();
      await program.backward(gradient);
    },
  };
}

async function training(engine: Engine, network: Network, batchSize: number, name: string): Promise<Contender> {
  const program = await compile(engine, network, batchSize);
  const images = uniform("images", batchSize * sizeOf(network.input));
  const classes = sizeOf(program.outputShape);
  const labels = Array.from({ length: batchSize }, (_, i) => i % classes);
  const targets = oneHotTargets(labels, classes);
  return { name, work: batchSize, run: () => program.forwardBackward(images, targets, batchSize, draws) };
}

const wasm = await createWasmEngine({ threads: 1 });
const giga = { unit: "GFLOP/s", scale: 1e9 };
const gemm = (part: "forward" | "step") => layer("gemm", 2 * 2048 * 2048, 256, part);
const conv2 = (part: "forward" | "step") => layer("conv2", 2 * 256 * 27 * 27 * 96 * 25, 8, part);

const rows: readonly Row[] = [
  { name: "gemm", ...giga, contenders: async () => [await gemm("forward"), peak()] },
  { name: "conv2", ...giga, contenders: async () => [await conv2("forward"), peak()] },
  {
    name: "conv2 with gradients",
    ...giga,
    contenders: async () => [await conv2("step"), await conv2("forward"), peak()],
  },
];

const processorSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const clockSeconds = () => performance.now() / 1000;

async function measure(
  { name, unit, scale }: Row,
  contenders: readonly Contender[],
  seconds: () => number,
): Promise<void> {
  const speeds = contenders.map((): number[] => []);
  for (let round = -1; round < Number(flags.rounds); round++) {
    for (const [i, { work, run }] of contenders.entries()) {
      const start = seconds();
      await run();
      if (round >= 0) speeds[i]?.push(work / scale / (seconds() - start));
    }
  }
  const medians = speeds.map((all) => spread(all).median);
  const [own = 0] = medians;
  const others = contenders.map(
    ({ name: other }, i) => `${other} ${medians[i]?.toFixed(1)} (${(own / (medians[i] ?? 1)).toFixed(2)} ×)`,
  );
  console.log(`${name}, ${unit}: ${own.toFixed(1)}; against ${others.slice(1).join(", ")}`);
}

console.log(`${wasm.description}; median of ${flags.rounds} rounds`);
if (flags.threads === undefined) {
  for (const row of rows.filter(({ name }) => flags.only?.split(",").includes(name) ?? true)) {
    await measure(row, await row.contenders(), processorSeconds);
  }
} else {
  const more = await createWasmEngine({ threads: Number(flags.threads) });
  const small = findNetwork("alexnet-small");
  const pair = [await training(more, small, 16, "more"), await training(wasm, small, 16, "one thread")];
  const row = { name: `train-small, ${flags.threads} threads`, unit: "images/s", scale: 1 };
  await measure({ ...row, contenders: async () => pair }, pair, clockSeconds);
  more.close();
}
wasm.close();
