/**
 * Measures the WebGPU engine on a graphics adapter, after a check against the reference engine on random data. Builds and installs nothing, except that
 * `--peers` installs other libraries in the user's cache, and needs Chromium: it is `npm run bench:peers -- --engine webgpu`.
 *
 *     node --import tsx scripts/gpuBench.ts                 every layer of alexnet-owt and two networks, 128 images
 *     node --import tsx scripts/gpuBench.ts --peers         the same, then compared with tfjs-webgpu, jax-js and onnxruntime-web in Chromium
 *     node --import tsx scripts/gpuBench.ts --smallest      sizes for a software adapter, to try the script
 *     node --import tsx scripts/gpuBench.ts --check alexnet compare the gradients of a whole network with the reference engine's, and measure nothing
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import type { CompileRequest, Engine, TrainingProgram } from "../src/engine/engine.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { selectEngine } from "../src/engine/select/selectEngine.ts";
import { conv2d, flatten, linear } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { type Network, operations } from "../src/network/network.ts";
import { summarize } from "../src/network/summary.ts";
import { sizeOf } from "../src/shape.ts";
import { compileTraining, passThrough, type Results, uniform } from "../test/chains.ts";
import { root } from "../test/sourceFiles.ts";
import { comparedStacks, stepsOn } from "../test/webgpuStep.ts";

/** Relative L2 difference above which the arithmetic is wrong: sums of f32 in chains of some eight layers. */
const LARGEST_DIFFERENCE = 3e-6;
const BATCH = 128;
const SECONDS = 1;

/** Relative L2 difference above which a gradient of a whole network is wrong: a ReLU or maximum that changes sides adds to the roundings. */
const LARGEST_GRADIENT_DIFFERENCE = 1e-4;

