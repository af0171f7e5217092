/** Grad-CAM: `saliency --method grad-cam`, and the report's worst mistakes. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { createClassActivator } from "../src/explain/classActivation.ts";
import { createGradCam, enlarged, measureGradCam } from "../src/explain/gradCam.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { conv2d, flatten, linear, relu } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { openLayerOutputs } from "../src/model/layerOutputs.ts";
import { readModel } from "../src/model/modelFile.ts";
import { createPredictionInput } from "../src/model/predictionInput.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { assertClose } from "./assertClose.ts";
import { runMain } from "./mainOutput.ts";
import { tinyNetwork, wideNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { writeFiles } from "./writeFiles.ts";

let folder: string;
const at = (name: string) => join(folder, name);
const image = {
  width: 28,
  height: 28,
  channels: 1,
  data: Uint8Array.from({ length: 28 * 28 }, (_, i) => (i * i * 37) % 256),
} as const;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-gradcam-"));
  await mkdir(at("data"));
  await writeTinyDataset(at("data"), { train: 160, test: 40 });
  await writeFiles(folder, [["image.png", await encodePng(image)]]);
  const options = { dataDir: at("data"), threads: 1, epochs: 1, batchSize: 16 };
  await trainClassifier({ ...options, network: tinyNetwork, run: at("run") });
  await trainClassifier({ ...options, network: wideNetwork, run: at("wide") });
});
after(() => rm(folder, { recursive: true }));

test("values are the class activation of the same maps, the probability that of predict, for the predicted and any other class", async () => {
  const model = await readModel(at("run"));
  const input = new Float32Array(28 * 28);
  createPredictionInput(model.preprocessing, undefined)(image, input, 0);
  const engine = createReferenceEngine();
  const activator = await createClassActivator(model, engine);
  const outputs = await openLayerOutputs(at("run"), () => [activator.layer], { engine: "reference" });
  const [maps = new Float32Array()] = await outputs.forward(input, 1);
  const classifier = await openClassifier(at("run"), { engine: "reference" });
  const classes = await classifier.predict(image);
  for (const [rank, asked] of [
    [0, undefined],
    [4, classes[4]?.className],
  ] as const) {
    const expected = classes[rank];
    const made = await measureGradCam(at("run"), image, {
      engine: "reference",
      ...(asked === undefined ? {} : { className: asked }),
    });
    assert.equal(made.className, expected?.className);
    // The reference engine computes in f64 and hands over f32 between its parts.
    assertClose([made.probability], [expected?.probability ?? 0], { relative: 1e-5, absolute: 0 }, "probability");
    const { values } = await activator.compute(maps, model.classNames.indexOf(made.className));
    assertClose(made.values.flat(), [...values], { absolute: 1e-5 }, "values");
    assert.deepEqual([made.places.length, made.places[0]?.length], [28, 28]);
  }
  await classifier.close();
  await outputs.close();
  activator.close();
  engine.close();
});

test("a binary network: the two classes have opposite gradients", async () => {
  const layers = [
    conv2d("conv1", { outChannels: 2, kernelSize: 3 }),
    relu("relu1"),
    flatten("flatten"),
    linear("fc2", { outFeatures: 1 }),
  ] as readonly AnyLayer[];
  const network = { name: "binary", source: "", deviations: [], input: [1, 4, 4] as const, layers };
  const weights = new Map([
    ["conv1.weight", Float32Array.from({ length: 18 }, (_, i) => (i < 9 ? 1 : -1))],
    ["conv1.bias", Float32Array.of(0, 20)],
    // The first map raises the logit, the second lowers it.
    ["fc2.weight", Float32Array.of(1, 1, 1, 1, -1, -1, -1, -1)],
    ["fc2.bias", Float32Array.of(0)],
  ]);
  const { preprocessing } = await readModel(at("run"));
  const engine = createReferenceEngine();
  const plain = { classNames: ["no", "yes"], preprocessing, metrics: {}, precision: "f32", exact: true } as const;
  const explainer = await createGradCam({ network, weights, head: "sigmoid", ...plain }, engine);
  const input = Float32Array.from({ length: 16 }, (_, i) => (i === 0 ? 3 : 1));
  const no = await explainer.explain(input, () => 0, "image");
  const yes = await explainer.explain(input, () => 1, "image");
  // Maps: 11, 9, 9, 9 and 9, 11, 11, 11.
  assertClose(yes.values.flat(), [1, 0, 0, 0], { absolute: 1e-6 }, "yes: 11 − 9 > 0 at the first place alone");
  assertClose(no.values.flat(), [0, 1, 1, 1], { absolute: 1e-6 }, "no: 11 − 9 > 0 at the others");
  assertClose([no.probability + yes.probability], [1], { absolute: 1e-12 }, "probabilities");
  explainer.close();
  engine.close();
});

test("a map is enlarged by linear interpolation between the centres of its places", () => {
  const made = enlarged({ height: 1, width: 2, values: Float32Array.of(0, 1) }, 2, 4);
  assert.deepEqual(made, [
    [0, 0.25, 0.75, 1],
    [0, 0.25, 0.75, 1],
  ]);
});

test("the command draws a figure; contradicting flags, and networks without feature maps, are refused", async () => {
  const made = await runMain(
    ...["saliency", at("run"), at("image.png"), "--method", "grad-cam", "--output", at("cam.png"), "--json"],
  );
  assert.equal(made.exit, 0, made.stderr);
  const { method, layer, values, className } = JSON.parse(made.stdout);
  assert.deepEqual([method, layer, values.length, typeof className], ["grad-cam", "norm1", 12, "string"]);
  assert.ok((await stat(at("cam.png"))).size > 1000);
  const window = await runMain("saliency", at("run"), at("image.png"), "--method", "grad-cam", "--window", "4");
  assert.equal(window.exit, 2);
  const wide = await runMain("saliency", at("wide"), at("image.png"), "--method", "grad-cam");
  assert.equal(wide.exit, 1);
  assert.match(wide.stderr, /wide has no feature maps before its outputs, .*use --method occlusion/);
});

test("the report shows the places of the worst mistakes; without feature maps it has none", async () => {
  const [own, wide] = await Promise.all(["run", "wide"].map((name) => readFile(at(`${name}/report.html`), "utf8")));
  assert.match(own ?? "", /Below each: the places that raise the score of the predicted class \(Grad-CAM at norm1\)/);
  assert.match(own ?? "", /alt="Places that raise the score of /);
  assert.doesNotMatch(wide ?? "", /Grad-CAM|Places that raise/);
});
