/** Numbers that are not finite: wherever weights enter, and where outputs overflow, an error names tensor or image. */
import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { encodeModel } from "../src/checkpoint/metadata.ts";
import { writeSafetensors } from "../src/checkpoint/safetensorsWriter.ts";
import { jsonOf } from "../src/cli/output.ts";
import { exportModel } from "../src/exchange/exportModel.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { verifyModel } from "../src/exchange/verifyModel.ts";
import { drawActivations } from "../src/explain/activationFigure.ts";
import { drawFilters } from "../src/explain/filterFigure.ts";
import { mapPictures } from "../src/explain/map.ts";
import { measureSaliency } from "../src/explain/saliency.ts";
import { findSimilar } from "../src/explain/similar.ts";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { createPreprocessor } from "../src/image/prepare/preprocess.ts";
import { conv2d, flatten, linear } from "../src/layers/kinds.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { evaluateEnsemble } from "../src/model/evaluateEnsemble.ts";
import type { FilePrediction } from "../src/model/filePrediction.ts";
import { openLayerOutputs } from "../src/model/layerOutputs.ts";
import { predictFiles, writeFeatures } from "../src/model/predictFiles.ts";
import { type Network, place } from "../src/network/network.ts";
import { tensorNames } from "../src/network/tensorNames.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { modelOf } from "./drawnModel.ts";
import { drawn } from "./golden.ts";
import { chainWeights, onnxChain } from "./onnxGraphs.ts";

const folder = await mkdtemp(join(tmpdir(), "alexnet-finite-"));
after(() => rm(folder, { recursive: true }));

/** Two linear layers after a convolution, so that finite weights can overflow. */
const network: Network = {
  name: "wide",
  source: "",
  deviations: [],
  input: [3, 8, 8],
  layers: [
    conv2d("conv", { outChannels: 4, kernelSize: 3, padding: 1 }),
    flatten("flatten"),
    linear("fc1", { outFeatures: 6 }),
    linear("fc2", { outFeatures: 2 }),
  ],
};
const model = modelOf(network, { classNames: ["a", "b"] });
const names = tensorNames(network);

const sizes = new Map<string, number>(
  place(network).flatMap(({ layer, parameters }) =>
    parameters.map(({ name, shape }) => [`${layer.name}.${name}`, shape.reduce((a, b) => a * b, 1)] as const),
  ),
);

type Change = (name: string, values: Float32Array) => Float32Array;

/** A weights file of drawn weights, changed; by the names of the network's own parameters. */
async function weightsFile(file: string, change: Change, metadata = encodeModel(model, 0)): Promise<string> {
  const own = new Map([...names].map(([name, stored]) => [stored, name]));
  const tensors = place(network).flatMap(({ layer, parameters }) =>
    parameters.map(({ name, shape }) => ({ name: names.get(`${layer.name}.${name}`) as string, shape })),
  );
  await writeSafetensors(file, metadata, {
    tensors,
    read: async (stored, into) => {
      const name = own.get(stored) as string;
      return change(name, drawn(1, name, into.length, -0.2, 0.2));
    },
  });
  return file;
}

const NAN_AT: Change = (name, values) => (name === "fc1.weight" ? values.fill(Number.NaN, 5, 6) : values);
/** A coloured pixel gives 0.2 · 1e30 · 1e30: white images overflow, black ones do not. */
const OVERFLOWING: Change = (name, values) =>
  name.endsWith(".bias") ? values.fill(0) : name === "conv.weight" ? values.fill(0.2) : values.fill(1e30);

const photos = join(folder, "photos");
for (const className of ["a", "b"]) {
  await mkdir(join(photos, className), { recursive: true });
  for (let i = 0; i < 2; i++) {
    const level = className === "b" && i === 1 ? 255 : 0;
    const data = new Uint8Array(192).fill(level);
    await writeFile(join(photos, className, `${i}.png`), await encodePng({ width: 8, height: 8, channels: 3, data }));
  }
}
const [black, white] = [join(photos, "a/0.png"), join(photos, "b/1.png")];

const broken = await weightsFile(join(folder, "broken.safetensors"), NAN_AT);
const sound = await weightsFile(join(folder, "sound.safetensors"), (_, values) => values);
const overflowing = await weightsFile(join(folder, "overflowing.safetensors"), OVERFLOWING);

const namesTensor = {
  name: "CheckpointError",
  message:
    /\.safetensors: classifier\.0\.weight: expected finite numbers, got NaN at index 5 \(1 of 1536 are not finite\)/,
};

