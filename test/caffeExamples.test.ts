/** Caffe's own examples as `caffe train` writes their snapshots: the net of phase TRAIN, data layer and all. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { type CaffeOptions, readCaffe } from "../src/formats/caffe/readCaffe.ts";
import { assertClose } from "./assertClose.ts";
import { type ExampleLayer, snapshotOf } from "./caffeSnapshots.ts";
import { drawn } from "./golden.ts";
import { computeImported } from "./onnxCases.ts";

interface Example {
  readonly layers: readonly ExampleLayer[];
  readonly options?: CaffeOptions;
  readonly input: readonly [number, number, number];
  readonly kinds: string;
  readonly mean: readonly number[];
  readonly deviation: number;
}

const conv = (name: string, channels: readonly [number, number], kernel: number, rest: object = {}): ExampleLayer => ({
  name,
  type: "Convolution",
  convolution: { numOutput: channels[1], kernelSize: kernel, ...rest },
  blobs: [[channels[1], channels[0], kernel, kernel], [channels[1]]],
});
const ip = (name: string, inputs: number, outputs: number): ExampleLayer => ({
  name,
  type: "InnerProduct",
  linear: { numOutput: outputs },
  blobs: [[outputs, inputs], [outputs]],
});
const inPlace = (name: string, type: string): ExampleLayer => ({ name, type, inPlace: true });
const [MAX, AVE] = [0, 1];
const pool = (name: string, kind: number, kernelSize: number, stride: number): ExampleLayer => ({
  name,
  type: "Pooling",
  pooling: { pool: kind, kernelSize, stride },
});
const data = (transform: ExampleLayer["transform"]): ExampleLayer => ({ name: "data", type: "Data", transform });
const loss: ExampleLayer = { name: "loss", type: "SoftmaxWithLoss" };
const imagenetMean = [122.67891434 / 255, 116.66876762 / 255, 104.00698793 / 255];

const norm = (name: string): ExampleLayer => ({ name, type: "LRN", norm: { localSize: 5, alpha: 1e-4, beta: 0.75 } });
const within = (name: string): ExampleLayer => ({
  name,
  type: "LRN",
  norm: { localSize: 3, alpha: 5e-5, beta: 0.75, region: 1 },
});

/** Channels and features of AlexNet, scaled down; sizes and windows are the example's. */
const alexnet = (normFirst: boolean): readonly ExampleLayer[] => {
  const ordered = (i: number) => {
    const two = [norm(`norm${i}`), pool(`pool${i}`, MAX, 3, 2)];
    return normFirst ? two : two.toReversed();
  };
  return [
    data({ cropSize: 227, meanFile: "data/ilsvrc12/imagenet_mean.binaryproto" }),
    conv("conv1", [3, 8], 11, { stride: 4 }),
    inPlace("relu1", "ReLU"),
    ...ordered(1),
    conv("conv2", [4, 8], 5, { pad: 2, group: 2 }),
    inPlace("relu2", "ReLU"),
    ...ordered(2),
    conv("conv3", [8, 8], 3, { pad: 1 }),
    inPlace("relu3", "ReLU"),
    conv("conv4", [4, 8], 3, { pad: 1, group: 2 }),
    inPlace("relu4", "ReLU"),
    conv("conv5", [4, 8], 3, { pad: 1, group: 2 }),
    inPlace("relu5", "ReLU"),
    pool("pool5", MAX, 3, 2),
    ip("fc6", 8 * 36, 16),
    inPlace("relu6", "ReLU"),
    inPlace("drop6", "Dropout"),
    ip("fc7", 16, 16),
    inPlace("relu7", "ReLU"),
    inPlace("drop7", "Dropout"),
    ip("fc8", 16, 10),
    loss,
  ];
};
const alexnetKinds = (first: string) =>
  `conv2d relu ${first} conv2d relu ${first} conv2d relu conv2d relu conv2d relu maxPool2d flatten linear relu dropout linear relu dropout linear`;

/** Layers of both CIFAR-10 examples, to the last pool; the full one normalises after the first two. */
const cifarTrunk = (normalised: (name: string) => readonly ExampleLayer[]): readonly ExampleLayer[] => [
  data({ meanFile: "examples/cifar10/mean.binaryproto" }),
  conv("conv1", [3, 32], 5, { pad: 2 }),
  pool("pool1", MAX, 3, 2),
  inPlace("relu1", "ReLU"),
  ...normalised("norm1"),
  conv("conv2", [32, 32], 5, { pad: 2 }),
  inPlace("relu2", "ReLU"),
  pool("pool2", AVE, 3, 2),
  ...normalised("norm2"),
  conv("conv3", [32, 64], 5, { pad: 2 }),
  inPlace("relu3", "ReLU"),
  pool("pool3", AVE, 3, 2),
];

