/**
 * Speed of the WebAssembly engine against its own peak, oneDNN, the reference engine and onnxruntime-web, as medians with ratios. The contenders of a row
 * alternate in one process, on one thread, and are timed by processor time, so that other work on the machine hardly matters. With `--threads 2`, the
 * engine's step on two threads is compared with one thread by the clock: keep the machine idle.
 *
 *     OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive node --import tsx bench/wasm.ts [--rounds 7] [--only gemm,conv2,…] [--threads 2]
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type * as Runtime from "onnxruntime-common";
import { ModuleBuilder } from "../src/assembler/assembler.ts";
import { f32x4, load } from "../src/assembler/instructions.ts";
import type { CompileRequest, Engine, Program, TrainingProgram } from "../src/engine/engine.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { createWasmEngine } from "../src/engine/wasm/wasm.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import { conv2d, flatten, linear } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { type Network, operations } from "../src/network/network.ts";
import { fillUniform, randomStream } from "../src/random.ts";
import { spread } from "../src/report/tables/benchmarkReport.ts";
import { sizeOf } from "../src/shape.ts";
import { oneHotTargets } from "../src/training/objective/targets.ts";

/** A contender of a row: its work in one run, in the row's unit. */
interface Contender {
  readonly name: string;
  readonly work: number;
  run(): Promise<unknown> | unknown;
}

/** A row: its unit, and what creates its contenders; the first is the engine. */
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

async function fill(program: Program): Promise<void> {
  for (const { name, value } of program.parameters) {
    await program.write(value, uniform(name, sizeOf(value.shape), -0.02, 0.02));
  }
}

const chain = (input: Network["input"], layers: readonly AnyLayer[]): Network => ({
  name: "chain",
  source: "",
  deviations: [],
  input,
  layers,
});

const requestOf = (network: Network, batchSize: number): CompileRequest => ({
  ops: operations(network),
  inputShape: network.input,
  batchSize,
  precision: "f32",
  exact: true,
});

async function compile(
  engine: Engine,
  network: Network,
  batchSize: number,
  inputGradient = false,
): Promise<TrainingProgram> {
  const program = await engine.compileTraining({ ...requestOf(network, batchSize), inputGradient });
  await fill(program);
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

async function product(engine: Engine): Promise<Contender> {
  const [size, batchSize] = [2048, 256];
  const network = chain([size, 1, 1], [flatten("flatten"), linear("fc", { outFeatures: size })]);
  const program = await compile(engine, network, batchSize);
  const images = uniform("images", batchSize * size);
  return { name: engine.name, work: 2 * size * size * batchSize, run: () => program.forward(images, batchSize, draws) };
}

const conv2Layers = [conv2d("conv2", { outChannels: 256, kernelSize: 5, padding: 2 })];
const conv2Flops = 2 * 256 * 27 * 27 * 96 * 25;

async function convolution(engine: Engine, direction: "forward" | "backward"): Promise<Contender> {
  const batchSize = 8;
  const network = chain([96, 27, 27], conv2Layers);
  const program = await compile(engine, network, batchSize, true);
  const images = uniform("images", batchSize * sizeOf(network.input));
  const gradient = uniform("gradient", batchSize * sizeOf(program.outputShape));
  const forward = () => program.forwardTraining(images, batchSize, draws);
  if (direction === "forward") return { name: engine.name, work: batchSize * conv2Flops, run: forward };
  return {
    name: engine.name,
    work: 3 * batchSize * conv2Flops,
    run: async () => {
      await forward();
      await program.backward(gradient);
    },
  };
}

async function inference(engine: Engine, network: Network, batchSize: number): Promise<Contender> {
  const program = await engine.compile(requestOf(network, batchSize));
  await fill(program);
  const images = uniform("images", batchSize * sizeOf(network.input));
  return { name: engine.name, work: batchSize, run: () => program.forward(images, batchSize, draws) };
}

async function runtimeInference(network: Network, batchSize: number): Promise<Contender> {
  const require = createRequire(import.meta.url);
  const path = require.resolve("onnxruntime-web/wasm");
  const runtime = require("onnxruntime-web/wasm") as typeof Runtime;
  runtime.env.wasm.wasmPaths = `${pathToFileURL(dirname(path)).href}/`;
  runtime.env.wasm.numThreads = 1;
  const shapes = new Map(operations(network).flatMap((op) => op.parameters.map((p) => [p.name, p.shape] as const)));
  const file = writeOnnx(network, (name) => uniform(name, sizeOf(shapes.get(name) ?? []), -0.02, 0.02));
  const model = new Uint8Array(file.byteLength);
  let offset = 0;
  for await (const bytes of file.chunks) {
    model.set(bytes, offset);
    offset += bytes.length;
  }
  const session = await runtime.InferenceSession.create(model);
  const images = uniform("images", batchSize * sizeOf(network.input));
  const tensor = new runtime.Tensor("float32", images, [batchSize, ...network.input]);
  return {
    name: "onnxruntime-web",
    work: batchSize,
    run: () => session.run({ [session.inputNames[0] ?? ""]: tensor }),
  };
}

async function training(engine: Engine, network: Network, batchSize: number): Promise<Contender> {
  const program = await compile(engine, network, batchSize);
  const images = uniform("images", batchSize * sizeOf(network.input));
  const classes = sizeOf(program.outputShape);
  const targets = oneHotTargets(
    Array.from({ length: batchSize }, (_, i) => i % classes),
    classes,
  );
  return { name: engine.name, work: batchSize, run: () => program.forwardBackward(images, targets, batchSize, draws) };
}

const wasm = await createWasmEngine({ threads: 1 });
const onednn = createOneDnnEngine({ threads: 1 });
const reference = createReferenceEngine();
const [owt, small] = [findNetwork("alexnet-owt"), findNetwork("alexnet-small")];
const giga = { unit: "GFLOP/s", scale: 1e9 };
const images = { unit: "images/s", scale: 1 };

const rows: readonly Row[] = [
  { name: "gemm", ...giga, contenders: async () => [await product(wasm), peak(), await product(onednn)] },
  {
    name: "conv2",
    ...giga,
    contenders: async () => [await convolution(wasm, "forward"), peak(), await convolution(onednn, "forward")],
  },
  {
    name: "conv2-step",
    ...giga,
    contenders: async () => [await convolution(wasm, "backward"), peak(), await convolution(onednn, "backward")],
  },
  ...[32, 1].map((batchSize) => ({
    name: `owt-${batchSize}`,
    ...images,
    contenders: async () => [
      await inference(wasm, owt, batchSize),
      await runtimeInference(owt, batchSize),
      await inference(onednn, owt, batchSize),
    ],
  })),
  {
    name: "train-small",
    ...images,
    contenders: async () => [await training(wasm, small, 16), await training(onednn, small, 16)],
  },
  {
    name: "train-small-1",
    ...images,
    contenders: async () => [await training(wasm, small, 1), await training(reference, small, 1)],
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

console.log(`${wasm.description}; ${onednn.description}; median of ${flags.rounds} rounds`);
if (flags.threads === undefined) {
  for (const row of rows.filter(({ name }) => flags.only?.split(",").includes(name) ?? true)) {
    await measure(row, await row.contenders(), processorSeconds);
  }
} else {
  const more = await createWasmEngine({ threads: Number(flags.threads) });
  const pair = [await training(more, small, 16), { ...(await training(wasm, small, 16)), name: "one thread" }];
  await measure(
    { name: `train-small, ${flags.threads} threads`, ...images, contenders: async () => pair },
    pair,
    clockSeconds,
  );
  more.close();
}
for (const engine of [wasm, onednn, reference]) engine.close();