test("a weights file with a NaN: everything that reads it names file and tensor", async () => {
  const run = join(folder, "broken");
  await mkdir(run);
  await copyFile(broken, join(run, "last.safetensors"));
  const uses: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    openClassifier,
    predictFiles: (path) => predictFiles(path, [{ path: black }]).next(),
    evaluateEnsemble: (path) => evaluateEnsemble([sound, path], { dataset: photos }),
    writeFeatures: (path) => writeFeatures(path, [{ path: black }], { layer: "fc1", output: join(folder, "f.npy") }),
    measureSaliency: (path) => measureSaliency(path, black),
    mapPictures: (path) => mapPictures(path, { folder: photos, method: "pca" }),
    findSimilar: (path) => findSimilar(path, photos, [black]),
    drawActivations: (path) => drawActivations(path, black),
    verifyModel: (path) => verifyModel(path, sound),
    "verifyModel, the file": (path) => verifyModel(sound, path.endsWith("broken") ? broken : path),
    exportModel: (path) => exportModel(path, join(folder, "out.pth")),
    "exportModel to ONNX": (path) => exportModel(path, join(folder, "out.onnx")),
    trainClassifier: (from) => trainClassifier({ dataset: photos, from, run: join(folder, "tuned"), epochs: 1 }),
  };
  for (const [name, use] of Object.entries(uses)) {
    for (const path of [broken, run]) await assert.rejects(use(path), namesTensor, name);
  }
  assert.deepEqual(
    (await readdir(folder)).filter((name) => /^(out|f)\./.test(name)),
    [],
    "nothing is left behind",
  );
});

test("import refuses a NaN in every format, by the tensor's name in the file", async () => {
  const run = join(folder, "imported");
  await assert.rejects(importModel(broken, run, {}), namesTensor);
  const infinite: Change = (name, values) => (name === "fc2.bias" ? values.fill(Infinity, 1) : values);
  const foreign = await weightsFile(join(folder, "foreign.safetensors"), infinite, {});
  await assert.rejects(
    importModel(foreign, run, { network }),
    /classifier\.1\.bias: expected finite numbers, got Infinity at index 1/,
  );
  const weights = new Map(chainWeights(2));
  const [shape, values] = weights.get("fc.weight") ?? [[], new Float32Array()];
  weights.set("fc.weight", [shape, values.slice().fill(-Infinity, 7, 8)]);
  const onnx = await onnxChain(2, [["Softmax"]], weights);
  assert.throws(
    () => readOnnx(onnx, "model.onnx"),
    /^CheckpointError: model\.onnx: tensor "fc\.weight": expected finite numbers, got -Infinity at index 7/,
  );
  await writeFile(join(folder, "model.onnx"), onnx);
  await assert.rejects(importModel(join(folder, "model.onnx"), run, {}), /tensor "fc\.weight"/);
  await assert.rejects(readdir(run), { code: "ENOENT" });
});

