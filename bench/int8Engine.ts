/**
 * Speed of a network's inference in f32, bf16 and int8 on oneDNN, and of its exported 8-bit file in ONNX Runtime: in turn in one process, on noise, on one
 * thread. Medians of wall time and of processor time.
 *
 *     OMP_NUM_THREADS=1 node --import tsx bench/int8Engine.ts [--network alexnet-owt] [--batch-size 32] [--rounds 21] [--profile]
 */
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import type * as Runtime from "onnxruntime-common";
import type { InferencePrecision, Program } from "../src/engine/engine.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import { planQuantization } from "../src/formats/quantization.ts";
import { openInt8Network } from "../src/model/int8Network.ts";
import { initialValues } from "../src/network/initialize.ts";
import { operations } from "../src/network/network.ts";
import { fillGaussian, randomStream } from "../src/random.ts";
import { spread } from "../src/report/tables/benchmarkReport.ts";
import { loadNetwork } from "../src/settings/load.ts";
import { sizeOf } from "../src/shape.ts";
import { findRecipe } from "../src/training/recipe.ts";

const { InferenceSession, Tensor } = createRequire(import.meta.url)("onnxruntime-node") as typeof Runtime;
const { values: flags } = parseArgs({
  options: {
    network: { type: "string", default: "alexnet-owt" },
    "batch-size": { type: "string", default: "32" },
    rounds: { type: "string", default: "21" },
    profile: { type: "boolean", default: false },
  },
});
/** The first runs of a program and of a session take longer. */
const WARM_UP = 3;
const draws = { seed: 0, first: 0 };
const network = await loadNetwork(flags.network);
const engine = createOneDnnEngine({ threads: 1 });
const weights = new Map<string, Float32Array>();
const { initializer } = findRecipe("fashion");
for (const { name, values } of initialValues(network, initializer, 0, (length) => new Float32Array(length))) {
  weights.set(name, values.slice());
}
const read = (name: string) => (weights.get(name) as Float32Array).slice();
const imageSize = sizeOf(network.input);
const noise = new Float32Array(Number(flags["batch-size"]) * imageSize);
fillGaussian(randomStream(1, "bench/int8Engine"), 0, noise, 1);

const rounded = await openInt8Network(network, { tensors: [], read: async (name) => read(name) }, engine, 1);
await rounded.forward(noise.subarray(0, imageSize), 1, draws);
const calibration = { dataset: "noise", images: 1 };
const quantization = await planQuantization(network, rounded.takeRanges(), read, calibration);
rounded.close();
const chunks: Uint8Array[] = [];
for await (const chunk of writeOnnx(network, read, { quantization }).chunks) chunks.push(chunk.slice());
const session = await InferenceSession.create(Buffer.concat(chunks), { intraOpNumThreads: 1 });

async function compile(precision: InferencePrecision, batchSize: number): Promise<Program> {
  const request = { ops: operations(network), inputShape: network.input, batchSize };
  const program = await engine.compile({ ...request, precision, quantization });
  for (const { name, value } of program.parameters) await program.write(value, read(name));
  return program;
}

const precisions = engine.inferencePrecisions
  .filter(({ name, native }) => native || name !== "bf16")
  .map(({ name }) => name);
console.log(`${network.name}, one thread, ${engine.description}`);
for (const batchSize of [1, Number(flags["batch-size"])]) {
  const images = noise.subarray(0, batchSize * imageSize);
  const programs = [];
  for (const precision of precisions) programs.push(await compile(precision, batchSize));
  const tensor = new Tensor("float32", images, [batchSize, ...network.input]);
  const passes: readonly (readonly [name: string, run: () => Promise<unknown>])[] = [
    ...programs.map((program) => {
      // Where images are prepared.
      program.input.set(images);
      return [program.precision, () => program.forward(program.input, batchSize, draws)] as const;
    }),
    ["ONNX Runtime int8", () => session.run({ images: tensor })],
  ];
  const times = passes.map(() => ({ wall: [] as number[], cpu: [] as number[] }));
  for (let round = -WARM_UP; round < Number(flags.rounds); round++) {
    for (const [i, [, run]] of passes.entries()) {
      const [start, used] = [performance.now(), process.cpuUsage()];
      await run();
      const { user, system } = process.cpuUsage(used);
      if (round < 0) continue;
      times[i]?.wall.push(performance.now() - start);
      times[i]?.cpu.push((user + system) / 1000);
    }
  }
  const medians = times.map(({ wall, cpu }) => ({ wall: spread(wall).median, cpu: spread(cpu).median }));
  const runtime = medians.at(-1);
  for (const [i, { wall, cpu }] of medians.entries()) {
    const rate = (ms: number) => `${((1000 * batchSize) / ms).toFixed(0)} images/s`;
    const ratio = ((runtime?.cpu ?? 0) / cpu).toFixed(2);
    console.log(`batch ${batchSize}  ${passes[i]?.[0]}: ${rate(wall)}, CPU ${rate(cpu)}: ${ratio} × ONNX Runtime's`);
  }
  if (flags.profile) {
    for (const { layer, work, implementation, runs, seconds } of programs.at(-1)?.takeProfile() ?? []) {
      console.log(`  ${layer} ${work} ${implementation}: ${((1000 * seconds) / runs).toFixed(3)} ms`);
    }
  }
  for (const program of programs) program.close();
}
await session.release();
engine.close();
