/** Every function that takes an image takes it as a file, as its bytes and as pixels, with the same result, and refuses the rest. */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { ConfigError, DataError } from "../src/errors.ts";
import { drawActivations } from "../src/explain/activationFigure.ts";
import { measureSaliency } from "../src/explain/saliency.ts";
import { findSimilar } from "../src/explain/similar.ts";
import { encodePng } from "../src/image/files/decode.ts";
import type { ImageInput } from "../src/image/files/imageInput.ts";
import { conv2d, dropout, flatten, linear, relu } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { findPictures, type ImageFiles, predictFiles } from "../src/model/predictFiles.ts";
import type { Network } from "../src/network/network.ts";
import { modelOf, writeDrawn } from "./drawnModel.ts";
import { noise } from "./packPictures.ts";
import { writeFiles } from "./writeFiles.ts";

const network = (...more: readonly AnyLayer[]): Network => ({
  name: "small",
  source: "",
  deviations: [],
  input: [3, 16, 16],
  layers: [
    conv2d("conv1", { outChannels: 4, kernelSize: 5 }),
    relu("relu1"),
    flatten("flatten"),
    linear("fc2", { outFeatures: 8 }),
    ...more,
    linear("fc3", { outFeatures: 3 }),
  ] as readonly AnyLayer[],
});

let folder = "";
let file = "";
let weights = "";
let inputs: readonly ImageInput[] = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-inputs-"));
  [weights, file] = [join(folder, "weights.safetensors"), join(folder, "photos/asked.png")];
  await writeDrawn(modelOf(network()), weights);
  const rgba = { width: 21, height: 17, channels: 4, data: new Uint8Array(4 * 21 * 17) } as const;
  rgba.data.set(noise(1, 42, 34, 1).data);
  const bytes = await sharp(rgba.data, { raw: rgba }).png().toBuffer();
  await writeFiles(folder, [["photos/asked.png", bytes]]);
  for (let i = 0; i < 5; i++) await writeFiles(folder, [[`photos/${i}.png`, await encodePng(noise(i, 20, 20, 3))]]);
  inputs = [pathToFileURL(file), await readFile(file), Uint8Array.from(bytes).buffer, rgba];
});
after(() => rm(folder, { recursive: true }));

test("predict: a path, a URL, bytes and RGBA pixels of the same image have the same probabilities", async () => {
  const classifier = await openClassifier(weights, { threads: 1 });
  const expected = await classifier.predict(file);
  for (const input of inputs) assert.deepEqual(await classifier.predict(input), expected);
  for (const input of [undefined, {}, { width: 4, height: 4, channels: 3, data: new Uint8Array(47) }]) {
    await assert.rejects(classifier.predict(input as ImageInput), DataError);
  }
  assert.deepEqual(await classifier.predict(file), expected, "after errors");
  classifier.close();
});

test("predict: samples are a positive whole number", async () => {
  const random = join(folder, "random.safetensors");
  await writeDrawn(modelOf(network(dropout("drop2", { activeAtEvaluation: true }))), random);
  const classifier = await openClassifier(random, { threads: 1 });
  for (const samples of [0, -1, 1.5, Number.NaN])
    await assert.rejects(classifier.predict(file, { samples }), ConfigError);
  const probabilities = (await classifier.predict(file, { samples: 2 })).map(({ probability }) => probability);
  // 1e-12: a sum of six numbers of 64 bits.
  assert.ok(Math.abs(probabilities.reduce((a, b) => a + b) - 1) < 1e-12);
  classifier.close();
});

test("saliency, activations and similar images of each", async () => {
  const options = { threads: 1 } as const;
  const saliency = await measureSaliency(weights, file, options);
  const activations = await drawActivations(weights, file, options);
  const photos = join(folder, "others");
  await mkdir(photos);
  for (let i = 0; i < 5; i++) await cp(join(folder, `photos/${i}.png`), join(photos, `${i}.png`));
  const similar = await findSimilar(weights, photos, [file], options);
  for (const input of inputs) {
    assert.deepEqual((await measureSaliency(weights, input, options)).drops, saliency.drops);
    assert.deepEqual((await drawActivations(weights, input, options)).layers, activations.layers);
    const found = await findSimilar(weights, photos, [input], options);
    assert.deepEqual(found?.queries[0]?.nearest, similar?.queries[0]?.nearest);
    assert.equal(found?.queries[0]?.query, input instanceof URL ? input.href : "image");
  }
  for (const ask of [measureSaliency, drawActivations]) {
    await assert.rejects(ask(weights, { width: 2 } as unknown as ImageInput, options), DataError);
  }
  await assert.rejects(findSimilar(weights, photos, [new Uint8Array(3)], options), DataError);
  // A query that lies in the folder does not find itself, by its URL either.
  const own = await findSimilar(weights, photos, [pathToFileURL(join(photos, "0.png"))], options);
  assert.equal(own?.queries[0]?.nearest.length, 4);
});

test("predictFiles: paths as well as jobs, one alone too; anything else is refused", async () => {
  const predictionsOf = async (files: ImageFiles) => {
    const all = [];
    for await (const some of predictFiles(weights, files, { threads: 1, decodingThreads: 1 })) all.push(...some);
    return all;
  };
  const expected = await predictionsOf([{ path: file }]);
  assert.ok(expected[0] && "classes" in expected[0]);
  assert.deepEqual(await predictionsOf([file]), expected);
  assert.deepEqual(await predictionsOf(file), expected);
  assert.deepEqual(await findPictures(file), await findPictures([file]));
  for (const files of [[undefined], [7], {}, [{ file }], undefined]) {
    await assert.rejects(predictionsOf(files as unknown as ImageFiles), /^DataError: files: expected paths/);
    await assert.rejects(findPictures(files as unknown as ImageFiles), /^DataError: files: expected paths/);
  }
});
