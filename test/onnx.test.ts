/** Longer than other tests: all that is compared with ONNX Runtime stands here. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Engine } from "../src/engine/engine.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { ConfigError, ShapeError } from "../src/errors.ts";
import type { OnnxOptions } from "../src/formats/onnx/describe.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import { createPreprocessor, type Preprocessing } from "../src/image/prepare/preprocess.ts";
import { flatten, linear } from "../src/layers/kinds.ts";
import { networks } from "../src/network/alexnet.ts";
import { type Network, operations } from "../src/network/network.ts";
import { sizeOf } from "../src/shape.ts";
import { noDraws } from "./chains.ts";
import { drawn } from "./golden.ts";
import { everyKind, localNetwork, normNetwork, type Weighted, weighted } from "./onnxNetworks.ts";
import { bytesOf, runOnnx } from "./onnxRuntime.ts";

/** Images a network is compared on. */
const IMAGES = Number(process.env["ALEXNET_ONNX_IMAGES"] ?? 2);
/** Of the largest logit. Sums of up to 9,216 products in another order differ by about √9216 · 2^-24 = 6e-6 of one another at worst, 1e-6 as a rule. */
const TOLERANCE = 5e-6;

async function exported({ network, values }: Weighted, options: OnnxOptions = {}): Promise<Uint8Array> {
  return bytesOf(writeOnnx(network, (name) => values.get(name) ?? new Float32Array(), options));
}

/** On an engine, dropout off. */
async function computed(engine: Engine, { network, values }: Weighted, images: Float32Array): Promise<Float32Array> {
  const layers = network.layers.filter(({ kind }) => kind !== "dropout");
  const count = images.length / sizeOf(network.input);
  const program = await engine.compile({
    ops: operations({ ...network, layers }),
    inputShape: network.input,
    batchSize: count,
    precision: "f32",
    exact: true,
  });
  try {
    for (const { name, value } of program.parameters)
      await program.write(value, values.get(name) ?? new Float32Array());
    return (await program.forward(images, count, noDraws)).slice();
  } finally {
    program.close();
    engine.close();
  }
}

function largestOf(values: Float32Array): number {
  return values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}

function assertSameLogits(actual: Float32Array, expected: Float32Array, count: number, what: string): void {
  assert.equal(actual.length, expected.length, what);
  const allowed = TOLERANCE * largestOf(expected);
  const difference = largestOf(expected.map((e, i) => (actual[i] as number) - e));
  assert.ok(difference <= allowed, `${what}: differs by ${difference}, allowed ${allowed}`);
  const classes = expected.length / count;
  for (let row = 0; row < count; row++) {
    const [own, other] = [expected, actual].map((v) => v.subarray(row * classes, (row + 1) * classes)) as [
      Float32Array,
      Float32Array,
    ];
    const [ownTop, otherTop] = [topFive(own), topFive(other)];
    ownTop.forEach((c, rank) => {
      const d = otherTop[rank] as number;
      const gap = Math.abs((own[c] as number) - (own[d] as number));
      assert.ok(c === d || gap <= 2 * allowed, `${what}: image ${row}: rank ${rank}: classes ${c}, ${d}, gap ${gap}`);
    });
  }
}

function topFive(logits: Float32Array): readonly number[] {
  return [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number)).slice(0, 5);
}

function imagesFor({ input }: Network, count: number): Float32Array {
  return drawn(5, "images", count * sizeOf(input), -2, 2.5);
}

describe("a network in ONNX Runtime", () => {
  for (const network of [everyKind, normNetwork, localNetwork, ...networks]) {
    it(`gives the engine's logits: ${network.name}`, async () => {
      const model = weighted(network);
      const images = imagesFor(network, IMAGES);
      const expected = await computed(createOneDnnEngine(), model, images);
      const forms = network.layers.some(({ kind }) => kind === "localResponseNorm")
        ? (["native", "decomposed"] as const)
        : (["native"] as const);
      for (const lrn of forms) {
        const file = await exported(model, { lrn });
        const actual = await runOnnx(file, images, [IMAGES, ...network.input]);
        assertSameLogits(actual, expected, IMAGES, `${network.name}, ${lrn}`);
      }
    });
  }

  it("gives probabilities where they are asked for, and takes a batch of one size where that is asked for", async () => {
    const model = weighted(everyKind);
    const images = imagesFor(everyKind, 2);
    const logits = await computed(createReferenceEngine(), model, images);
    const file = await exported(model, { output: "probabilities", batchSize: 2 });
    const probabilities = await runOnnx(file, images, [2, ...everyKind.input]);
    for (let row = 0; row < 2; row++) {
      const exponentials = logits.subarray(5 * row, 5 * row + 5).map(Math.exp);
      const sum = exponentials.reduce((a, b) => a + b, 0);
      assert.ok(exponentials.every((e, c) => Math.abs(e / sum - (probabilities[5 * row + c] as number)) < 1e-6));
    }
    const three = imagesFor(everyKind, 3);
    await assert.rejects(runOnnx(file, three, [3, ...everyKind.input]), /images/);
  });

  it("takes any number of images otherwise", async () => {
    const file = await exported(weighted(everyKind));
    for (const count of [1, 3]) {
      const logits = await runOnnx(file, imagesFor(everyKind, count), [count, ...everyKind.input]);
      assert.equal(logits.length, 5 * count);
    }
  });
});

