/** Spellings of many exporters: the imported network gives ONNX Runtime's output. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { type NodeLine, type OnnxLines, onnxModel } from "./onnxModels.ts";
import {
  checkRefusal,
  checkSpelling,
  image,
  last,
  list,
  random,
  type Spelling,
  trunk,
  weights,
} from "./onnxSpellings.ts";

const norm = (channels: number) => ({
  s: random([channels], "s", 0.5, 1.5),
  t: random([channels], "t"),
  m: random([channels], "m"),
  v: random([channels], "v", 0.5, 2),
});
const normInputs = ["s", "t", "m", "v"];

const gathered: readonly NodeLine[] = [
  ["Shape", ["p"], "shape"],
  ["Gather", ["shape", "zero"], "n", { axis: 0 }],
  ["Unsqueeze", ["n", "axes"], "n1"],
  ["Concat", ["n1", "minus"], "target", { axis: 0 }],
  ["Reshape", ["p", "target"], "f"],
];

const spellings: Readonly<Record<string, Spelling>> = {
  "allowzero without zeros": {
    nodes: [...trunk, ["Reshape", ["p", "s"], "f", { allowzero: 1 }], last],
    constants: { ...weights, s: list(-1, 48) },
    input: image,
    opset: 18,
  },
  "Shape, Gather, Unsqueeze, Concat, Reshape": {
    nodes: [...trunk, ...gathered, last],
    constants: { ...weights, zero: [[], [0]], axes: list(0), minus: list(-1) },
    input: image,
  },
  "the same before opset 13": {
    nodes: [...trunk, ...gathered.with(2, ["Unsqueeze", ["n"], "n1", { axes: [0] }]), last],
    constants: { ...weights, zero: [[], [0]], minus: list(-1) },
    input: image,
    opset: 11,
  },
  "Shape, Slice, the product of the rest": {
    nodes: [
      ...trunk,
      ["Shape", ["p"], "shape"],
      ["Slice", ["shape", "zero", "one"], "n"],
      ["Slice", ["shape", "one", "far"], "rest"],
      ["ReduceProd", ["rest"], "features", { keepdims: 1 }],
      ["Concat", ["n", "features"], "target", { axis: 0 }],
      ["Reshape", ["p", "target"], "f"],
      last,
    ],
    constants: { ...weights, zero: list(0), one: list(1), far: list(1000) },
    input: image,
  },
  "weights reshaped, transposed and scaled in the graph": {
    nodes: [
      ["Transpose", ["wT"], "w", { perm: [3, 2, 0, 1] }],
      ["Mul", ["bRaw", "half"], "b"],
      ...trunk,
      ["Reshape", ["p", "s"], "f"],
      ["Reshape", ["fw4", "s2"], "fw"],
      ["MatMul", ["f", "fw"], "mm"],
      ["Add", ["mm", "fb"], "y"],
    ],
    constants: {
      wT: random([3, 3, 3, 4], "w"),
      bRaw: random([4], "b"),
      half: [[], Float32Array.of(0.5)],
      s: list(-1, 48),
      fw4: random([4, 4, 3, 5], "fw"),
      s2: list(48, 5),
      fb: random([1, 5], "fb"),
    },
    input: image,
  },
  "parts of weights, joined": {
    nodes: [
      ["Concat", ["w1", "w2"], "w", { axis: 0 }],
      ["Slice", ["bLong", "from", "to"], "b"],
      ...trunk,
      ["Flatten", ["p"], "f"],
      last,
    ],
    constants: {
      ...{ w1: random([1, 3, 3, 3], "w1"), w2: random([3, 3, 3, 3], "w2"), bLong: random([9], "b") },
      ...{ from: list(2), to: list(6), fw: weights.fw, fb: weights.fb },
    },
    input: image,
  },
  "weights gathered, filled and expanded": {
    nodes: [
      ["Gather", ["wAll", "channels"], "w", { axis: 1 }],
      ["ConstantOfShape", ["four"], "b"],
      ["Expand", ["fb1", "five"], "fb"],
      ...trunk,
      ["Flatten", ["p"], "f"],
      last,
    ],
    constants: {
      ...{ wAll: random([4, 5, 3, 3], "w"), channels: list(2, 0, -1), four: list(4) },
      ...{ fw: weights.fw, fb1: random([1], "fb"), five: list(5) },
    },
    input: image,
  },
  "channels last, transposed to channels first and back before flattening": {
    nodes: [
      ["Transpose", ["x"], "first", { perm: [0, 3, 1, 2] }],
      ...trunk.with(0, ["Conv", ["first", "w", "b"], "c", { pads: [1, 1, 1, 1] }]),
      ["Transpose", ["p"], "pl", { perm: [0, 2, 3, 1] }],
      ["Reshape", ["pl", "s"], "f"],
      last,
    ],
    constants: { ...weights, s: list(-1, 48) },
    input: ["N", 8, 6, 3],
    expectedInput: [3, 8, 6],
  },
  "channels last, with arithmetic on the last axis": {
    nodes: [
      ["Sub", ["x", "mean"], "x1"],
      ["Div", ["x1", "deviation"], "x2"],
      ["Transpose", ["x2"], "first", { perm: [0, 3, 1, 2] }],
      ...trunk
        .with(0, ["Conv", ["first", "w"], "c0", {}])
        .toSpliced(
          1,
          0,
          ["Transpose", ["c0"], "c1", { perm: [0, 2, 3, 1] }],
          ["Add", ["c1", "b"], "c2"],
          ["Transpose", ["c2"], "c", { perm: [0, 3, 1, 2] }],
        ),
      ["Flatten", ["p"], "f"],
      last,
    ],
    constants: {
      ...{ mean: random([3], "mean"), deviation: random([3], "deviation", 0.5, 2), w: weights.w, b: weights.b },
      ...{ fw: random([5, 24], "fw"), fb: weights.fb },
    },
    input: ["N", 8, 6, 3],
    expectedInput: [3, 8, 6],
  },
  "one channel last, reshaped": {
    nodes: [["Reshape", ["x", "s"], "first"], ["Conv", ["first", "w", "b"], "c", {}], ["Flatten", ["c"], "f"], last],
    constants: {
      ...{ s: list(-1, 1, 8, 6), w: random([2, 1, 3, 3], "w"), b: random([2], "b") },
      ...{ fw: random([5, 48], "fw"), fb: weights.fb },
    },
    input: ["N", 8, 6, 1],
    expectedInput: [1, 8, 6],
  },
  "channels last without a convolution": {
    nodes: [["Flatten", ["x"], "f"], last],
    constants: { fw: random([5, 144], "fw"), fb: weights.fb },
    input: ["N", 8, 6, 3],
    expectedInput: [3, 8, 6],
  },
  "a vector": {
    nodes: [["Gemm", ["x", "fw", "fb"], "y", { transB: 1 }]],
    constants: weights,
    input: ["N", 48],
    expectedInput: [3, 4, 4],
  },
  "a vector that is reshaped to an image": {
    nodes: [
      ["Reshape", ["x", "s"], "x4"],
      ...trunk.with(0, ["Conv", ["x4", "w", "b"], "c", { pads: [1, 1, 1, 1] }]),
      ["Flatten", ["p"], "f"],
      last,
    ],
    constants: { ...weights, s: list(-1, 3, 8, 6) },
    input: ["N", 144],
    expectedInput: [3, 8, 6],
  },
  "batch normalisation of the input and after a pool": {
    nodes: [
      ["BatchNormalization", ["x", ...normInputs], "x1"],
      ...trunk.with(0, ["Conv", ["x1", "w", "b"], "c", { pads: [1, 1, 1, 1] }]),
      ["BatchNormalization", ["p", "s4", "t4", "m4", "v4"], "n"],
      ["Flatten", ["n"], "f"],
      last,
    ],
    constants: {
      ...{ ...weights, ...norm(3) },
      ...{ s4: random([4], "s4"), t4: random([4], "t4"), m4: random([4], "m4"), v4: random([4], "v4", 0.5, 2) },
    },
    input: image,
  },
  "batch normalisation of a vector, before a linear layer": {
    nodes: [
      ...trunk,
      ["Flatten", ["p"], "f0"],
      ["BatchNormalization", ["f0", ...normInputs], "f1"],
      ["Dropout", ["f1"], "f"],
      last,
    ],
    constants: { ...weights, ...norm(48) },
    input: image,
  },
  "the same of a vector in another order": {
    nodes: [
      ...trunk,
      ["Transpose", ["p"], "pl", { perm: [0, 2, 3, 1] }],
      ["Reshape", ["pl", "shape"], "f0"],
      ["BatchNormalization", ["f0", ...normInputs], "f"],
      last,
    ],
    constants: { ...weights, ...norm(48), shape: list(0, -1) },
    input: image,
  },
  "batch normalisation after a linear layer and an activation": {
    nodes: [
      ...trunk,
      ["Flatten", ["p"], "f"],
      ["Gemm", ["f", "fw", "fb"], "g", { transB: 1 }],
      ["BatchNormalization", ["g", ...normInputs], "g1"],
      ["Tanh", ["g1"], "g2"],
      ["BatchNormalization", ["g2", ...normInputs], "g3"],
      ["MatMul", ["g3", "fw2"], "y"],
    ],
    constants: { ...weights, ...norm(5), fw2: random([5, 4], "fw2") },
    input: image,
  },
  "batch normalisation as a product and a sum": {
    nodes: [
      ...trunk.toSpliced(1, 0, ["Mul", ["c", "s"], "c1"], ["Add", ["t", "c1"], "c2"]).with(3, ["Relu", ["c2"], "r"]),
      ["Flatten", ["p"], "f"],
      last,
    ],
    constants: { ...weights, s: random([1, 4, 1, 1], "s", 0.5, 1.5), t: random([4, 1, 1], "t") },
    input: image,
  },
  "a mean over height and width": {
    nodes: [...trunk, ["ReduceMean", ["p"], "f", { axes: [2, 3], keepdims: 0 }], last],
    constants: { ...weights, fw: random([5, 4], "fw") },
    input: image,
  },
  "a mean over height and width, channels last": {
    nodes: [
      ...trunk,
      ["Transpose", ["p"], "pl", { perm: [0, 2, 3, 1] }],
      ["ReduceMean", ["pl"], "a", { axes: [1, 2], keepdims: 1 }],
      ["Squeeze", ["a", "axes"], "f"],
      last,
    ],
    constants: { ...weights, fw: random([5, 4], "fw"), axes: list(1, 2) },
    input: image,
  },
};

describe("an ONNX file of another program gives ONNX Runtime's output", () => {
  for (const [name, spelling] of Object.entries(spellings)) {
    it(name, async () => {
      await checkSpelling(name, spelling);
    });
  }
});

describe("an ONNX file with an open height and width", () => {
  it("is read with the input size, and refused without", async () => {
    const model = await onnxModel({
      nodes: [...trunk, ["GlobalAveragePool", ["p"], "a"], ["Flatten", ["a"], "f"], last],
      constants: { ...weights, fw: random([5, 4], "fw") },
      input: ["N", 3, "H", "W"],
    });
    assert.deepEqual(readOnnx(model, "m", { inputSize: 10 }).network.input, [3, 10, 10]);
    assert.throws(() => readOnnx(model, "m"), /^UnsupportedError: m: input "x": an extent is "H".*--input-size/);
    assert.deepEqual(readOnnx(model, "m", { inputSize: 2 }).network.input, [3, 2, 2]);
    assert.throws(
      () => readOnnx(model, "m", { inputSize: 1 }),
      /^UnsupportedError: m: MaxPool: .*window 2 exceeds padded input \(1×1\); use an input size of at least 2×2$/,
    );
  });
});

describe("an ONNX file that cannot be read exactly", () => {
  const refusals: Readonly<Record<string, readonly [OnnxLines, RegExp]>> = {
    "maps of transposed axes": [
      {
        nodes: [
          ["Transpose", ["x"], "x1", { perm: [0, 1, 3, 2] }],
          ...trunk.with(0, ["Conv", ["x1", "w"], "c"]),
          ["Flatten", ["p"], "y"],
        ],
        constants: weights,
        input: image,
      },
      /Conv: not supported: an input \[N, 3, 6, 8\] of transposed axes/,
    ],
    "an output in another order": [
      {
        nodes: [...trunk, ["Transpose", ["p"], "pl", { perm: [0, 2, 3, 1] }], ["Flatten", ["pl"], "y"]],
        constants: weights,
        input: image,
      },
      /an output \[N, 48\] of transposed maps/,
    ],
    "batch normalisation between activations": [
      {
        nodes: [
          ["Flatten", ["x"], "f"],
          ["Relu", ["f"], "r"],
          ["BatchNormalization", ["r", ...normInputs], "n"],
          ["Relu", ["n"], "y"],
        ],
        constants: norm(144),
        input: image,
      },
      /norm: expected a layer with weights before or after it/,
    ],
    "a reshape that mixes the batch": [
      {
        nodes: [...trunk, ["Reshape", ["p", "s"], "f"], last],
        constants: { ...weights, s: list(2, -1) },
        input: image,
      },
      /Reshape: not supported: a shape \[2, -1\] for \[N, 4, 4, 3\]/,
    ],
    "constants that grow without end": [
      {
        nodes: [
          ["Expand", ["one", "big"], "fw"],
          ["Flatten", ["x"], "f"],
          ["MatMul", ["f", "fw"], "y"],
        ],
        constants: { one: [[1, 1], Float32Array.of(1)], big: list(2 ** 20, 2 ** 20) },
        input: image,
      },
      /MatMul: an input is computed by m: Expand; the constants computed in the graph are too large/,
    ],
    "an operator on constants": [
      {
        nodes: [
          ["Sin", ["fw"], "fs"],
          ["Flatten", ["x"], "f"],
          ["MatMul", ["f", "fs"], "y"],
        ],
        constants: { fw: random([144, 2], "fw") },
        input: image,
      },
      /an input is computed by m: Sin; operator Sin on constants is not supported/,
    ],
  };
  for (const [name, [lines, expected]] of Object.entries(refusals)) {
    it(`is refused: ${name}`, () => checkRefusal(lines, expected));
  }
});

it("of 16,000 nodes is read in a time that is linear in them", { timeout: 20_000 }, async () => {
  const count = 16_000;
  const nodes = Array.from(
    { length: count },
    (_, i): NodeLine => [i % 2 === 0 ? "Relu" : "Tanh", [i === 0 ? "f" : `v${i - 1}`], i === count - 1 ? "y" : `v${i}`],
  );
  const model = await onnxModel({ nodes: [["Flatten", ["x"], "f"], ...nodes], input: image });
  assert.equal(readOnnx(model, "m").network.layers.length, count + 1);
});
