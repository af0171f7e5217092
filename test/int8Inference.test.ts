/** Inference in int8 of a trained network: its stored calibration, its classes and those of the exported file, and refusals. */
import assert from "node:assert/strict";
import { cp, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { loadModel } from "../src/checkpoint/model.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { CheckpointError, ConfigError } from "../src/errors.ts";
import { exportModel } from "../src/exchange/exportModel.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { quantizationOf } from "../src/model/int8Model.ts";
import { openLayerOutputs } from "../src/model/layerOutputs.ts";
import type { OpenOptions } from "../src/model/openModel.ts";
import { predictFiles } from "../src/model/predictFiles.ts";
import { type TrainOptions, trainClassifier } from "../src/trainer/trainClassifier.ts";
import type { Prediction } from "../src/training/evaluation/metrics.ts";
import { runMain } from "./mainOutput.ts";
import { everyKind } from "./onnxNetworks.ts";
import { runOnnxUnoptimized } from "./onnxRuntime.ts";
import { withTinyRun } from "./tinyRun.ts";
import { tinyNetwork } from "./tinyRuns.ts";

const TEST_IMAGES = 500;
const at = withTinyRun(TEST_IMAGES);

/** Evaluates a run, and counts the images that it was calibrated on. */
async function evaluated(run: string, options: OpenOptions = {}) {
  let calibrated = 0;
  const onProgress = (images: number) => {
    calibrated = images;
  };
  const messages: string[] = [];
  const predictions: Prediction[] = [];
  const classifier = await openClassifier(at(run), {
    threads: 1,
    batchSize: 64,
    precision: "int8",
    ...options,
    calibration: { ...options.calibration, onProgress },
    // Without VNNI, another message says that int8 is slow.
    onMessage: (message) => message.startsWith("precision: int8 is slower here ") || messages.push(message),
  });
  try {
    const evaluation = await classifier.evaluate({ dataDir: at(""), onPrediction: (one) => predictions.push(one) });
    assert.ok(evaluation);
    const { top1Accuracy } = evaluation;
    return { calibrated, messages, top1Accuracy, predicted: predictions.map(({ predicted }) => predicted), classifier };
  } finally {
    await classifier.close();
  }
}

/** A copy of the run without a stored calibration. */
async function fresh(name: string): Promise<string> {
  await cp(at("run"), at(name), { recursive: true });
  await rm(at(`${name}/best.int8.json`), { force: true });
  return name;
}

test("it is calibrated once, as export does, and gives the classes of the exported file", async () => {
  const run = await fresh("once");
  const first = await evaluated(run);
  assert.equal(first.calibrated, 256);
  assert.deepEqual(first.messages, ["int8: calibrated on 256 images of fashion-mnist"]);
  assert.equal(first.classifier.precision, "int8");
  const stored = await readFile(at(`${run}/best.int8.json`), "utf8");
  const second = await evaluated(run, { batchSize: 1 });
  assert.deepEqual([second.calibrated, second.messages], [0, []]);
  assert.deepEqual(second.predicted, first.predicted);
  // A few images lie on the edge between two classes; bench/int8Accuracy.ts counts them among 10,000.
  const f32 = await evaluated(run, { precision: "f32" });
  assert.ok(f32.top1Accuracy > 0.5 && Math.abs(first.top1Accuracy - f32.top1Accuracy) < 5 / TEST_IMAGES);
  assert.equal(f32.classifier.precision, "f32");

  await exportModel(at(run), at("once.onnx"), { flags: new Set(["pixels"]), int8: { threads: 1, dataDir: at("") } });
  assert.equal(await readFile(at(`${run}/best.int8.json`), "utf8"), stored, "the export's calibration is the same");
  const pixels = new Uint8Array((await readFile(at("t10k-images-idx3-ubyte"))).subarray(16));
  const logits = await runOnnxUnoptimized(await readFile(at("once.onnx")), pixels, [TEST_IMAGES, 28, 28, 1]);
  const theirs = Array.from({ length: TEST_IMAGES }, (_, i) => {
    const row = logits.subarray(10 * i, 10 * i + 10);
    return row.indexOf(Math.max(...row));
  });
  // Without optimizations ONNX Runtime sums rounded numbers in f32.
  const { classNames } = first.classifier.model;
  const different = first.predicted.filter((name, i) => name !== classNames[theirs[i] as number]).length;
  assert.ok(different <= 1, `${different} of ${TEST_IMAGES} differ`);
});

test("images that are asked for calibrate again, and their calibration is stored", async () => {
  const run = await fresh("again");
  await evaluated(run);
  const before = JSON.parse(await readFile(at(`${run}/best.int8.json`), "utf8"));
  const again = await evaluated(run, { calibration: { images: 40, dataDir: at("") } });
  assert.equal(again.calibrated, 40);
  const after = JSON.parse(await readFile(at(`${run}/best.int8.json`), "utf8"));
  assert.deepEqual([before.calibration.images, after.calibration.images], [256, 40]);
  assert.equal((await evaluated(run)).calibrated, 0);
});

test("a calibration of other weights is not used, and an unreadable one is named", async () => {
  const run = await fresh("stale");
  await evaluated(run);
  const file = at(`${run}/best.int8.json`);
  const stored = JSON.parse(await readFile(file, "utf8"));
  const { "": images, ...activations } = stored.activations;
  const broken: readonly (readonly [text: string, note: RegExp | undefined])[] = [
    [JSON.stringify({ ...stored, weights: "0" }), undefined],
    [
      JSON.stringify({ ...stored, activations }),
      /best\.int8\.json: not a stored calibration of .*its layers differ; calib/,
    ],
    [JSON.stringify({ ...stored, version: 2 }), /best\.int8\.json: not a stored calibration: .*; calibrating again$/s],
    ["{", /best\.int8\.json: not a stored calibration: .*; calibrating again$/],
  ];
  assert.ok(images);
  for (const [text, note] of broken) {
    await writeFile(file, text);
    const { calibrated, messages } = await evaluated(run);
    assert.equal(calibrated, 256, text.slice(0, 40));
    assert.equal(messages.length, note ? 2 : 1);
    if (note) assert.match(messages[0] as string, note);
    assert.equal((await evaluated(run)).calibrated, 0);
  }
  await rm(file);
  await mkdir(join(file, "in the way"), { recursive: true });
  const { messages } = await evaluated(run);
  assert.match(
    messages.at(-1) as string,
    /best\.int8\.json: the calibration could not be stored, so the next use repeats it: /,
  );
});

test("the commands take it, and their help names it", async () => {
  const run = at(await fresh("commands"));
  const options = ["--precision", "int8", "--threads", "1", "--limit", "50", "--data-dir", at(""), "--json"];
  const evaluation = await runMain("evaluate", run, ...options);
  assert.equal(evaluation.exit, 0, evaluation.stderr);
  assert.match(evaluation.stderr, /int8: calibrated on 256 images of fashion-mnist/);
  assert.equal(JSON.parse(evaluation.stdout).images, 50);
  const again = await runMain("evaluate", run, ...options);
  assert.equal(again.stdout, evaluation.stdout);
  assert.match(again.stderr, /^(precision: int8 is slower here .*\n)?$/);
  const usage = await runMain("evaluate", run, "--calibrate", at(""));
  assert.equal(usage.exit, 2);
  assert.match(usage.stderr, /--calibrate requires --precision int8/);
  const training = await runMain("train", "--precision", "int8");
  assert.equal(training.exit, 2);
  assert.match(training.stderr, /int8/);
});

test("it is refused by name: another engine, a layer's outputs, random networks, no images", async () => {
  const run = at("run");
  const int8 = { threads: 1, precision: "int8" } as const;
  await assert.rejects(
    openClassifier(run, { ...int8, engine: "reference" }),
    (e) => e instanceof ConfigError && /^precision: the reference engine has no int8; use the onednn/.test(e.message),
  );
  await assert.rejects(
    openLayerOutputs(run, ({ layers }) => [layers[0]?.name ?? ""], int8),
    /^ConfigError: precision: int8 computes a network's outputs, not those of its layers; use f32 or bf16/,
  );
  const model = { ...(await loadModel(at("run/best.safetensors"))), network: everyKind };
  const engine = createOneDnnEngine({ threads: 1 });
  await assert.rejects(
    quantizationOf(run, at("run/best.safetensors"), model, engine, {}),
    /^ConfigError: precision: int8 has no dropout that stays active at evaluation \(drop\); use f32 or bf16/,
  );
  engine.close();
  const training = { ...int8, dataDir: at(""), network: tinyNetwork, run: at("untrained") } as unknown as TrainOptions;
  await assert.rejects(
    trainClassifier(training),
    (e) => e instanceof ConfigError && /^precision: expected one of auto, f32, bf16, got "int8"/.test(e.message),
  );
  await assert.rejects(stat(at("untrained")), { code: "ENOENT" });
  await mkdir(at("alone"));
  await cp(at("run/best.safetensors"), at("alone/best.safetensors"));
  const alone = () => openClassifier(at("alone"), int8);
  await assert.rejects(
    alone,
    (e) => e instanceof ConfigError && /^int8 needs images.*--calibrate FOLDER$/s.test(e.message),
  );
  await assert.rejects(stat(at("alone/best.int8.json")), { code: "ENOENT" });
  const message = await alone().catch(({ message }: Error) => message);
  assert.equal(
    message,
    `int8 needs images to calibrate on: ${at("alone")}: found no config.json next to it that names its data set; give images with --calibrate FOLDER`,
  );
});

test("files are predicted in it", async () => {
  const run = at(await fresh("files"));
  const options = { threads: 1, precision: "int8", calibration: { dataDir: at("") } } as const;
  for await (const [prediction] of predictFiles(run, [at("t10k-images-idx3-ubyte")], options)) {
    assert.ok(prediction && "error" in prediction, "no image, but the network was opened");
  }
  await stat(join(run, "best.int8.json"));
  await rm(join(run, "best.safetensors"));
  await assert.rejects(openClassifier(join(run, "best.safetensors"), options), CheckpointError);
});