const [height, width] = [19, 17];
const levels = Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 7919) % 256);
const frame = Buffer.from(Uint8Array.from({ length: 3 * height * width }, (_, i) => (i * 104_729) % 256));

const preprocessings: Readonly<Record<string, Preprocessing>> = {
  "mean and deviation": {
    size: [height, width],
    channels: 3,
    fit: { kind: "resize" },
    resize: "bilinear",
    mean: [0.485, 0.456, 0.406],
    deviation: [0.229, 0.224, 0.225],
  },
  "mean image": {
    size: [height, width],
    channels: 3,
    fit: { kind: "native" },
    resize: "bilinear",
    mean: [0, 0, 0],
    deviation: [0.25, 0.5, 1],
    meanImage: frame.toString("base64"),
  },
};

describe("preprocessing inside the graph", () => {
  for (const [name, preprocessing] of Object.entries(preprocessings)) {
    for (const pixels of ["nhwc", "nchw"] as const) {
      it(`gives the same from 8-bit pixels: ${name}, ${pixels}`, async () => {
        const model = weighted(everyKind);
        const images = new Float32Array(sizeOf(everyKind.input));
        createPreprocessor(preprocessing)({ width, height, channels: 3, data: levels }, images, 0);
        const expected = await computed(createReferenceEngine(), model, images);
        const file = await exported(model, { pixels, preprocessing });
        const planes = levels.map((_, i) => levels[(i % (height * width)) * 3 + Math.floor(i / (height * width))] ?? 0);
        const actual =
          pixels === "nhwc"
            ? await runOnnx(file, levels, [1, height, width, 3])
            : await runOnnx(file, planes, [1, 3, height, width]);
        assertSameLogits(actual, expected, 1, name);
      });
    }
  }

  it("takes the middle of a mean image that is larger than the input", async () => {
    const network: Network = { ...everyKind, input: [3, 16, 16] };
    const meanImage = Buffer.from(Uint8Array.from({ length: 3 * 20 * 20 }, (_, i) => (i * 31) % 256)).toString(
      "base64",
    );
    const fit = { kind: "crop", shorterSide: 20 } as const;
    const base = preprocessings["mean and deviation"] as Preprocessing;
    const preprocessing = { ...base, size: [16, 16] as [number, number], fit, meanImage };
    const data = levels.slice(0, 3 * 16 * 16);
    const kept = new Uint8Array(3 * 20 * 20);
    for (let y = 0; y < 16; y++) kept.set(data.subarray(48 * y, 48 * y + 48), 60 * (y + 2) + 6);
    const images = new Float32Array(3 * 16 * 16);
    createPreprocessor(preprocessing)({ width: 20, height: 20, channels: 3, data: kept }, images, 0);
    const model = weighted(network);
    const expected = await computed(createReferenceEngine(), model, images);
    const file = await exported(model, { pixels: "nhwc", preprocessing });
    assertSameLogits(await runOnnx(file, data, [1, 16, 16, 3]), expected, 1, "crop");
  });

  it("is refused where pixels cannot say it", () => {
    const preprocessing = preprocessings["mean and deviation"] as Preprocessing;
    const write = (options: OnnxOptions) => () => writeOnnx(everyKind, () => new Float32Array(), options);
    assert.throws(write({ pixels: "nhwc" }), ConfigError);
    assert.throws(
      write({ pixels: "nhwc", preprocessing: { ...preprocessing, size: [18, 17] } }),
      /3×19×17 for pixel input, got 3×18×17/,
    );
    assert.throws(write({ pixels: "nhwc", preprocessing: { ...preprocessing, fit: { kind: "pad" } } }), /border/);
  });
});

describe("writeOnnx", () => {
  it("refuses a parameter of another size, naming it", async () => {
    const { values } = weighted(everyKind);
    const read = (name: string) => (name === "fc2.bias" ? new Float32Array(4) : (values.get(name) as Float32Array));
    await assert.rejects(
      bytesOf(writeOnnx(everyKind, read)),
      (error: unknown) => error instanceof ShapeError && /^fc2\.bias: expected 5 values/.test(error.message),
    );
  });

  it("refuses a network that no ONNX file can hold", () => {
    const layers = [flatten("flatten"), linear("fc", { outFeatures: 2 ** 20 })];
    const huge: Network = { ...everyKind, layers };
    assert.throws(
      () => writeOnnx(huge, () => new Float32Array()),
      /^ConfigError: every-kind: expected at most 2 GiB for an ONNX file/,
    );
  });
});
