/** Temperature and threshold: fitted, stored with the weights, used by predictions and exports. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadModel } from "../src/checkpoint/model.ts";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { storeDecision } from "../src/checkpoint/storeDecision.ts";
import { fromArrays } from "../src/dataset/arrays.ts";
import { exportModel } from "../src/exchange/exportModel.ts";
import { verifyModel } from "../src/exchange/verifyModel.ts";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { loadEvaluationData } from "../src/model/evaluationData.ts";
import { fitDecision } from "../src/model/fitDecision.ts";
import { openLayerOutputs } from "../src/model/layerOutputs.ts";
import { formatPercent } from "../src/report/numbers.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { assertClose } from "./assertClose.ts";
import { runMain } from "./mainOutput.ts";
import { runOnnx } from "./onnxRuntime.ts";
import { lastWeights, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainFor } from "./trainedRuns.ts";

let folder: string;
const at = (name: string) => join(folder, name);
const best = () => at("run/best.safetensors");

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-decision-"));
  await mkdir(at("data"));
  await writeTinyDataset(at("data"), { train: 320, test: 80 });
  const options = { dataDir: at("data"), threads: 1, epochs: 1, batchSize: 16 };
  await trainClassifier({ ...options, network: tinyNetwork, run: at("run") });
});
after(() => rm(folder, { recursive: true }));

/** Class probabilities of an image, in the order of the classes. */
async function predicted(path: string) {
  const classifier = await openClassifier(path, { threads: 1 });
  try {
    const data = Uint8Array.from({ length: 28 * 28 }, (_, i) => (i * 37) % 256);
    const scores = await classifier.predict({ width: 28, height: 28, channels: 1, data });
    const { classNames } = classifier.model;
    const of = (name: string) => scores.find(({ className }) => className === name)?.probability ?? Number.NaN;
    return { scores, probabilities: classNames.map(of) };
  } finally {
    await classifier.close();
  }
}

test("without validation images: fitted on half of the test images, evaluated on the others", async () => {
  const model = await loadModel(best());
  const halves = await Promise.all(
    (["fit", "rest"] as const).map((held) => loadEvaluationData(at("run"), best(), model, { held })),
  );
  const imagesOf = ({ split }: (typeof halves)[number]) =>
    Array.from({ length: split.length }, (_, i) => Buffer.from(split.image(i).data).toString("base64"));
  const [fit, rest] = halves.map((half) => new Set(imagesOf(half)));
  assert.deepEqual([fit?.size, rest?.size], [40, 40]);
  assert.ok([...(fit ?? [])].every((image) => !rest?.has(image)));
  for (const { close } of halves) close();
});

test("a data set in memory whose validation images are its test images is halved as well", async () => {
  const model = await loadModel(best());
  const { classNames } = model;
  const count = 2 * classNames.length;
  const images = Array.from({ length: count }, (_, i) => new Uint8Array(28 * 28).fill(i));
  const labels = images.map((_, i) => i % classNames.length);
  const options = { classNames, width: 28, height: 28, channels: 1 } as const;
  const dataset = fromArrays(images, labels, { ...options, validation: { images, labels } });
  const halves = await Promise.all(
    (["fit", "rest"] as const).map((held) => loadEvaluationData(at("run"), best(), model, { held, dataset })),
  );
  const seen = halves.map(({ split }) => Array.from({ length: split.length }, (_, i) => split.image(i).data[0] ?? -1));
  assert.deepEqual(
    seen.flat().toSorted((a, b) => a - b),
    [...images.keys()],
  );
  assert.deepEqual(
    seen.map(({ length }) => length),
    [classNames.length, classNames.length],
  );
  for (const { close } of halves) close();
});

