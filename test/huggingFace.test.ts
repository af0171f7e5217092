/** Folders for the Hugging Face Hub: their files, what cannot be exported, and predictions of transformers.js, which reads them. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { isCached, npmTool } from "../scripts/ci/npmTools.ts";
import type { Decision } from "../src/checkpoint/metadata.ts";
import { type Exported, exportModel } from "../src/exchange/exportModel.ts";
import { foreignModels } from "../src/exchange/foreignModels.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { huggingFaceWeights, openHuggingFace } from "../src/formats/huggingFace.ts";
import { writeSafetensorsFile } from "../src/formats/tensorFiles.ts";
import { encodePng } from "../src/image/files/decode.ts";
import type { Fit } from "../src/image/prepare/fit.ts";
import type { Preprocessing } from "../src/image/prepare/preprocess.ts";
import { conv2d, flatten, linear, localResponseNorm, relu } from "../src/layers/kinds.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { writeModel } from "../src/model/modelFile.ts";
import { type Network, parametersOf } from "../src/network/network.ts";
import { weighted } from "./onnxNetworks.ts";

const folder = await mkdtemp(join(tmpdir(), "hugging-face-"));
after(() => rm(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

const classNames = ["blue", "green | <b>", "red"];
const SIDE = 16;

function networkOf(channels: 1 | 3): Network {
  const layers = [
    conv2d("conv1", { outChannels: 4, kernelSize: 3, stride: 2 }),
    relu("relu1"),
    localResponseNorm("norm1"),
    flatten("flatten"),
    linear("fc2", { outFeatures: 3 }),
  ];
  return { name: "small", source: "", deviations: [], input: [channels, SIDE, SIDE], layers };
}

interface Case {
  readonly fit: Fit;
  readonly channels?: 1 | 3;
  readonly head?: "softmax" | "sigmoid";
  readonly meanImage?: string;
  readonly decision?: Decision;
}

/** Writes weights with this preprocessing, and exports them. Returns the folder's name. */
async function exported(
  name: string,
  { fit, channels = 3, head = "softmax", meanImage, decision }: Case,
): Promise<Exported> {
  const network = networkOf(channels);
  const preprocessing: Preprocessing = {
    ...{ size: [SIDE, SIDE], channels, fit, resize: "bilinear" },
    mean: [0.5, 0.4, 0.3].slice(0, channels),
    deviation: [0.2, 0.3, 0.4].slice(0, channels),
    ...(meanImage && { meanImage }),
  };
  await writeModel(at(`${name}.safetensors`), {
    ...{ network, classNames, preprocessing, weights: weighted(network).values, head },
    ...{ metrics: { testAccuracy: 0.75 }, precision: "f32", exact: true },
    ...decision,
  });
  return exportModel(at(`${name}.safetensors`), at(name), { format: "huggingface" });
}

const crop: Fit = { kind: "crop", shorterSide: 20 };
const fits: Readonly<Record<string, Fit>> = { resize: { kind: "resize" }, native: { kind: "native" }, crop };

async function writeImage(name: string, channels: 1 | 3, width: number, height: number): Promise<string> {
  // Smooth, as photos are: resizers differ most at noise.
  const pixels = Array.from({ length: width * height * channels }, (_, i) => {
    const [x, y, c] = [Math.floor(i / channels) % width, Math.floor(i / channels / width), i % channels];
    return Math.round(127 + 60 * Math.sin((8 * x) / width + c) + 60 * Math.cos((6 * y) / height - c));
  });
  await writeFile(at(name), await encodePng({ width, height, channels, data: Uint8Array.from(pixels) }));
  return at(name);
}