test("f64 weights that f32 does not have are refused", async () => {
  const header = JSON.stringify({
    "fc.weight": { dtype: "F64", shape: [2, 192], data_offsets: [0, 3072] },
    "fc.bias": { dtype: "F64", shape: [2], data_offsets: [3072, 3088] },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = join(folder, "doubles.safetensors");
  await writeFile(
    file,
    Buffer.concat([length, Buffer.from(header), Buffer.from(new Float64Array(386).fill(1e300).buffer)]),
  );
  const layers = [flatten("flatten"), linear("fc", { outFeatures: 2 })];
  await assert.rejects(
    importModel(file, join(folder, "doubles"), { network: { ...network, layers } }),
    /fc\.weight: expected finite numbers, got Infinity/,
  );
});

test("writeOnnx and drawFilters refuse weights that are not finite", async () => {
  const { chunks } = writeOnnx(network, (name) => NAN_AT(name, new Float32Array(sizes.get(name) ?? 0)));
  await assert.rejects(async () => {
    for await (const _ of chunks);
  }, /fc1\.weight: expected finite numbers, got NaN at index 5/);
  const first = await weightsFile(join(folder, "first.safetensors"), (name, values) =>
    name === "conv.weight" ? values.fill(Number.NaN) : values,
  );
  await assert.rejects(drawFilters(first), /features\.0\.weight: expected finite numbers, got NaN at index 0/);
});

test("activations that overflow with finite weights: the image is named", async () => {
  const overflow = (file: string) => new RegExp(`${file}: .*expected finite outputs, got (-?Infinity|NaN) for output `);
  const classifier = await openClassifier(overflowing);
  try {
    assert.equal((await classifier.predict(black)).length, 2);
    await assert.rejects(classifier.predict(white), { name: "NonFiniteError", message: overflow("b/1.png") });
    await assert.rejects(classifier.evaluate({ dataset: photos }), {
      name: "NonFiniteError",
      message: overflow("b/1.png"),
    });
  } finally {
    classifier.close();
  }
  // The others of a batch have their answers.
  const predictions = predictFiles(overflowing, [{ path: black }, { path: white }, { path: black }]);
  const rows: readonly FilePrediction[] = (await predictions.next()).value ?? [];
  await predictions.return(undefined);
  assert.deepEqual(
    rows.map((row) => ("error" in row ? "error" : row.classes.length)),
    [2, "error", 2],
  );
  assert.match(
    "error" in (rows[1] ?? {}) ? (rows[1] as { error: string }).error : "",
    /^expected finite outputs, got Infinity/,
  );
  await assert.rejects(evaluateEnsemble([sound, overflowing], { dataset: photos }), { message: overflow("b/1.png") });
  await assert.rejects(measureSaliency(overflowing, white), { message: overflow("b/1.png") });
  await assert.rejects(findSimilar(overflowing, photos, [black], { layer: "fc2" }), {
    message: overflow('b/1.png: layer "fc2"'),
  });
  await assert.rejects(mapPictures(overflowing, { folder: photos, method: "pca" }), {
    message: overflow('b/1.png: layer "fc2"'),
  });
  const output = join(folder, "overflow.npy");
  await assert.rejects(writeFeatures(overflowing, [{ path: white }], { layer: "fc2", output }), {
    message: overflow('b/1.png: layer "fc2"'),
  });
  await assert.rejects(readFile(output), { code: "ENOENT" });
  await assert.rejects(verifyModel(overflowing, overflowing), {
    message: overflow("overflowing.safetensors: image 0"),
  });
  const int8 = { dataset: photos, calibrationImages: 4 };
  await assert.rejects(
    exportModel(overflowing, join(folder, "int8.onnx"), { int8 }),
    /not all finite on the calibration images|expected finite outputs/,
  );
});

test("openLayerOutputs: inputs that are not finite are refused", async () => {
  const opened = await openLayerOutputs(sound, () => ["fc1"], { batchSize: 2 });
  try {
    const images = new Float32Array(384);
    images[200] = Number.NaN;
    await assert.rejects(opened.forward(images, 2), /image 1: expected finite inputs, got NaN at index 8/);
    assert.equal((await opened.forward(images, 1)).length, 1);
  } finally {
    opened.close();
  }
});

test("outputs of an evaluation in training that are not finite are a divergence", async () => {
  // One step with a rate of 1e30: the loss before it is finite, and so are the weights after it; their product is not.
  const run = join(folder, "diverged");
  const options = {
    dataset: photos,
    network,
    run,
    epochs: 1,
    batchSize: 8,
    learningRate: 1e30,
    threads: 1,
    precision: "f32",
  } as const;
  await assert.rejects(trainClassifier({ ...options, clipNorm: 1 }), {
    name: "DivergenceError",
    message: /outputs of the evaluation are NaN or infinite after iteration 1; .*--resume --on-divergence rollback/,
  });
});

test("preprocessing whose numbers are not finite is refused", () => {
  const { preprocessing } = model;
  for (const change of [
    { deviation: [1, 0, 1] },
    { deviation: [1, 1e-320, 1] },
    { deviation: [1, Number.NaN, 1] },
    { mean: [0, Infinity, 0] },
    { mean: [0, Number.NaN, 0] },
  ]) {
    assert.throws(
      () => createPreprocessor({ ...preprocessing, ...change }),
      /^ConfigError: preprocess: expected means and deviations that give finite numbers/,
    );
  }
});

test("import from the library: pixel statistics that are not finite, or a deviation of 0", async () => {
  for (const change of [{ mean: [Number.NaN, 0, 0] }, { deviation: [0, 1, 1] }, { deviation: [Infinity, 1, 1] }]) {
    await assert.rejects(importModel(sound, join(folder, "statistics"), change), {
      name: "ConfigError",
      message: /^(mean|deviation): expected |^preprocessing: (mean|deviation)\.0/,
    });
  }
});

test("JSON with a number that it does not have is refused, not null", () => {
  assert.throws(() => jsonOf({ a: { loss: Number.NaN } }), /^DataError: loss: expected a finite number, got NaN/);
  assert.equal(jsonOf({ a: [1, null, "NaN"] }), '{"a":[1,null,"NaN"]}');
});
