/** ONNX files as other programs spell them, compared with ONNX Runtime. */
import assert from "node:assert/strict";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { UnsupportedError } from "../src/errors.ts";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { assertClose } from "./assertClose.ts";
import { drawn } from "./golden.ts";
import { computeImported } from "./onnxCases.ts";
import { type Constant, type NodeLine, type OnnxLines, onnxModel } from "./onnxModels.ts";
import { runOnnx } from "./onnxRuntime.ts";

/** A constant of drawn values. */
export const random = (shape: readonly number[], name: string, low = -0.3, high = 0.3): Constant => [
  shape,
  drawn(
    11,
    name,
    shape.reduce((a, b) => a * b, 1),
    low,
    high,
  ),
];
/** A vector of whole numbers. */
export const list = (...values: readonly number[]): Constant => [[values.length], values];

/** 3×8×6 → 4×8×6 → 4×4×3. */
export const trunk: readonly NodeLine[] = [
  ["Conv", ["x", "w", "b"], "c", { pads: [1, 1, 1, 1] }],
  ["Relu", ["c"], "r"],
  ["MaxPool", ["r"], "p", { kernel_shape: [2, 2], strides: [2, 2] }],
];
export const weights = {
  w: random([4, 3, 3, 3], "w"),
  b: random([4], "b"),
  fw: random([5, 48], "fw"),
  fb: random([5], "fb"),
} satisfies Record<string, Constant>;
export const image = ["N", 3, 8, 6] as const;
export const last: NodeLine = ["Gemm", ["f", "fw", "fb"], "y", { transB: 1 }];
export interface Spelling extends OnnxLines {
  /** Input of the network; default: one image of the file. */
  readonly expectedInput?: readonly number[];
}

/** Images of the network, [N, C, H, W], in the file's order of axes. */
export function inFile(
  images: Float32Array,
  input: OnnxLines["input"],
  [channels = 1, height = 1, width = 1]: readonly number[],
) {
  const isLast = input.length === 4 && input[3] === channels && input[1] === height && channels !== height;
  if (!isLast) return images;
  const plane = height * width;
  return images.map((_, i) => {
    const [n, within] = [Math.floor(i / (channels * plane)), i % (channels * plane)];
    return images[n * channels * plane + (within % channels) * plane + Math.floor(within / channels)] as number;
  });
}

/** Sums of at most 144 products in f32, with factors folded into weights. */
const f32Close = { relative: 1e-4, absolute: 2e-5 };

/** Reads the file and compares its outputs, on both engines, with those of ONNX Runtime. Returns the network's deviations. */
export async function checkSpelling(
  name: string,
  { expectedInput, ...lines }: Spelling,
  batch = 2,
  tolerance = f32Close,
): Promise<readonly string[]> {
  const model = await onnxModel(lines);
  const read = readOnnx(model, "model.onnx");
  const extents = lines.input.slice(1) as readonly number[];
  const shape = expectedInput ?? extents;
  assert.deepEqual(read.network.input, shape);
  const images = drawn(5, name, batch * shape.reduce((a, b) => a * b, 1), -1, 1);
  const expected = await runOnnx(model, inFile(images, lines.input, shape), [batch, ...extents]);
  for (const engine of [createReferenceEngine(), createOneDnnEngine()]) {
    const actual = await computeImported(engine, read, images, batch);
    assertClose(actual, expected, tolerance, engine.name);
  }
  return read.network.deviations;
}

/** Reads the file, which is refused with this message. */
export async function checkRefusal(lines: OnnxLines, expected: RegExp): Promise<void> {
  const model = await onnxModel(lines);
  assert.throws(
    () => readOnnx(model, "m"),
    (error: unknown) => error instanceof UnsupportedError && expected.test(error.message),
  );
}