describe("export --format huggingface", () => {
  it("writes the files that transformers.js and the Hub read, and is read back by predict and import", async () => {
    const { bytes, tensors } = await exported("files", { fit: { kind: "resize" } });
    assert.deepEqual((await readdir(at("files"), { recursive: true })).sort(), [
      "README.md",
      "config.json",
      "onnx",
      "onnx/model.onnx",
      "preprocessor_config.json",
    ]);
    assert.equal(tensors, 4);
    assert.ok(bytes > 4 * (4 * 27 + 4 + 3 * 196 + 3));
    const config = JSON.parse(await readFile(at("files/config.json"), "utf8"));
    assert.deepEqual(config.id2label, { 0: "blue", 1: "green | <b>", 2: "red" });
    const card = await readFile(at("files/README.md"), "utf8");
    assert.match(card, /^---\n# Replace the licence.*\nlicense: unknown\n/);
    assert.match(card, /\| testAccuracy \| 0\.75 \|/);
    assert.match(card, /green \\\| \\<b\\>/);

    const image = await writeImage("own.png", 3, 40, 30);
    const own = await openClassifier(at("files.safetensors"));
    const expected = await own.predict(image);
    await own.close();
    const read = await openClassifier(at("files"), { openSource: foreignModels({}) });
    // The same program of the same weights.
    assert.deepEqual(await read.predict(image), expected);
    await read.close();
    const { model } = await importModel(at("files"), at("imported"), {});
    assert.deepEqual(model.classNames, classNames);
    assert.equal(model.preprocessing.fit.kind, "resize");
  });

  it("writes the problem type of a multi-label network, and is read back with its thresholds' head", async () => {
    await exported("labels", { fit: { kind: "resize" }, head: "sigmoid" });
    const config = JSON.parse(await readFile(at("labels/config.json"), "utf8"));
    assert.equal(config.problem_type, "multi_label_classification");
    const card = await readFile(at("labels/README.md"), "utf8");
    assert.match(card, /logits\.sigmoid\(\)/);
    assert.match(card, /present from 0\.5/);
    const { model } = await importModel(at("labels"), at("importedLabels"), {});
    assert.equal(model.head, "sigmoid");
  });

  it("keeps temperature and threshold: in words on the card, and for an import", async () => {
    const decision = { temperature: 1.25, thresholds: [0.625, 0.625, 0.625] };
    await exported("decided", { fit: { kind: "resize" }, decision });
    const card = await readFile(at("decided/README.md"), "utf8");
    assert.match(card, /^Divide the logits by 1\.25000 for calibrated probabilities\.$/m);
    assert.match(card, /^An image whose most probable class is below 0\.625 shows none of the classes\.$/m);
    const { model } = await importModel(at("decided"), at("importedDecided"), {});
    assert.deepEqual([model.temperature, model.thresholds], [decision.temperature, decision.thresholds]);
  });

  it("reads the crop of ConvNeXT's processor, and takes no steps for known that this program lacks", async () => {
    await exported("processors", { fit: crop });
    // Weights without the description of this program.
    const folder = at("foreign");
    await mkdir(folder);
    await writeFile(join(folder, "config.json"), await readFile(at("processors/config.json")));
    const { values } = weighted(networkOf(3));
    const tensors = new Map(
      parametersOf(networkOf(3)).map(({ name, shape }) => [
        name,
        { shape, values: values.get(name) ?? new Float32Array() },
      ]),
    );
    await writeSafetensorsFile(join(folder, "model.safetensors"), tensors);
    const base = { size: { shortest_edge: 16 }, image_mean: [0.5, 0.4, 0.3], image_std: [0.2, 0.3, 0.4], resample: 3 };
    const read = async (processor: object) => {
      await writeFile(join(folder, "preprocessor_config.json"), JSON.stringify({ ...base, ...processor }));
      const weights = (await huggingFaceWeights(folder)) ?? "";
      const file = await openHuggingFace(folder, weights, {});
      await file.close();
      return file.preprocessing;
    };
    assert.deepEqual((await read({ crop_pct: 0.875 }))?.fit, { kind: "crop", shorterSide: 18 });
    assert.deepEqual((await read({ size: { shortest_edge: 384 }, crop_pct: 0.875 }))?.fit, { kind: "resize" });
    for (const step of [{ do_resize: false }, { do_pad: true }, { do_flip_channel_order: true }])
      assert.equal(await read(step), undefined, JSON.stringify(step));
  });

  it("refuses by name what the files cannot express, replaces nothing, and leaves nothing", async () => {
    await assert.rejects(exported("padded", { fit: { kind: "pad" } }), /huggingface: the fit "pad" leaves a border/);
    const meanImage = Buffer.alloc(3 * SIDE * SIDE, 100).toString("base64");
    await assert.rejects(exported("means", { fit: { kind: "resize" }, meanImage }), /subtracts a mean image/);
    await mkdir(at("taken"));
    await assert.rejects(exported("taken", { fit: { kind: "resize" } }), /taken: already exists; remove it/);
    assert.deepEqual(await readdir(at("taken")), []);
    await assert.rejects(
      exportModel(at("labels.safetensors"), at("flag"), { format: "huggingface", flags: new Set(["pixels"]) }),
      /--pixels: format huggingface has no such flag/,
    );
    const signal = AbortSignal.abort(new Error("stopped"));
    await assert.rejects(
      exportModel(at("taken.safetensors"), at("aborted"), { format: "huggingface", signal }),
      /stopped/,
    );
    const left = await readdir(folder);
    for (const name of ["padded", "means", "flag", "aborted"]) assert.ok(!left.includes(name), name);
    assert.deepEqual(
      left.filter((name) => name.endsWith(".alexnet-tmp")),
      [],
    );
  });
});

const TRANSFORMERS = ["@huggingface/transformers", "4.3.2"] as const;

/** Skipped where it is not installed yet, 475 MB, unless `CI` is set. */
const skip =
  isCached(...TRANSFORMERS) || process.env["CI"]
    ? false
    : "no @huggingface/transformers in the cache of tools; set CI to install it";

type Scores = readonly { readonly label: string; readonly score: number }[];

interface Transformers {
  readonly env: { allowRemoteModels: boolean; localModelPath: string };
  pipeline(task: string, model: string, options: object): Promise<(image: string, options: object) => Promise<Scores>>;
}

describe("transformers.js", { skip }, () => {
  /** Largest difference of a class's probability between transformers.js and this program. */
  async function differenceOn(name: string, image: string): Promise<number> {
    const entry = join(npmTool(...TRANSFORMERS), "dist/transformers.node.mjs");
    const transformers = (await import(pathToFileURL(entry).href)) as Transformers;
    transformers.env.allowRemoteModels = false;
    transformers.env.localModelPath = folder;
    const classify = await transformers.pipeline("image-classification", name, { dtype: "fp32" });
    const scores = await classify(image, { top_k: 3 });
    const classifier = await openClassifier(at(`${name}.safetensors`));
    const expected = await classifier.predict(image);
    await classifier.close();
    assert.deepEqual(
      scores.map(({ label }) => label),
      expected.map(({ className }) => className),
    );
    return Math.max(...expected.map(({ probability }, i) => Math.abs(probability - (scores[i]?.score ?? 0))));
  }

  for (const [kind, fit] of Object.entries(fits)) {
    it(`gives the probabilities of predict for ${kind}`, async (context) => {
      await exported(kind, { fit });
      const side = "shorterSide" in fit ? fit.shorterSide : SIDE;
      const exact = await differenceOn(kind, await writeImage(`exact-${kind}.png`, 3, side, side));
      // f32 sums in another order, and normalization in f32 instead of f64.
      assert.ok(exact <= 1e-6, `${exact}`);
      const resized = await differenceOn(kind, await writeImage(`other-${kind}.png`, 3, 53, 37));
      context.diagnostic(`${kind}: 53×37 resized: |Δp| ${resized}`);
      // sharp's resizing rounds, and supports, otherwise than Pillow's.
      assert.ok(resized <= 0.05, `${resized}`);
    });
  }

  it("gives the probabilities of predict for grey images", async () => {
    await exported("grey", { fit: { kind: "resize" }, channels: 1 });
    const exact = await differenceOn("grey", await writeImage("grey.png", 1, SIDE, SIDE));
    assert.ok(exact <= 1e-6, `${exact}`);
  });
});
