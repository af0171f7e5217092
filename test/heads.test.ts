/** Heads: networks of other programs that end in a sigmoid, a log-softmax or nothing, against ONNX Runtime and plain arithmetic. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { loadModel } from "../src/checkpoint/model.ts";
import { writeSafetensors } from "../src/checkpoint/safetensorsWriter.ts";
import { exportModel } from "../src/exchange/exportModel.ts";
import type { DescribeOptions } from "../src/exchange/importDescription.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { verifyModel } from "../src/exchange/verifyModel.ts";
import { mapPictures } from "../src/explain/map.ts";
import { measureSaliency } from "../src/explain/saliency.ts";
import { readOnnx, readOnnxFile } from "../src/formats/onnx/readOnnx.ts";
import type { Image } from "../src/image/image.ts";
import { conv2d, flatten, linear, relu, sigmoid } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { evaluateEnsemble } from "../src/model/evaluateEnsemble.ts";
import { predictFiles, writeFeatures } from "../src/model/predictFiles.ts";
import type { Network } from "../src/network/network.ts";
import {
  assertNear,
  folder,
  images,
  imported,
  namesFile,
  outputsOf,
  photosOf,
  scale,
  withClassifier,
} from "./headModels.ts";
import { chainWeights, imageShape, onnxChain } from "./onnxGraphs.ts";

test("one sigmoid output: two classes, 1 − p and p, as ONNX Runtime has p", async () => {
  const { model, run } = await imported(1, [["Sigmoid"]], { classes: await namesFile("cat", "dog") });
  await withClassifier(run, async (classifier) => {
    assert.deepEqual([classifier.head, classifier.isMultiLabel], ["sigmoid", false]);
    const seen = new Set<string>();
    for (const image of images) {
      const [p = 0] = await outputsOf(model, image);
      const [first, second, ...rest] = await classifier.predict(image);
      assert.deepEqual(rest, []);
      assert.deepEqual([first?.className, second?.className], p > 0.5 ? ["dog", "cat"] : ["cat", "dog"]);
      assertNear(first?.probability, Math.max(p, 1 - p), "probability");
      assertNear((first?.probability ?? 0) + (second?.probability ?? 0), 1, "sum");
      seen.add(String(first?.className));
    }
    assert.equal(seen.size, 2, "both classes are among the answers");
  });
});

test("class names of one output: the one that it is for, or none", async () => {
  const one = await imported(1, [["Sigmoid"]], { classes: await namesFile("dog") });
  assert.deepEqual((await loadModel(one.weights)).classNames, ["not dog", "dog"]);
  const none = await imported(1, [["Sigmoid"]]);
  assert.deepEqual((await loadModel(none.weights)).classNames, ["class 0", "class 1"]);
  const three = await namesFile("a", "b", "c");
  await assert.rejects(
    imported(1, [["Sigmoid"]], { classes: three }),
    /expected 2 class names \(.*: 1 outputs, head sigmoid\), got 3/,
  );
});

test("several sigmoid outputs: a probability of its own for each, present from the threshold on", async () => {
  const { model, run } = await imported(3, [["Sigmoid"]], { classes: await namesFile("a", "b", "c") });
  await withClassifier(run, async (classifier) => {
    assert.deepEqual([classifier.head, classifier.isMultiLabel], ["sigmoid", true]);
    let present = 0;
    for (const image of images) {
      const expected = await outputsOf(model, image);
      for (const threshold of [0.5, 0.7]) {
        const classes = await classifier.predict(image, threshold === 0.5 ? {} : { threshold });
        assert.deepEqual(
          classes.map(({ probability }) => probability),
          classes.map(({ probability }) => probability).sort((x, y) => y - x),
        );
        for (const { className, probability, isPresent } of classes) {
          assertNear(probability, expected[["a", "b", "c"].indexOf(className)], className);
          assert.equal(isPresent, probability >= threshold);
          present += Number(isPresent);
        }
      }
    }
    assert.ok(present > 12 && present < 60, "some are present, some are not");
    await assert.rejects(
      classifier.predict(images[0] as Image, { threshold: 1 }),
      /threshold: expected a number between 0 and 1, got 1/,
    );
    for (const samples of [0, -1, 0.5, Number.NaN]) {
      await assert.rejects(
        classifier.predict(images[0] as Image, { samples }),
        /samples: expected a whole number above 0/,
      );
    }
    await assert.rejects(classifier.predict(images[0] as Image, { threshold: Number.NaN }), /got NaN/);
  });
});

test("a log-softmax at the end: the probabilities are its exponentials", async () => {
  for (const ends of [[["LogSoftmax", { axis: 1 }]], [["LogSoftmax"]], [["Softmax"], ["Identity"]]] as const) {
    const { model, run } = await imported(4, ends);
    await withClassifier(run, async (classifier) => {
      assert.equal(classifier.head, "softmax");
      const image = images[0] as Image;
      const outputs = await outputsOf(model, image);
      const isLog = ends[0][0] === "LogSoftmax";
      for (const { className, probability } of await classifier.predict(image)) {
        const output = outputs[Number(className.slice("class ".length))] as number;
        assertNear(probability, isLog ? Math.exp(output) : output, className);
      }
      // A threshold of a network with one class per image rejects the image or accepts its most probable class.
      const accepted = async (threshold: number) =>
        (await classifier.predict(image, { threshold })).map(({ isPresent }) => isPresent);
      assert.deepEqual(await accepted(1e-6), [true, false, false, false]);
      assert.deepEqual(await accepted(1 - 1e-6), [false, false, false, false]);
    });
  }
});

test("a sigmoid within the chain stays a layer; one before a softmax too", async () => {
  const read = readOnnx(await onnxChain(3, [["Sigmoid"], ["Softmax"]]), "model");
  assert.deepEqual([read.metadata.head, read.network.layers.at(-1)?.kind], ["softmax", "sigmoid"]);
  const twice = readOnnx(await onnxChain(3, [["Sigmoid"], ["Sigmoid"]]), "model");
  assert.deepEqual([twice.metadata.head, twice.network.layers.at(-1)?.kind], ["sigmoid", "sigmoid"]);
  assert.equal(twice.network.layers.filter(({ kind }) => kind === "sigmoid").length, 1);
  const dropped = readOnnx(await onnxChain(3, [["Sigmoid"], ["Flatten"], ["Dropout"]]), "model");
  assert.deepEqual(
    [dropped.metadata.head, dropped.network.layers.map(({ kind }) => kind).includes("sigmoid")],
    ["sigmoid", false],
  );
  assert.equal(dropped.metadata.endsInSoftmax, false);
});

test("one output and nothing after it is refused until --head says what it is", async () => {
  await assert.rejects(
    imported(1, []),
    /the meaning of its single output is unknown; give --head sigmoid .*--head none/,
  );
  await assert.rejects(imported(1, [], { head: "softmax" }), /expected at least 2 outputs for the head softmax, got 1/);
  await assert.rejects(imported(1, [["Softmax"]]), /expected at least 2 outputs for the head softmax, got 1/);
  const { model, run } = await imported(1, [], { head: "sigmoid" });
  await withClassifier(run, async (classifier) => {
    for (const image of images) {
      const [z = 0] = await outputsOf(model, image);
      const classes = await classifier.predict(image);
      assertNear(classes.find(({ className }) => className === "class 1")?.probability, 1 / (1 + Math.exp(-z)), "p");
    }
  });
});

test("bare outputs of several classes are logits of a softmax, which is said", async () => {
  const { model, run, assumptions } = await imported(4, []);
  assert.ok(assumptions.some((assumption) => /^head: softmax \(one class per image, from 4 logits\)/.test(assumption)));
  await withClassifier(run, async (classifier) => {
    const exponentials = (await outputsOf(model, images[1] as Image)).map(Math.exp);
    const sum = exponentials.reduce((a, b) => a + b);
    for (const { className, probability } of await classifier.predict(images[1] as Image))
      assertNear(probability, (exponentials[Number(className.slice(6))] as number) / sum, className);
  });
  const multi = await imported(4, [], { head: "sigmoid" });
  await withClassifier(multi.run, async ({ isMultiLabel }) => assert.equal(isMultiLabel, true));
});

test("--head against what the file ends in is refused", async () => {
  await assert.rejects(
    imported(3, [["Sigmoid"]], { head: "softmax" }),
    /--head: expected sigmoid, the head of .*onnx, got softmax/,
  );
  await assert.rejects(
    imported(3, [["Softmax"]], { head: "none" }),
    /--head: expected softmax, the head of .*onnx, got none/,
  );
});

const network = (outputs: number, ...ends: readonly unknown[]): Network => ({
  name: "chain",
  source: "",
  deviations: [],
  input: imageShape,
  layers: [
    conv2d("conv", { outChannels: 9, kernelSize: 3, padding: 1 }),
    relu("relu"),
    flatten("flatten"),
    linear("fc", { outFeatures: outputs }),
    ...(ends as readonly AnyLayer[]),
  ],
});

test("files without a network: --head, or the layer that ends the network given", async () => {
  const weights = chainWeights(1);
  const file = join(folder, "foreign.safetensors");
  await writeSafetensors(
    file,
    {},
    {
      tensors: [...weights].map(([name, [shape]]) => ({ name, shape })),
      read: async (name) => weights.get(name)?.[1] as Float32Array,
    },
  );
  const importFile = (run: string, options: DescribeOptions) =>
    importModel(file, join(folder, run), { ...scale, ...options });
  await assert.rejects(importFile("f0", { network: network(1) }), /the meaning of its single output is unknown/);
  await assert.rejects(
    importFile("f0", { network: network(1, sigmoid("s")), head: "none" }),
    /--head: expected sigmoid, the head of chain/,
  );
  const said = await importFile("f1", { network: network(1), head: "sigmoid" });
  const ended = await importFile("f2", { network: network(1, sigmoid("s")) });
  assert.deepEqual(ended.model, said.model);
  const like = await importFile("f3", { like: join(folder, "f1") });
  assert.deepEqual(like.model, said.model);
});

test("exported again as it came: ONNX with its sigmoid, and safetensors", async () => {
  for (const outputs of [1, 3]) {
    const { model, run, file } = await imported(outputs, [["Sigmoid"]]);
    const bare = join(folder, `bare-${outputs}.onnx`);
    const whole = join(folder, `whole-${outputs}.onnx`);
    await exportModel(run, bare);
    const { head } = await exportModel(run, whole, { flags: new Set(["probabilities"]) });
    assert.equal(head, "sigmoid");
    for (const image of images.slice(0, 3)) {
      const expected = await outputsOf(model, image);
      for (const [c, p] of (await outputsOf(await readFile(whole), image)).entries()) assertNear(p, expected[c], "p");
      for (const [c, z] of (await outputsOf(await readFile(bare), image)).entries())
        assertNear(1 / (1 + Math.exp(-z)), expected[c], "σ(z)");
    }
    for (const path of [bare, whole]) {
      const { metadata, network: back } = await readOnnxFile(path);
      assert.deepEqual([metadata.head, metadata.endsInSoftmax, back.layers.at(-1)?.kind], ["sigmoid", false, "linear"]);
      assert.equal(metadata.classNames?.length, outputs === 1 ? 2 : 3);
    }
    const copy = join(folder, `copy-${outputs}.safetensors`);
    await exportModel(run, copy);
    const again = await importModel(copy, join(folder, `again-${outputs}`), {});
    assert.deepEqual(again.model, await loadModel(join(run, "last.safetensors")));
    for (const path of [file, bare, whole, copy]) {
      const { relativeDifference, sameClass } = await verifyModel(run, path);
      assert.deepEqual([relativeDifference, sameClass], [0, 16]);
    }
  }
});

test("verify: another head is refused", async () => {
  const { run } = await imported(3, [["Sigmoid"]]);
  const { file } = await imported(3, [["Softmax"]]);
  await assert.rejects(verifyModel(run, file), /expected the head sigmoid of .*, got softmax/);
});

test("head none: features come out, classes do not", async () => {
  const { run } = await imported(2, [], { head: "none" });
  const photos = await photosOf("plain", ["a", "b"]);
  const refused = /its head is "none", so its outputs are not class probabilities/;
  await assert.rejects(openClassifier(run), refused);
  await assert.rejects(measureSaliency(run, join(photos, "a/0.png")), refused);
  await assert.rejects(evaluateEnsemble([run, run], { dataset: photos }), refused);
  await assert.rejects(predictFiles(run, [{ path: join(photos, "a/0.png") }]).next(), refused);
  await assert.rejects(mapPictures(run, { folder: photos, method: "pca" }), refused);
  await assert.rejects(exportModel(run, join(folder, "none.onnx"), { flags: new Set(["probabilities"]) }), refused);
  await exportModel(run, join(folder, "none.onnx"));
  assert.equal((await readOnnxFile(join(folder, "none.onnx"))).metadata.head, "none");
  const output = join(folder, "outputs.npy");
  assert.equal((await writeFeatures(run, [{ path: join(photos, "a/0.png") }], { layer: "fc", output })).written, 1);
});

test("a weights file with another head than softmax has a format version that earlier programs refuse", async () => {
  const { weights } = await imported(3, [["Sigmoid"]]);
  const header = (await readFile(weights)).toString("latin1", 8, 4000);
  assert.match(header, /"formatVersion":"2"/);
  assert.match(header, /"head":"sigmoid"/);
  const { weights: plain } = await imported(3, [["Softmax"]]);
  assert.doesNotMatch((await readFile(plain)).toString("latin1", 8, 4000), /"head"/);
});