/** Source: BVLC Caffe, examples/mnist, examples/cifar10, models/bvlc_alexnet, models/bvlc_reference_caffenet. */
const examples: Readonly<Record<string, Example>> = {
  lenet: {
    layers: [
      data({ scale: 0.00390625 }),
      conv("conv1", [1, 20], 5),
      pool("pool1", MAX, 2, 2),
      conv("conv2", [20, 50], 5),
      pool("pool2", MAX, 2, 2),
      ip("ip1", 800, 500),
      inPlace("relu1", "ReLU"),
      ip("ip2", 500, 10),
      loss,
    ],
    options: { inputSize: 28 },
    input: [1, 28, 28],
    kinds: "conv2d maxPool2d conv2d maxPool2d flatten linear relu linear",
    mean: [0],
    deviation: 256 / 255,
  },
  cifar10_quick: {
    layers: [...cifarTrunk(() => []), ip("ip1", 1024, 64), ip("ip2", 64, 10), loss],
    options: { inputSize: 32 },
    input: [3, 32, 32],
    kinds: "conv2d maxPool2d relu conv2d relu averagePool2d conv2d relu averagePool2d flatten linear linear",
    mean: imagenetMean,
    deviation: 1 / 255,
  },
  cifar10_full: {
    layers: [...cifarTrunk((name) => [within(name)]), ip("ip1", 1024, 10), loss],
    options: { input: [3, 32, 32] },
    input: [3, 32, 32],
    kinds:
      "conv2d maxPool2d relu localResponseNorm conv2d relu averagePool2d localResponseNorm conv2d relu averagePool2d flatten linear",
    mean: imagenetMean,
    deviation: 1 / 255,
  },
  bvlc_alexnet: {
    layers: alexnet(true),
    input: [3, 227, 227],
    kinds: alexnetKinds("localResponseNorm maxPool2d"),
    mean: imagenetMean,
    deviation: 1 / 255,
  },
  caffenet: {
    layers: alexnet(false),
    input: [3, 227, 227],
    kinds: alexnetKinds("maxPool2d localResponseNorm"),
    mean: imagenetMean,
    deviation: 1 / 255,
  },
};

describe("a snapshot of caffe train", () => {
  for (const [name, { layers, options, input, kinds, mean, deviation }] of Object.entries(examples)) {
    it(`is read: ${name}`, async () => {
      const read = readCaffe(await snapshotOf(name, layers), name, options);
      const { network, metadata } = read;
      assert.deepEqual(network.input, input);
      assert.equal(network.layers.map(({ kind }) => kind).join(" "), kinds);
      assert.equal(metadata.head, "softmax");
      assert.deepEqual(metadata.preprocessing?.mean, mean);
      assert.deepEqual(
        metadata.preprocessing?.deviation,
        mean.map(() => deviation),
      );
      assert.equal(
        metadata.assumptions?.mean !== undefined,
        mean.length === 3,
        "the mean file is not part of the snapshot",
      );
      const images = drawn(3, "images", input[0] * input[1] * input[2], -100, 100);
      const [expected, actual] = [
        await computeImported(createReferenceEngine(), read, images, 1),
        await computeImported(createOneDnnEngine(), read, images, 1),
      ];
      // Sums of at most 1600 products in f32, then a softmax.
      assertClose(actual, expected, { relative: 1e-4, absolute: 1e-6 }, name);
    });
  }

  it("without a size is refused with the sizes that its layers fit, or read if there is only one", async () => {
    const { lenet } = examples;
    assert.ok(lenet);
    const snapshot = await snapshotOf("lenet", lenet.layers);
    assert.throws(
      () => readCaffe(snapshot, "lenet"),
      /^UnsupportedError: lenet: the file does not state the input size \(its layers fit 25 to 28 pixels\); give it with --input-size/,
    );
    const layers = [data({ scale: 1 }), conv("conv1", [2, 4], 3), ip("ip", 4 * 36, 3), loss];
    const { network, metadata } = readCaffe(await snapshotOf("small", layers), "small");
    assert.deepEqual(network.input, [2, 8, 8]);
    assert.match(metadata.assumptions?.inputSize ?? "", /input: 2×8×8, the only square/);
  });

  it("normalises within channels as Caffe does", async () => {
    // Caffe: x · (1 + alpha · mean)^−beta, where the mean of the squares counts the padding as zeros.
    const layers = [
      data({ scale: 1 }),
      within("norm"),
      { ...conv("conv", [1, 1], 1), values: [[1], [0]] },
      {
        ...ip("ip", 9, 9),
        values: [Array.from({ length: 81 }, (_, i) => (i % 10 === 0 ? 1 : 0)), new Array(9).fill(0)],
      },
    ];
    const read = readCaffe(await snapshotOf("within", layers), "within");
    const images = Float32Array.from({ length: 9 }, (_, i) => 100 * (i + 1));
    const expected = [...images].map((x, e) => {
      const [row, column] = [Math.floor(e / 3), e % 3];
      let sum = 0;
      for (let y = Math.max(0, row - 1); y <= Math.min(2, row + 1); y++)
        for (let i = Math.max(0, column - 1); i <= Math.min(2, column + 1); i++)
          sum += (images[3 * y + i] as number) ** 2;
      return x * (1 + (Math.fround(5e-5) * sum) / 9) ** -0.75;
    });
    for (const engine of [createReferenceEngine(), createOneDnnEngine()]) {
      assertClose(await computeImported(engine, read, images, 1), expected, { relative: 1e-5 }, engine.name);
    }
  });
});
