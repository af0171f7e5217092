/** Predictions over HTTP: the answers of `predict`, for every form of an image, alone and in batches. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import sharp from "sharp";
import { exportModel } from "../src/exchange/exportModel.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { type Classifier, openClassifier } from "../src/model/classifier.ts";
import type { ClassScore } from "../src/model/predictRows.ts";
import { summarize } from "../src/network/summary.ts";
import { nameOfRun } from "../src/server/routes.ts";
import { runOnnx } from "./onnxRuntime.ts";
import { exif, jpegSegment } from "./otherImageFiles.ts";
import { noise } from "./packPictures.ts";
import { classNames, SIDE, writeColour, writeGrey, writeRandom, writeTags } from "./servedNetworks.ts";
import { ask, binaryInfer, jsonOf, startServing } from "./serving.ts";
import { bmpOf } from "./tiffBmpHeifFiles.ts";

let folder: string;
let server: Awaited<ReturnType<typeof startServing>>;
const at = (name: string) => join(folder, name);
const classifiers = new Map<string, Classifier>();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-serve-"));
  await writeColour(at("colour.safetensors"));
  await writeGrey(at("grey.safetensors"));
  await writeRandom(at("random.safetensors"));
  const names = ["colour", "grey", "random"];
  server = await startServing(Object.fromEntries(names.map((name) => [name, at(`${name}.safetensors`)])));
  for (const name of names) classifiers.set(name, await openClassifier(at(`${name}.safetensors`), { threads: 1 }));
});
after(async () => {
  await server.close();
  assert.deepEqual(server.messages, []);
  for (const classifier of classifiers.values()) await classifier.close();
  await rm(folder, { recursive: true });
});

interface Prediction {
  readonly classes: readonly ClassScore[];
  readonly milliseconds: number;
}

async function expectedOf(model: string, image: Uint8Array): Promise<readonly ClassScore[]> {
  return (await classifiers.get(model)?.predict(image)) ?? [];
}

async function predicted(image: Uint8Array, model: string, headers = {}): Promise<Prediction> {
  return jsonOf(await ask(server.url, `/predict?top=100&model=${model}`, { body: image, headers }));
}

/** Files that readers disagree on. */
async function imageFiles(): Promise<Readonly<Record<string, Uint8Array>>> {
  const rgb = noise(1, 40, 30, 3);
  const photo = sharp(rgb.data, { raw: { width: 40, height: 30, channels: 3 } });
  const rgba = sharp(noise(2, 80, 30, 1).data.slice(0, 4 * 20 * 30), { raw: { width: 20, height: 30, channels: 4 } });
  const jpeg = await photo.clone().jpeg().toBuffer();
  const turned = Buffer.concat([
    jpeg.subarray(0, 2),
    jpegSegment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), exif(6)])),
    jpeg.subarray(2),
  ]);
  return {
    JPEG: jpeg,
    "JPEG on its side": turned,
    "CMYK JPEG": await photo.clone().toColourspace("cmyk").jpeg().toBuffer(),
    "PNG with alpha": await rgba.clone().png().toBuffer(),
    "WebP with alpha": await rgba.clone().webp({ lossless: true }).toBuffer(),
    GIF: await photo.clone().gif().toBuffer(),
    "CMYK TIFF": await photo.clone().toColourspace("cmyk").tiff({ compression: "deflate" }).toBuffer(),
    BMP: bmpOf(rgb),
    "AVIF with alpha": await rgba.clone().avif({ effort: 0 }).toBuffer(),
    "grey PNG": await encodePng(noise(3, SIDE, SIDE, 1)),
  };
}

test("answers are those of predict to the bit, for every kind of file and network", async () => {
  for (const [name, file] of Object.entries(await imageFiles())) {
    for (const model of classifiers.keys()) {
      const { classes, milliseconds } = await predicted(file, model);
      assert.deepEqual(classes, await expectedOf(model, file), `${name}, ${model}`);
      assert.ok(milliseconds > 0);
    }
  }
});

