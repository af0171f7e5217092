/** Batch normalization in files of other programs and in 8 bits: written as it is, read as it is or folded, folded for int8. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { exportModel } from "../src/exchange/exportModel.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { foldedNetwork, foldedWeights, hasScales } from "../src/formats/foldScales.ts";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import { writePytorch } from "../src/formats/pytorch/writePytorch.ts";
import { type Network, operations } from "../src/network/network.ts";
import { tensorNames } from "../src/network/tensorNames.ts";
import { assertClose } from "./assertClose.ts";
import { noDraws } from "./chains.ts";
import { modelOf, writeDrawn } from "./drawnModel.ts";
import { distance, imagesFor, roundedTo8Bits } from "./int8Networks.ts";
import { normNetwork, weighted } from "./onnxNetworks.ts";
import { bytesOf } from "./onnxRuntime.ts";
import { testFolder } from "./testFolder.ts";
import { tensorsIn } from "./trainedRuns.ts";

const COUNT = 3;
const at = testFolder("batch-norm-files", (path) => writeDrawn(modelOf(normNetwork), path("drawn.safetensors")));
const { values } = weighted(normNetwork);
const source = {
  tensors: [...values].map(([name, own]) => ({ name, shape: [own.length] })),
  read: async (name: string) => (values.get(name) as Float32Array).slice(),
};
/** Weights are rounded to f32 once more where they are folded: some 2^-24 of each, through three layers. */
const folding = { absolute: 2e-6, relative: 2e-6 };

/** Outputs at evaluation, in f64. */
async function outputsOf(network: Network, weights: ReadonlyMap<string, Float32Array>): Promise<Float32Array> {
  const engine = createReferenceEngine();
  const program = await engine.compile({
    ops: operations(network),
    inputShape: network.input,
    batchSize: COUNT,
    precision: "f32",
  });
  for (const { name, value } of program.parameters) await program.write(value, weights.get(name) as Float32Array);
  return program.forward(imagesFor(network, COUNT), COUNT, noDraws);
}

async function folded() {
  const network = foldedNetwork(normNetwork);
  const weights = foldedWeights(normNetwork, source);
  const read = new Map<string, Float32Array>();
  for (const { name, shape } of weights.tensors) {
    const length = shape.reduce((product, extent) => product * extent, 1);
    read.set(name, await weights.read(name, new Float32Array(length)));
  }
  return { network, values: read };
}

test("folded, a network computes the same: into the layer before, or as a convolution of single channels", async () => {
  const { network, values: weights } = await folded();
  assert.equal(hasScales(normNetwork), true);
  assert.equal(hasScales(network), false);
  assert.deepEqual(
    network.layers.map(({ name, kind }) => `${name} ${kind}`),
    ["norm0 conv2d", "conv1 conv2d", "relu1 relu", "pool1 maxPool2d", "norm2 conv2d", "flatten flatten", "fc2 linear"],
  );
  assertClose(await outputsOf(network, weights), await outputsOf(normNetwork, values), folding, "outputs");
});

test("in 8 bits, the folded network loses what rounding costs", async () => {
  const images = imagesFor(normNetwork, COUNT);
  const { f32, simulated, runtime } = await roundedTo8Bits(await folded(), images);
  const size = Math.hypot(...f32);
  assert.ok(distance(f32, simulated) < 0.1 * size, `rounding costs ${distance(f32, simulated)} of ${size}`);
  assert.ok(distance(simulated, runtime) < 0.05 * distance(f32, simulated) + 1e-6 * size);
});

test("ONNX: this program's file comes back to the bit; by its graph alone it is folded, and computes the same", async () => {
  const bytes = await bytesOf(writeOnnx(normNetwork, (name) => values.get(name) as Float32Array));
  const own = readOnnx(bytes, "own.onnx");
  assert.deepEqual(own.network, normNetwork);
  assert.deepEqual(new Map(own.tensors), values);
  // The same length: another network in the metadata than that of the graph.
  const text = Buffer.from(bytes).toString("latin1");
  const changed = text.replace('"kernelSize":2,"stride":2', '"kernelSize":2,"stride":3');
  assert.notEqual(changed, text);
  const read = readOnnx(Buffer.from(changed, "latin1"), "graph.onnx");
  assert.ok(read.network.layers.every(({ kind }) => kind !== "batchNorm2d"));
  assertClose(await outputsOf(read.network, read.tensors), await outputsOf(normNetwork, values), folding, "outputs");
});

test(".pth: statistics have PyTorch's names, and its counter of batches is ignored", async () => {
  const written = await tensorsIn(at("drawn.safetensors"));
  assert.ok(written.has("features.2.running_mean") && written.has("features.0.running_var"));
  await exportModel(at("drawn.safetensors"), at("norm.pth"));
  await importModel(at("norm.pth"), at("back"), { like: at("drawn.safetensors") });
  assert.deepEqual(await tensorsIn(at("back/last.safetensors")), written);
  const counter = { name: "features.2.num_batches_tracked", shape: [] };
  await writePytorch(at("counted.pth"), {
    tensors: [...(await loadShapes(at("drawn.safetensors"))), counter],
    read: async (name) => written.get(name)?.slice() ?? Float32Array.of(7),
  });
  await importModel(at("counted.pth"), at("counted"), { like: at("drawn.safetensors") });
  assert.deepEqual(await tensorsIn(at("counted/last.safetensors")), written);
});

async function loadShapes(file: string) {
  return withReader(file, async (reader) => reader.tensors);
}

test("a file without statistics is refused by their names", async () => {
  const names = [...tensorNames(normNetwork).values()].filter((name) => !name.endsWith("features.2.running_var"));
  const shapes = (await loadShapes(at("drawn.safetensors"))).filter(({ name }) => names.includes(name));
  const written = await tensorsIn(at("drawn.safetensors"));
  await writePytorch(at("less.pth"), { tensors: shapes, read: async (name) => written.get(name) as Float32Array });
  await assert.rejects(
    importModel(at("less.pth"), at("less"), { like: at("drawn.safetensors") }),
    /features\.2\.running_var: missing/,
  );
});
