/** Locally connected layers: against a convolution, in files of other programs, in 8 bits, and in a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { ConfigError, UnsupportedError } from "../src/errors.ts";
import { exportModel } from "../src/exchange/exportModel.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import { roundedPlaces } from "../src/formats/quantization.ts";
import { conv2d, localConv2d } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { type Network, operations } from "../src/network/network.ts";
import { summarize } from "../src/network/summary.ts";
import type { TrainOptions } from "../src/trainer/trainClassifier.ts";
import { assertClose } from "./assertClose.ts";
import { type Chain, need, parameterValues, passThrough } from "./chains.ts";
import { dataOf, keptWithin, withProgram } from "./conformance/compare.ts";
import { engines } from "./engines.ts";
import { localNetwork, weighted } from "./onnxNetworks.ts";
import { bytesOf } from "./onnxRuntime.ts";
import { testFolder } from "./testFolder.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { accuracyOn, trainFor } from "./trainedRuns.ts";

const options = { outChannels: 5, kernelSize: 3, stride: 2, padding: 1 };
const local: Chain = { input: [3, 7, 6], layers: [localConv2d("layer", options)], batchSize: 4 };
const shared: Chain = { ...local, layers: [conv2d("layer", options)] };
const positions = 12;

/** A convolution's values at every position. */
function repeated(name: string, length: number): Float32Array {
  const own = parameterValues(name, length / positions);
  const row = own.length / options.outChannels;
  return new Float32Array(length).map((_, i) => own[Math.floor(i / row / positions) * row + (i % row)] as number);
}

/** Sums over the positions: the gradient of a shared kernel. */
function summed(gradient: Float32Array): Float32Array {
  const row = gradient.length / options.outChannels / positions;
  const sums = new Float32Array(gradient.length / positions);
  for (const [i, value] of gradient.entries()) {
    const at = Math.floor(i / row / positions) * row + (i % row);
    sums[at] = (sums[at] as number) + value;
  }
  return sums;
}

for (const engine of engines) {
  test(`${engine.name}: with one kernel at all positions, it is a convolution, forward and backward`, async () => {
    const expected = await withProgram(engine, shared, async (program) => {
      const { images, outputGradient } = dataOf(shared, program.outputShape);
      return passThrough(program, images, outputGradient);
    });
    await withProgram(engine, local, async (program) => {
      for (const { name, value } of program.parameters) {
        const length = value.shape.reduce((product, extent) => product * extent, 1);
        await program.write(value, repeated(name, length));
      }
      const { images, outputGradient } = dataOf(local, program.outputShape);
      const results = await passThrough(program, images, outputGradient);
      // Sums of at most 27 · 48 products of size 1, and their roundings where numbers are kept.
      const allowed = keptWithin(engine, { absolute: 2e-5, relative: 1e-5 }, 16);
      for (const key of ["output", "input"]) assertClose(need(results, key), need(expected, key), allowed, key);
      for (const key of ["layer.weight", "layer.bias"]) {
        assertClose(summed(need(results, key)), need(expected, key), allowed, key);
      }
    });
  });
}

test("counts: a kernel and a bias for each output, and the products of a convolution", () => {
  const network = (layer: unknown): Network => ({ ...localNetwork, input: [3, 7, 6], layers: [layer as AnyLayer] });
  const [own] = summarize(network(local.layers[0])).layers;
  const [other] = summarize(network(shared.layers[0])).layers;
  assert.ok(own && other);
  assert.equal(own.parameters, 5 * 12 * (27 + 1));
  assert.equal(own.parameters, positions * other.parameters);
  assert.deepEqual([own.macs, own.neurons], [other.macs, other.neurons]);
  assert.deepEqual(own.receptiveField, other.receptiveField);
});

test("ONNX: this program's file comes back to the bit; another program's is refused by its operator", async () => {
  const { values } = weighted(localNetwork);
  const bytes = await bytesOf(writeOnnx(localNetwork, (name) => values.get(name) as Float32Array));
  const read = readOnnx(bytes, "local.onnx");
  assert.deepEqual(read.network, localNetwork);
  assert.deepEqual(new Map(read.tensors), values);
  const text = Buffer.from(bytes).toString("latin1").replace('"kernelSize":2,"stride":1', '"kernelSize":2,"stride":2');
  assert.throws(
    () => readOnnx(Buffer.from(text, "latin1"), "local.onnx"),
    (error) => error instanceof UnsupportedError && /local\.onnx: .*local1/.test(error.message),
  );
});

test("int8 refuses it by name", async () => {
  const refusal = (error: unknown) =>
    error instanceof ConfigError && /^(\w+: )?local1: localConv2d has no 8-bit form; use f32/.test(error.message);
  assert.throws(() => roundedPlaces(localNetwork), refusal);
  const engine = createOneDnnEngine();
  const quantization = { activations: new Map(), parameters: new Map() };
  const { input: inputShape } = localNetwork;
  const request = { ops: operations(localNetwork), inputShape, batchSize: 1, precision: "int8", quantization } as const;
  await assert.rejects(engine.compile(request), refusal);
  engine.close();
});

const network: Network = {
  ...tinyNetwork,
  name: "tiny-local",
  layers: tinyNetwork.layers.map((layer) =>
    layer.name === "conv1" ? (localConv2d("local1", { outChannels: 6, kernelSize: 5, stride: 3 }) as AnyLayer) : layer,
  ),
};
let training: TrainOptions;
const at = testFolder("local", async (path) => {
  await writeTinyDataset(path(""), { train: 400, test: 100 });
  training = { network, dataDir: path(""), threads: 1, batchSize: 48, epochs: 4, precision: "f32" };
});

const train = (run: string, given: TrainOptions, iterations = Infinity) =>
  trainFor(iterations, { ...given, run: at(run) });
const accuracyOf = (path: string) => accuracyOn(at(""), path);

test("a run learns, resumes to the bit, and comes back from each format", async () => {
  await train("whole", training);
  await train("parts", training, 5);
  await train("parts", { resume: true });
  assert.deepEqual(await lastWeights(at("parts")), await lastWeights(at("whole")));
  const best = Math.max(...(await timelessLog(at("whole"))).map(({ testAccuracy = 0 }) => testAccuracy));
  assert.ok(best > 0.4, `learned: ${best}`);
  assert.equal(await accuracyOf(at("whole")), best);
  for (const extension of ["onnx", "pth", "safetensors"]) {
    await exportModel(at("whole"), at(`out.${extension}`));
    await importModel(at(`out.${extension}`), at(`from-${extension}`), { like: at("whole") });
    assert.equal(await accuracyOf(at(`from-${extension}`)), best, extension);
  }
  const shape = await withReader(at("whole/last.safetensors"), async ({ tensors }) =>
    tensors.find(({ name }) => name === "features.0.weight"),
  );
  assert.deepEqual(shape?.shape, [6 * 8 * 8, 1, 5, 5]);
  await assert.rejects(
    openClassifier(at("whole"), { threads: 1, precision: "int8" }),
    /^ConfigError: local1: localConv2d has no 8-bit form; use f32 or bf16$/,
  );
  await assert.rejects(
    exportModel(at("whole"), at("int8.onnx"), { int8: { threads: 1, dataDir: at("") } }),
    /local1: localConv2d has no 8-bit form; use f32/,
  );
});