test("a body, a form and a data URL are the same image; the first model and five classes unless the query says", async () => {
  const file = await encodePng(noise(4, 30, 20, 3));
  const expected = (await expectedOf("colour", file)).slice(0, 5);
  const form = new FormData();
  form.append("note", "text fields are skipped");
  form.append("image", new Blob([new Uint8Array(file)]), "../../etc/passwd");
  const encoded = new Response(form);
  const type = encoded.headers.get("content-type") ?? "";
  const bodies = [
    { body: file, headers: {} },
    { body: file, headers: { "Content-Type": "application/x-www-form-urlencoded" } },
    { body: Buffer.from(await encoded.arrayBuffer()), headers: { "Content-Type": type } },
    {
      body: JSON.stringify({ image: `data:image/png;base64,${Buffer.from(file).toString("base64")}` }),
      headers: { "Content-Type": "application/json; charset=utf-8" },
    },
  ];
  for (const { body, headers } of bodies) {
    const answered = await ask(server.url, "/predict", { body, headers });
    assert.deepEqual(jsonOf<Prediction>(answered).classes, expected);
    // Numbers as JSON.stringify writes them, which read back are the same.
    assert.ok(answered.body.toString().startsWith(`{"classes":${JSON.stringify(expected)},"milliseconds":`));
  }
  const headers = { "Transfer-Encoding": "chunked" };
  const chunked = await ask(server.url, "/predict?top=2", { body: file, headers });
  assert.deepEqual(jsonOf<Prediction>(chunked).classes, expected.slice(0, 2));
});

test("labels that are present are in the answer, however few classes are asked for; `serve .` has the folder's name", async () => {
  await writeTags(at("tags.safetensors"), 1e-9);
  const tagged = await startServing({ tags: at("tags.safetensors") });
  try {
    const body = await encodePng(noise(4, 30, 20, 3));
    const { classes } = jsonOf<Prediction>(await ask(tagged.url, "/predict?top=2", { body }));
    assert.deepEqual(classes.map(({ className }) => className).sort(), classNames.toSorted());
  } finally {
    await tagged.close();
  }
  assert.deepEqual([nameOfRun("."), nameOfRun("runs/a/")], [basename(process.cwd()), "a"]);
});

test("tensors: pixels as the exported graph reads them, values as they are; batches within 1e-5", async () => {
  await exportModel(at("colour.safetensors"), at("colour.onnx"), {
    flags: new Set(["pixels", "probabilities"]),
    names: "layers",
  });
  const onnx = new Uint8Array(await readFile(at("colour.onnx")));
  const count = 7;
  const shape = [count, SIDE, SIDE, 3];
  const pixels = noise(5, SIDE, SIDE * count, 3).data.slice();
  const expected = await runOnnx(onnx, pixels, shape);
  const { body, headers } = binaryInfer(pixels, { shape, binaryOutput: true });
  const answered = await ask(server.url, "/v2/models/colour/infer", { body, headers });
  assert.equal(answered.status, 200, answered.body.toString());
  const jsonBytes = Number(answered.headers["inference-header-content-length"]);
  const tail = answered.body.subarray(jsonBytes);
  const { outputs, id } = JSON.parse(answered.body.subarray(0, jsonBytes).toString());
  assert.equal(id, "7");
  assert.deepEqual(outputs, [
    {
      ...{ name: "probabilities", shape: [count, classNames.length], datatype: "FP64" },
      parameters: { binary_data_size: 8 * count * classNames.length },
    },
  ]);
  const probabilities = new Float64Array(tail.buffer.slice(tail.byteOffset, tail.byteOffset + tail.length));
  for (const [i, value] of expected.entries()) {
    // Two programs: f32 sums in another order.
    assert.ok(Math.abs(value - (probabilities[i] as number)) <= 1e-5, `${i}: ${value}, ${probabilities[i]}`);
  }
  // One by one, as JSON: a batch is another program of the same weights.
  for (let i = 0; i < count; i++) {
    const data = [...pixels.subarray(i * SIDE * SIDE * 3, (i + 1) * SIDE * SIDE * 3)];
    const request = { inputs: [{ name: "pixels", datatype: "UINT8", shape: [1, SIDE, SIDE, 3], data }] };
    const alone = jsonOf<{ readonly outputs: readonly { readonly data: readonly number[] }[] }>(
      await ask(server.url, "/v2/models/colour/infer", { body: JSON.stringify(request) }),
    ).outputs[0]?.data;
    alone?.forEach((value, c) => {
      const other = probabilities[i * classNames.length + c] as number;
      assert.ok(Math.abs(value - other) <= 1e-5);
    });
  }
});