const { smallest, peers, check } = parseArgs({
  options: {
    smallest: { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
    check: { type: "string" },
  },
}).values;
const batchSize = smallest ? 2 : BATCH;

const smallestNetwork: Network = {
  name: "smallest",
  source: "",
  deviations: [],
  input: [3, 12, 12],
  layers: [conv2d("conv1", { outChannels: 8, kernelSize: 3 }), flatten("flatten"), linear("fc2", { outFeatures: 10 })],
};

/** Relative L2 difference. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [off, norm] = [0, Number.MIN_VALUE];
  for (let i = 0; i < expected.length; i++) {
    const value = expected[i] as number;
    off += (value - (actual[i] ?? Number.NaN)) ** 2;
    norm += value ** 2;
  }
  return Math.sqrt(off / norm);
}

/** The largest relative L2 difference of the engine's outputs and gradients. */
async function largestDifference(engine: Engine): Promise<number> {
  const [actual, expected] = [await stepsOn(engine), await stepsOn(createReferenceEngine())];
  const differences = comparedStacks.flatMap((name) =>
    Object.entries(expected[name] ?? {}).map(([key, values]) => difference(actual[name]?.[key] ?? [], values)),
  );
  return Math.max(...differences);
}

/** Output and gradients of a network for two random images, with dropout, uniform weights of He's variance, and biases up to 0.1. */
async function gradientsOf(engine: Engine, { input, layers }: Network): Promise<Results> {
  const chain = { input, layers, batchSize: 2, inputGradient: false };
  const program = await compileTraining(engine, { precision: "f32", exact: true }, chain);
  for (const { name, value } of program.parameters) {
    const bound = value.shape.length > 1 ? Math.sqrt(6 / sizeOf(value.shape.slice(1))) : 0.1;
    await program.write(value, uniform(name, sizeOf(value.shape), -bound, bound));
  }
  const images = uniform("images", 2 * sizeOf(input));
  const results = await passThrough(program, images, uniform("output gradient", 2 * sizeOf(program.outputShape)));
  engine.close();
  return results;
}

/** Prints the difference of each gradient of a whole network. Throws Error for one that is too large. */
async function checkNetwork(network: Network): Promise<void> {
  const expected = await timed("reference engine", () => gradientsOf(createReferenceEngine(), network));
  const engine = await open();
  const actual = await timed(engine.description, () => gradientsOf(engine, network));
  const differences = [...expected].map(([key, values]) => [key, difference(actual.get(key) ?? [], values)] as const);
  for (const [key, off] of differences) console.log(`${key}: ${off.toExponential(1)}`);
  const largest = Math.max(...differences.map(([, off]) => off));
  console.log(`${network.name}, 2 images: largest relative difference ${largest.toExponential(1)}`);
  if (!(largest <= LARGEST_GRADIENT_DIFFERENCE)) throw new Error(`expected at most ${LARGEST_GRADIENT_DIFFERENCE}`);
}

async function timed<T>(what: string, compute: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await compute();
  console.log(`${what}: ${Math.round((performance.now() - began) / 1000)} s`);
  return result;
}

/** Seconds of a run: the median of five, each of as many runs as fill a fifth of `SECONDS`. `wait` resolves after all work that was started. */
async function secondsOf(start: () => void, wait: () => Promise<unknown>): Promise<number> {
  const time = async (runs: number) => {
    const began = performance.now();
    for (let i = 0; i < runs; i++) start();
    await wait();
    return (performance.now() - began) / 1000 / runs;
  };
  await time(1);
  const runs = Math.max(1, Math.round(SECONDS / 5 / (await time(1))));
  const times: number[] = [];
  for (let i = 0; i < 5; i++) times.push(await time(runs));
  return times.sort((a, b) => a - b)[2] as number;
}

async function withProgram<T>(
  engine: Engine,
  { input, layers }: Pick<Network, "input" | "layers">,
  options: Partial<CompileRequest>,
  use: (program: TrainingProgram) => Promise<T>,
): Promise<T> {
  const ops = operations({ name: "measured", source: "", deviations: [], input, layers });
  const request = { ops, inputShape: input, batchSize, precision: "f32", ...options } as const;
  const program = await engine.compileTraining(request);
  try {
    return await use(program);
  } finally {
    program.close();
  }
}

const draws = { seed: 1, first: 0 };

/** Seconds of a forward pass, and of a pass forward and backward with an output gradient of the caller. */
async function passesOf(program: TrainingProgram): Promise<{ readonly forward: number; readonly both: number }> {
  const gradient = new Float32Array(program.batchSize * sizeOf(program.outputShape));
  const parameter = program.parameters[0]?.value;
  const last: Promise<unknown>[] = [];
  const forward = () => {
    last[0] = program.forwardTraining(program.input, program.batchSize, draws);
  };
  const both = () => {
    forward();
    last[1] = program.backward(gradient);
  };
  const wait = async () => {
    await Promise.all(last);
    // A read that waits for the device.
    if (parameter) await program.sumOfSquares([parameter]);
  };
  return { forward: await secondsOf(forward, wait), both: await secondsOf(both, wait) };
}

/** GFLOP/s of a square matrix product, forward: the adapter's limit in practice. */
async function productRate(engine: Engine, extent: number): Promise<number> {
  const network = {
    input: [extent, 1, 1] as const,
    layers: [flatten("flatten"), linear("fc", { outFeatures: extent })],
  };
  return withProgram(engine, network, { batchSize: extent }, async (program) => {
    const { forward } = await passesOf(program);
    return (2 * extent ** 3) / forward / 1e9;
  });
}

/** GB/s of an update that reads two tensors and writes one. */
async function copyRate(engine: Engine, outFeatures: number): Promise<number> {
  const network = { input: [1024, 1, 1] as const, layers: [flatten("flatten"), linear("fc", { outFeatures })] };
  return withProgram(engine, network, { batchSize: 1 }, async (program) => {
    const [weight] = program.parameters;
    if (!weight) throw new Error("no parameter");
    const { value, gradient } = weight;
    const update = program.compileUpdate([{ target: value, from: value, operations: [["add", gradient]] }]);
    const seconds = await secondsOf(
      () => update.run(),
      () => program.sumOfSquares([value]),
    );
    return (3 * 4 * 1024 * outFeatures) / seconds / 1e9;
  });
}

/** A row for each layer with weights: GFLOP/s forward, and forward with both gradients. */
async function measureLayers(engine: Engine, network: Network, limit: number): Promise<void> {
  const { layers } = summarize(network);
  console.log(`\n| ${network.name}, ${batchSize} images | forward, GFLOP/s | forward and backward | of the product |`);
  console.log("| --- | --- | --- | --- |");
  for (const op of operations(network)) {
    const macs = layers.find(({ name }) => name === op.name)?.macs ?? 0;
    const [channels = 1, height = 1, width = 1] = op.inputShape;
    if (macs === 0) continue;
    const layer = network.layers.find(({ name }) => name === op.name) as AnyLayer;
    const alone = {
      input: [channels, height, width] as const,
      layers: op.inputShape.length === 1 ? [flatten("flatten"), layer] : [layer],
    };
    const rates = await withProgram(engine, alone, { inputGradient: true }, async (program) => {
      const { forward, both } = await passesOf(program);
      return [(2 * batchSize * macs) / forward / 1e9, (6 * batchSize * macs) / both / 1e9] as const;
    });
    const [forward, both] = rates.map((rate) => rate.toFixed(1));
    console.log(`| ${op.name} | ${forward} | ${both} | ${(rates[1] / limit).toFixed(2)} |`);
  }
}

/** Images per second of training steps without an update, and of inference with its read. */
async function measureNetwork(engine: Engine, network: Network): Promise<void> {
  const { train, infer } = await withProgram(engine, network, {}, async (program) => {
    const targets = new Float32Array(batchSize * sizeOf(program.outputShape));
    const last: Promise<unknown>[] = [];
    const wait = () => Promise.all(last);
    const step = () => {
      last[0] = program.forwardBackward(program.input, targets, batchSize, draws);
    };
    const pass = () => {
      last[0] = program.forward(program.input, batchSize, draws);
    };
    return { train: await secondsOf(step, wait), infer: await secondsOf(pass, wait) };
  });
  const rate = (seconds: number) => (batchSize / seconds).toFixed(1);
  console.log(`${network.name}: training ${rate(train)} images/s, inference ${rate(infer)} images/s`);
}

const open = async () => (await selectEngine("webgpu")).engine;

async function measure(): Promise<void> {
  const off = await largestDifference(await open());
  console.log(`largest relative difference from the reference engine: ${off.toExponential(1)}`);
  if (!(off <= LARGEST_DIFFERENCE)) throw new Error(`expected at most ${LARGEST_DIFFERENCE}: wrong results`);
  const engine = await open();
  console.log(engine.description);
  const [product, copy] = [
    await productRate(engine, smallest ? 32 : 4096),
    await copyRate(engine, smallest ? 16 : 65_536),
  ];
  console.log(`matrix product ${product.toFixed(1)} GFLOP/s, copies ${copy.toFixed(2)} GB/s`);
  const [first, ...others] = smallest ? [smallestNetwork] : [findNetwork("alexnet-owt"), findNetwork("alexnet-small")];
  if (first) await measureLayers(engine, first, product);
  console.log("");
  for (const network of [first, ...others]) if (network) await measureNetwork(engine, network);
  engine.close();
  if (peers) comparePeers();
  else console.log("\ncompared with other libraries: --peers, or npm run bench:peers -- --engine webgpu");
}

/** Runs the comparison with other libraries in a process of its own. Throws Error if it fails. */
function comparePeers(): void {
  const sizes = smallest ? ["--network", "tiny", "--batch-size", "3", "--rounds", "1"] : [];
  const args = ["--import", "tsx", "bench/peers/run.ts", "--engine", "webgpu", ...sizes];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error(`the comparison with peers ended with ${status}`);
}

try {
  await (check === undefined ? measure() : checkNetwork(findNetwork(check)));
} catch (error) {
  console.error(`gpuBench: ${(error as Error).message}`);
  process.exitCode = 1;
}
