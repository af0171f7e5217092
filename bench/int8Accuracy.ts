/**
 * A run's test images in f32 and in int8 on oneDNN, and in its exported 8-bit file in ONNX Runtime with and without graph optimizations: accuracies,
 * fractions of images of the same class, and differences of logits in steps of an 8-bit output.
 *
 *     node --import tsx bench/int8Accuracy.ts RUN [--dataset cifar10] [--data-dir DIR] [--calibrate DATASET] [--limit 10000] [--batch-size 32]
 */
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import type * as Runtime from "onnxruntime-common";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { readingInto } from "../src/checkpoint/safetensorsWriter.ts";
import { createThreadedPreparation } from "../src/dataset/prepare/threadedPreparation.ts";
import type { Program } from "../src/engine/engine.ts";
import { foldedNetwork, foldedWeights } from "../src/formats/foldScales.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import { checkedWeights, layerNaming, renamed } from "../src/formats/tensorNaming.ts";
import { loadEvaluationData } from "../src/model/evaluationData.ts";
import { readInt8File } from "../src/model/int8File.ts";
import { openModel } from "../src/model/openModel.ts";
import { formatPercent } from "../src/report/numbers.ts";
import { sizeOf } from "../src/shape.ts";
import { scoreSplit } from "../src/training/evaluation/scores.ts";

const { InferenceSession, Tensor } = createRequire(import.meta.url)("onnxruntime-node") as typeof Runtime;
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dataset: { type: "string" },
    "data-dir": { type: "string" },
    calibrate: { type: "string" },
    limit: { type: "string" },
    "batch-size": { type: "string", default: "32" },
  },
});
const [path] = positionals;
if (path === undefined || positionals.length > 1) throw new Error("expected one run");
const onMessage = (message: string) => console.error(message);
const dataDir = flags["data-dir"] === undefined ? {} : { dataDir: flags["data-dir"] };
const shared = { batchSize: Number(flags["batch-size"]), onMessage };
const calibration = { ...dataDir, ...(flags.calibrate === undefined ? {} : { dataset: flags.calibrate }) };
const int8 = await openModel(path, { ...shared, precision: "int8", calibration });
const f32 = await openModel(path, { ...shared, precision: "f32" });
const { file, model } = int8;
const { network: trained, preprocessing } = model;
const network = foldedNetwork(trained);

const content = await withReader(file, async (reader) => {
  const quantization = await readInt8File(file, await reader.digest(), network);
  const weights = foldedWeights(trained, renamed(checkedWeights(file, reader, trained), trained, layerNaming));
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeOnnx(network, readingInto(weights), { quantization }).chunks)
    chunks.push(chunk.slice());
  return Buffer.concat(chunks);
});
const session = (graphOptimizationLevel: "disabled" | "all") =>
  InferenceSession.create(content, { graphOptimizationLevel });
const [plain, optimized] = [await session("disabled"), await session("all")];

type Run = (images: Float32Array, count: number) => Promise<Float32Array>;
const onEngine =
  (program: Program): Run =>
  (images, count) =>
    program.forward(images, count, { seed: 0, first: 0 });
const inRuntime =
  (of: Runtime.InferenceSession): Run =>
  async (images, count) => {
    const tensor = new Tensor("float32", images, [count, ...network.input]);
    return (await of.run({ images: tensor }))["logits"]?.data as Float32Array;
  };
const runs: readonly (readonly [name: string, run: Run])[] = [
  ["int8", onEngine(int8.program)],
  ["f32", onEngine(f32.program)],
  ["ONNX Runtime int8, no optimizations", inRuntime(plain)],
  ["ONNX Runtime int8, optimized", inRuntime(optimized)],
];
const logits = runs.map((): number[] => []);
const labels: number[] = [];
const data = await loadEvaluationData(path, file, model, {
  ...dataDir,
  ...(flags.dataset === undefined ? {} : { dataset: flags.dataset }),
  ...(flags.limit === undefined ? {} : { limit: Number(flags.limit) }),
  onMessage,
});
const preparation = createThreadedPreparation({ preprocessing, threads: int8.threads });
const every = {
  batchSize: shared.batchSize,
  nextInput: () => int8.program.nextInput(),
  async forward(images: Float32Array, count: number) {
    // The next batch is prepared in the same memory.
    const own = images.slice(0, count * sizeOf(network.input));
    const outputs: Float32Array[] = [];
    for (const [, run] of runs) outputs.push(await run(own, count));
    for (const [i, values] of outputs.entries()) for (const value of values) logits[i]?.push(value);
    return outputs[0] as Float32Array;
  },
};
for await (const scored of scoreSplit(every, { split: data.split, preparation, seed: 0 })) {
  for (let i = 0; i < scored.count; i++) labels.push(scored.labels[i] as number);
}
const classes = model.classNames.length;
const predicted = logits.map((values) =>
  labels.map((_, row) => {
    const own = values.slice(row * classes, (row + 1) * classes);
    return own.indexOf(Math.max(...own));
  }),
);
const [ours = [], oursPredicted = []] = [logits[0], predicted[0]];
let [low, high] = [Infinity, -Infinity];
for (const value of ours) [low, high] = [Math.min(low, value), Math.max(high, value)];
const step = (high - low) / 255;
console.log(`${file}: ${network.name}, ${labels.length} images of ${data.name}`);
for (const [i, [name]] of runs.entries()) {
  const of = predicted[i] as readonly number[];
  const fraction = (holds: (c: number, row: number) => boolean) => of.filter(holds).length / labels.length;
  const differences = ours.map((value, j) => Math.abs(value - (logits[i]?.[j] as number)) / step);
  const largest = differences.reduce((a, b) => Math.max(a, b), 0);
  const within = differences.filter((difference) => difference <= 1).length / differences.length;
  console.log(
    `${name}: top-1 ${formatPercent(fraction((c, row) => c === labels[row]))}, same class as int8 ${(100 * fraction((c, row) => c === oursPredicted[row])).toFixed(2)} %, ` +
      `largest logit difference ${largest.toFixed(2)} steps, ${(100 * within).toFixed(2)} % within one`,
  );
}
preparation.close();
data.close();
for (const opened of [int8, f32]) opened.close();
for (const each of [plain, optimized]) await each.release();