test("pixels of the input's size are the image itself where the fit resizes; nested and flat JSON are the same", async () => {
  const image = noise(6, SIDE, SIDE, 1);
  const expected = await expectedOf("grey", await encodePng(image));
  const levels = [...image.data];
  const rows = Array.from({ length: SIDE }, (_, y) => levels.slice(y * SIDE, (y + 1) * SIDE).map((level) => [level]));
  const values = new Uint8Array(Float32Array.from(levels, (level) => level / 255).buffer);
  const inputs = [
    { name: "pixels", datatype: "UINT8", shape: [1, SIDE, SIDE, 1], data: levels },
    { name: "pixels", datatype: "UINT8", shape: [1, SIDE, SIDE, 1], data: [rows] },
    { name: "input", datatype: "FP32", shape: [1, 1, SIDE, SIDE], data: levels.map((level) => level / 255) },
  ];
  const requests = [
    ...inputs.map((input) => ({ body: JSON.stringify({ inputs: [input] }), headers: {} })),
    binaryInfer(values, { name: "input", datatype: "FP32", shape: [1, 1, SIDE, SIDE] }),
  ];
  for (const request of requests) {
    const answered = await ask(server.url, "/v2/models/grey/versions/1/infer", request);
    const { outputs } = jsonOf<{ readonly outputs: readonly { readonly data: readonly number[] }[] }>(answered);
    const found = classNames
      .map((className, c) => ({ className, probability: outputs[0]?.data[c] as number }))
      .sort((a, b) => b.probability - a.probability);
    assert.deepEqual(found, expected);
  }
});

test("10 clients at a time: every image gets its own answer", async () => {
  const files = await Promise.all(Array.from({ length: 60 }, (_, i) => encodePng(noise(i, 24, 24, 3))));
  const models = [...classifiers.keys()];
  let next = 0;
  const client = async () => {
    for (let i = next++; i < files.length; i = next++) {
      const file = files[i] as Uint8Array;
      const model = models[i % models.length] as string;
      const { classes } = await predicted(file, model);
      const expected = new Map(
        (await expectedOf(model, file)).map(({ className, probability }) => [className, probability]),
      );
      for (const { className, probability } of classes) {
        assert.ok(Math.abs(probability - (expected.get(className) as number)) <= 1e-5, `${i}, ${model}, ${className}`);
      }
    }
  };
  await Promise.all(Array.from({ length: 10 }, client));
});

test("GET /models/M is what summary says, GET / a page without scripts of others, GET /metrics the figures", async () => {
  const described = jsonOf<{
    readonly name: string;
    readonly classNames: readonly string[];
    readonly parameters: number;
  }>(await ask(server.url, "/models/colour"));
  const network = classifiers.get("colour")?.model.network;
  assert.ok(network);
  const expected = JSON.parse(JSON.stringify(summarize(network, {})));
  for (const [key, value] of Object.entries(expected)) {
    assert.deepEqual((described as unknown as Readonly<Record<string, unknown>>)[key], value, key);
  }
  assert.deepEqual(described.classNames, classNames);
  const page = await ask(server.url, "/");
  assert.match(String(page.headers["content-security-policy"]), /default-src 'none'.*script-src 'sha256-[^']+'/);
  assert.equal(page.headers["cross-origin-opener-policy"], "same-origin");
  assert.equal(page.headers["cross-origin-embedder-policy"], "require-corp");
  assert.match(page.body.toString(), /"models":\[\{"name":"colour","isServed":true\}/);
  const refused = await ask(server.url, "/models/colour/weights");
  assert.equal(refused.status, 403);
  assert.match(refused.body.toString(), /--share-weights/);
  const figures = (await ask(server.url, "/metrics")).body.toString();
  assert.match(figures, /^alexnet_images_total\{model="colour"\} [1-9]/m);
  assert.match(figures, /^alexnet_queue_images\{model="colour"\} 0$/m);
  assert.match(figures, /^alexnet_prediction_seconds_bucket\{model="grey",le="\+Inf"\} [1-9]/m);
});