test("stored with the weights, which stay the same; predictions and ONNX divide the logits; removed again", async () => {
  const weightsOf = () =>
    withReader(best(), async (reader) => Promise.all(reader.tensors.map(({ name }) => reader.read(name))));
  const [plain, weights, before] = [await predicted(at("run")), await weightsOf(), await loadModel(best())];
  const args = ["evaluate", at("run"), "--temperature", "fit", "--coverage", "0.5", "--json", "--threads", "1"];
  const { exit, stdout, stderr } = await runMain(...args);
  assert.equal(exit, 0, stderr);
  assert.match(
    stderr,
    /temperature [\d.]+, threshold [\d.]+ %; fitted on 40 test \(one half; .*stored with the weights/,
  );
  const { fitted, images, rejection } = JSON.parse(stdout);
  assert.deepEqual([images, fitted.images], [40, 40]);
  assert.ok(fitted.loss.after < fitted.loss.before && rejection.coverage > 0.2 && rejection.coverage < 0.8);
  const { temperature = 0, thresholds, ...others } = await loadModel(best());
  assert.equal(temperature, fitted.temperature);
  assert.deepEqual(thresholds, new Array(10).fill(fitted.threshold));
  const { temperature: _, thresholds: __, ...expected } = before;
  assert.deepEqual([others, await weightsOf()], [expected, weights]);

  const now = await predicted(at("run"));
  const powers = plain.probabilities.map((p) => p ** (1 / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  const divided = powers.map((p) => p / sum);
  assertClose(now.probabilities, divided, { relative: 1e-9, absolute: 0 }, "softmax(log p / T) = p^(1/T) / Σ");
  const top = now.scores[0];
  assert.equal(top?.isPresent, (top?.probability ?? 0) >= fitted.threshold);

  await exportModel(at("run"), at("model.onnx"), { flags: new Set(["probabilities"]) });
  const file = await readFile(at("model.onnx"));
  const outputs = await openLayerOutputs(at("run"), ({ layers }) => [layers.at(-1)?.name ?? ""], { threads: 1 });
  const input = Float32Array.from({ length: 28 * 28 }, (_, i) => Math.sin(i));
  const [logits = new Float32Array()] = await outputs.forward(input, 1);
  await outputs.close();
  const exponentials = [...logits].map((logit) => Math.exp(logit / temperature));
  const total = exponentials.reduce((a, b) => a + b, 0);
  const runtime = await runOnnx(file, input, [1, 1, 28, 28]);
  // ONNX Runtime computes in f32, its layers in another order.
  assertClose(
    [...runtime],
    exponentials.map((e) => e / total),
    { relative: 1e-4, absolute: 1e-6 },
    "ONNX Runtime",
  );
  const { metadata } = readOnnx(file, "model.onnx");
  assert.deepEqual([metadata.temperature, metadata.thresholds], [temperature, thresholds]);

  assert.equal(await fitDecision(at("run"), { temperature: "remove", threads: 1 }), undefined);
  assert.deepEqual(await loadModel(best()), before);
  assert.deepEqual((await predicted(at("run"))).probabilities, plain.probabilities);
});

test("a checkpoint with another temperature is resumed from where it was; verify names what an export states otherwise", async () => {
  const data = { dataDir: at("data"), threads: 1 };
  const options = { ...data, network: tinyNetwork, epochs: 1, batchSize: 16 };
  for (const run of ["plain", "fitted"]) await trainFor(8, { ...options, run: at(run) });
  const last = at("fitted/last.safetensors");
  await exportModel(at("fitted"), at("before.onnx"), { flags: new Set(["probabilities"]) });
  for (const temperature of [3, 5]) await storeDecision(last, { temperature, thresholds: new Array(10).fill(0.2) });
  const messages: string[] = [];
  const observer = { onMessage: (message: string) => void messages.push(message) };
  const { relativeDifference, otherFacts } = await verifyModel(at("fitted"), at("before.onnx"));
  assert.deepEqual([relativeDifference, otherFacts], [0, ["temperature", "thresholds"]]);
  const verified = await runMain("verify", at("fitted"), at("before.onnx"), "--threads", "1");
  assert.equal(verified.exit, 1);
  assert.match(verified.stderr, /before\.onnx: other temperature, thresholds than .*fitted/);
  for (const run of ["plain", "fitted"]) await trainClassifier({ ...data, run: at(run), resume: true, observer });
  const [plain, fitted] = await Promise.all(["plain", "fitted"].map((run) => lastWeights(at(run))));
  assert.ok(plain?.equals(fitted ?? Buffer.alloc(0)));
  assert.doesNotMatch(messages.join("\n"), /changed since|missing/);
  // Changed elsewhere, the file is no checkpoint, and the older one is not taken without a word.
  await mkdir(at("elsewhere"));
  const copy = at("elsewhere/last.safetensors");
  await writeFile(copy, await readFile(last));
  await storeDecision(copy, { temperature: 7 });
  await writeFile(last, await readFile(copy));
  const again = { ...data, run: at("fitted"), resume: true, epochs: 2, observer };
  await trainClassifier(again);
  assert.match(
    messages.join("\n"),
    /last\.safetensors: changed since its optimizer file was written; resuming from .*previous/,
  );
});

test("a report that is written after fitting shows the same probabilities in its figures and its galleries", async () => {
  const plain = await loadModel(best());
  await storeDecision(best(), { temperature: 20 });
  await rm(at("run/report.html"));
  await trainClassifier({ dataDir: at("data"), run: at("run"), resume: true });
  const report = await readFile(at("run/report.html"), "utf8");
  const rows = (await readFile(at("run/predictions.csv"), "utf8")).trim().split("\r\n").slice(1);
  const all = rows.map((row) => row.split(","));
  // 24 of 80 images, evenly spaced.
  const expected = Array.from({ length: 24 }, (_, i) => all[Math.floor((i * 80) / 24)] ?? []).map(
    ([, , className, predicted, probability]) => [predicted, formatPercent(Number(probability)), className],
  );
  const sample = report.slice(report.indexOf("<h2>Sample of test images</h2>"));
  const shown = [...sample.matchAll(/<dt>predicted<\/dt><dd>(.*?), (.*?)<\/dd><dt>true<\/dt><dd>(.*?)<\/dd>/g)];
  assert.deepEqual(
    shown.map(([, predicted, probability, className]) => [predicted, probability?.replace("\u00a0", " "), className]),
    expected,
  );
  await storeDecision(best(), {});
  assert.deepEqual(await loadModel(best()), plain);
});

test("a threshold of one prediction; flags that contradict each other are refused", async () => {
  const rejected = await runMain("evaluate", at("run"), "--threshold", "0.999", "--threads", "1");
  assert.match(rejected.stdout, /^coverage at 99\.9 % +0\.0 %\naccuracy at 99\.9 % +–$/m);
  for (const flags of [
    ["--coverage", "0.9", "--max-error", "0.1"],
    ["--temperature", "fit", "--split", "train"],
    ["--coverage", "0.9", "--threshold", "0.5"],
  ]) {
    const { exit, stdout } = await runMain("evaluate", at("run"), ...flags);
    assert.deepEqual([exit, stdout], [2, ""], flags.join(" "));
  }
});
