/** Networks of other programs with known heads, imported, and the images and helpers of their tests. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { DescribeOptions } from "../src/exchange/importDescription.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { encodePng } from "../src/image/files/decode.ts";
import type { Image } from "../src/image/image.ts";
import { type Classifier, openClassifier } from "../src/model/classifier.ts";
import { drawn } from "./golden.ts";
import { type End, imageShape, onnxChain } from "./onnxGraphs.ts";
import { runOnnx } from "./onnxRuntime.ts";

/** Removed at the end of the test file. */
export const folder = await mkdtemp(join(tmpdir(), "alexnet-heads-"));
after(() => rm(folder, { recursive: true }));

/** Sums of 27 and 576 products in f32 in two orders, then a function with a slope of at most 1. */
const TOLERANCE = 1e-5;

/** Pixels of 0 to 1. */
export const scale = { fit: "resize", mean: [0, 0, 0], deviation: [1, 1, 1] } as const;
export const images = Array.from({ length: 12 }, (_, i): Image => {
  const data = Uint8Array.from(drawn(2, `image ${i}`, 192, 0, 256));
  return { width: 8, height: 8, channels: 3, data };
});

/** Planes of 0 to 1, as the networks here take them. */
function inputOf({ data }: Image): Float32Array {
  return Float32Array.from({ length: 192 }, (_, i) => (data[(i % 64) * 3 + Math.floor(i / 64)] as number) / 255);
}

/** The outputs of ONNX Runtime. */
export async function outputsOf(model: Uint8Array, image: Image): Promise<readonly number[]> {
  return [...(await runOnnx(model, inputOf(image), [1, ...imageShape]))];
}

let files = 0;
/** A file of a chain with ends, imported. */
export async function imported(outputs: number, ends: readonly End[], options: DescribeOptions = {}) {
  const model = await onnxChain(outputs, ends);
  const file = join(folder, `model-${files++}.onnx`);
  await writeFile(file, model);
  const run = join(folder, `run-${files}`);
  const { weights, assumptions } = await importModel(file, run, { ...scale, ...options });
  return { model, file, run, weights, assumptions };
}

export async function withClassifier<T>(run: string, use: (classifier: Classifier) => Promise<T>): Promise<T> {
  const classifier = await openClassifier(run);
  try {
    return await use(classifier);
  } finally {
    classifier.close();
  }
}

export function assertNear(actual: number | undefined, expected: number | undefined, what: string): void {
  assert.ok(
    Math.abs((actual ?? Number.NaN) - (expected ?? Number.NaN)) <= TOLERANCE,
    `${what}: ${actual}, ${expected}`,
  );
}

/** A folder of a folder for each class: image i is in class i modulo their number. */
export async function photosOf(name: string, classes: readonly string[]): Promise<string> {
  const root = join(folder, name);
  for (const className of classes) await mkdir(join(root, className), { recursive: true });
  for (const [i, image] of images.entries()) {
    await writeFile(join(root, classes[i % classes.length] as string, `${i}.png`), await encodePng(image));
  }
  return root;
}

/** A file of class names. */
export async function namesFile(...names: readonly string[]): Promise<string> {
  const file = join(folder, `names-${names.join("-")}.txt`);
  await writeFile(file, `${names.join("\n")}\n`);
  return file;
}
