/** Padding, clipping, 16-bit and 64-bit floats, and inputs of other ranks, as exporters write them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { type Constant, type NodeLine, type OnnxLines, onnxModel } from "./onnxModels.ts";
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

/** 3×8×6 → 4×(height × width) after a convolution of 3×3 with `stride`. */
const padded = (inputs: readonly string[], stride: number): readonly NodeLine[] => [
  ["Pad", inputs, "padded"],
  ["Conv", ["padded", "w", "b"], "c", { strides: [stride, stride] }],
  ["Flatten", ["c"], "f"],
  last,
];
const pads = (top: number, left: number, bottom: number, right: number) => list(0, 0, top, left, 0, 0, bottom, right);
const conv: NodeLine = ["Conv", ["x", "w", "b"], "c", { pads: [1, 1, 1, 1] }];
const ends: readonly NodeLine[] = [["Flatten", ["p"], "f"], last];
const scalar = (value: number): Constant => [[], Float32Array.of(value)];

/** PyTorch's way from `F.pad(x, (1, 2, 2, 1))` to pads in ONNX's order. */
const torchPads: readonly NodeLine[] = [
  ["ConstantOfShape", ["four"], "rest", { value: { tensor: [[1], [0]] } }],
  ["Concat", ["given", "rest"], "all", { axis: 0 }],
  ["Reshape", ["all", "pairs"], "rows"],
  ["Slice", ["rows", "minus1", "least", "zero", "minus1"], "reversed"],
  ["Transpose", ["reversed"], "columns", { perm: [1, 0] }],
  ["Reshape", ["columns", "minus1"], "flat"],
  ["Cast", ["flat"], "pads", { to: 7 }],
];

/** Bits of a 16-bit float: the values are multiples of 1/64 below 2, which every 16-bit type has exactly. */
function halves(type: "FLOAT16" | "BFLOAT16", shape: readonly number[], name: string): Constant {
  const [, values] = random(shape, name) as readonly [unknown, Float32Array];
  const rounded = values.map((value) => Math.round(value * 64) / 64);
  const bits = new Uint32Array(rounded.buffer);
  const half = (word: number) => {
    if (type === "BFLOAT16") return word >>> 16;
    const exponent = ((word >>> 23) & 255) - 112;
    return ((word >>> 16) & 0x8000) | (exponent <= 0 ? 0 : (exponent << 10) | ((word >>> 13) & 0x3ff));
  };
  return [shape, { type, bits: Uint16Array.from(bits, half) }];
}

const spellings: Readonly<Record<string, Spelling>> = {
  "Pad before a convolution": {
    nodes: padded(["x", "pads"], 1),
    constants: { ...weights, pads: pads(1, 1, 1, 1), fw: random([5, 192], "fw") },
    input: image,
  },
  "Pad at the end before a convolution of stride 2, as TensorFlow's SAME": {
    nodes: padded(["x", "pads", "zero"], 2),
    constants: { ...weights, pads: pads(0, 0, 1, 1), zero: scalar(0) },
    input: image,
  },
  "Pad of named axes": {
    nodes: padded(["x", "pads", "", "axes"], 1),
    constants: { ...weights, pads: list(1, 1, 1, 1), axes: list(-1, 2), fw: random([5, 192], "fw") },
    input: image,
    opset: 18,
  },
  "Pad computed as PyTorch does": {
    nodes: [...torchPads, ...padded(["x", "pads"], 1)],
    constants: {
      ...{ ...weights, given: list(1, 2, 2, 1), four: list(4), pairs: list(-1, 2), minus1: list(-1), zero: list(0) },
      ...{ least: list(-(2 ** 53)), fw: random([5, 4 * 9 * 7], "fw") },
    },
    input: image,
  },
  "Pad with attributes, before opset 11, and a convolution with padding of its own": {
    nodes: [
      ["Pad", ["x"], "padded", { pads: [0, 0, 1, 0, 0, 0, 0, 1], value: { float: 0 }, mode: { text: "constant" } }],
      ["Conv", ["padded", "w", "b"], "c", { pads: [0, 1, 1, 0] }],
      ["Flatten", ["c"], "f"],
      last,
    ],
    constants: { ...weights, fw: random([5, 192], "fw") },
    input: image,
    opset: 9,
  },
  "Pad of channels last, before the transposition": {
    nodes: [
      ["Pad", ["x", "pads"], "padded"],
      ["Transpose", ["padded"], "first", { perm: [0, 3, 1, 2] }],
      ["Conv", ["first", "w", "b"], "c", { strides: [2, 2] }],
      ["Flatten", ["c"], "f"],
      last,
    ],
    constants: { ...weights, pads: list(0, 0, 0, 0, 0, 1, 1, 0) },
    input: ["N", 8, 6, 3],
    expectedInput: [3, 8, 6],
  },
  "Pad with the lowest value before a max pool": {
    nodes: [
      conv,
      ["Tanh", ["c"], "t"],
      ["Pad", ["t", "pads", "lowest"], "padded"],
      ["MaxPool", ["padded"], "p", { kernel_shape: [3, 3], strides: [2, 2] }],
      ...ends,
    ],
    constants: { ...weights, pads: pads(1, 1, 1, 1), lowest: scalar(-Infinity) },
    input: image,
  },
  "Pad with zeros before a max pool of values that are not negative": {
    nodes: [
      conv,
      ["Relu", ["c"], "r"],
      ["Dropout", ["r"], "d"],
      ["Pad", ["d", "pads"], "padded"],
      ["MaxPool", ["padded"], "p", { kernel_shape: [3, 3], strides: [2, 2] }],
      ...ends,
    ],
    constants: { ...weights, pads: pads(0, 0, 1, 1) },
    input: image,
  },
  "Pad before an average pool, which counts it": {
    nodes: [
      conv,
      ["Pad", ["c", "pads"], "padded"],
      ["AveragePool", ["padded"], "p", { kernel_shape: [3, 3], strides: [2, 2] }],
      ...ends,
    ],
    constants: { ...weights, pads: pads(1, 1, 0, 0) },
    input: image,
  },
  "Clip as ReLU6, after batch normalisation": {
    nodes: [
      conv,
      ["BatchNormalization", ["c", "s", "t", "m", "v"], "n"],
      ["Clip", ["n", "low", "high"], "r"],
      ["MaxPool", ["r"], "p", { kernel_shape: [2, 2], strides: [2, 2] }],
      ...ends,
    ],
    constants: {
      ...{ ...weights, low: scalar(0), high: scalar(0.4), s: random([4], "s", 0.5, 1.5), t: random([4], "t") },
      ...{ m: random([4], "m"), v: random([4], "v", 0.5, 2) },
    },
    input: image,
  },
  "Clip as ReLU6 of the input, with attributes": {
    nodes: [
      ["Clip", ["x"], "x1", { min: { float: 0 }, max: { float: 0.5 } }],
      ...trunk.with(0, ["Conv", ["x1", "w", "b"], "c", { pads: [1, 1, 1, 1] }]),
      ...ends,
    ],
    constants: weights,
    input: image,
    opset: 10,
  },
  "Clip without an upper bound, of a vector": {
    nodes: [...trunk, ...ends.with(1, ["Gemm", ["f", "fw", "fb"], "g", { transB: 1 }]), ["Clip", ["g", "low"], "y"]],
    constants: { ...weights, low: scalar(0) },
    input: image,
  },
  "float16 weights, cast": {
    nodes: [["Cast", ["w16"], "w", { to: 1 }], ["Cast", ["b16"], "b", { to: 1 }], ...trunk, ...ends],
    constants: {
      ...{ w16: halves("FLOAT16", [4, 3, 3, 3], "w"), b16: halves("FLOAT16", [4], "b") },
      ...{ fw: weights.fw, fb: weights.fb },
    },
    input: image,
  },
  "bfloat16 weights, cast": {
    nodes: [["Cast", ["fw16"], "fw", { to: 1 }], ...trunk, ...ends],
    constants: { w: weights.w, b: weights.b, fb: weights.fb, fw16: halves("BFLOAT16", [5, 48], "fw") },
    input: image,
  },
  "float64 weights, cast, from Constant nodes": {
    nodes: [
      ["Constant", [], "w64", { value: { tensor: [[4, 3, 3, 3], Float64Array.from(weights.w[1] as Float32Array)] } }],
      ["Cast", ["w64"], "w", { to: 1 }],
      ...trunk,
      ...ends,
    ],
    constants: { b: weights.b, fw: weights.fw, fb: weights.fb },
    input: image,
  },
  "an image without channels": {
    nodes: [
      ["Sub", ["x", "half"], "x0"],
      ["Unsqueeze", ["x0", "one"], "x1"],
      ["Conv", ["x1", "w", "b"], "c"],
      ["Flatten", ["c"], "f"],
      last,
    ],
    constants: {
      ...{ half: scalar(0.5), one: list(1), w: random([2, 1, 3, 3], "w"), b: random([2], "b") },
      ...{ fw: random([5, 48], "fw"), fb: weights.fb },
    },
    input: ["N", 8, 6],
    expectedInput: [1, 8, 6],
  },
  "an image without channels, flattened": {
    nodes: [["Reshape", ["x", "s"], "f"], last],
    constants: { s: list(-1, 48), fw: weights.fw, fb: weights.fb },
    input: ["N", 8, 6],
    expectedInput: [1, 8, 6],
  },
  "a vector with an axis of extent 1": {
    nodes: [["Flatten", ["x"], "f"], last],
    constants: { fw: weights.fw, fb: weights.fb },
    input: ["N", 48, 1],
    expectedInput: [3, 4, 4],
  },
  "a vector reshaped to an image of channels last": {
    nodes: [
      ["Reshape", ["x", "s"], "x4"],
      ["Transpose", ["x4"], "first", { perm: [0, 3, 1, 2] }],
      ["Conv", ["first", "w", "b"], "c"],
      ["Flatten", ["c"], "f"],
      last,
    ],
    constants: {
      ...{ s: list(-1, 8, 6, 1), w: random([2, 1, 3, 3], "w"), b: random([2], "b") },
      ...{ fw: random([5, 48], "fw"), fb: weights.fb },
    },
    input: ["N", 48],
    expectedInput: [1, 8, 6],
  },
  "a global max pool": {
    nodes: [conv, ["GlobalMaxPool", ["c"], "p"], ...ends],
    constants: { ...weights, w: random([4, 3, 3, 3], "w"), fw: random([5, 4], "fw") },
    input: ["N", 3, 8, 8],
  },
};

describe("an exporter's spelling gives ONNX Runtime's output", () => {
  for (const [name, spelling] of Object.entries(spellings)) {
    it(name, async () => {
      await checkSpelling(name, spelling);
    });
  }

  it("a batch of one image that loses its axis", async () => {
    const nodes: readonly NodeLine[] = [
      ...trunk,
      ["Reshape", ["p", "flat"], "v"],
      ["Reshape", ["v", "row"], "f"],
      last,
    ];
    const constants = { ...weights, flat: list(48), row: list(1, -1) };
    await checkSpelling("batch of one", { nodes, constants, input: [1, 3, 8, 6] }, 1);
  });

  it("and says which floats it computes in float32", async () => {
    const deviationsOf = (name: string) => checkSpelling(name, spellings[name] as Spelling);
    assert.deepEqual(await deviationsOf("float16 weights, cast"), ["float16 of the file computed in float32"]);
    assert.deepEqual(await deviationsOf("float64 weights, cast, from Constant nodes"), [
      "float64 of the file rounded to float32",
    ]);
  });
});

describe("a file of float16 throughout", () => {
  it("is computed in float32", async () => {
    const types = { w: halves("FLOAT16", [4, 3, 3, 3], "w"), b: halves("FLOAT16", [4], "b") };
    const nodes: readonly NodeLine[] = [...trunk, ["Flatten", ["p"], "f"], ["Cast", ["f"], "y", { to: 1 }]];
    const half = readOnnx(await onnxModel({ nodes, constants: types, input: image, type: "FLOAT16" }), "m");
    const cast: readonly NodeLine[] = [["Cast", ["w16"], "w", { to: 1 }], ["Cast", ["b16"], "b", { to: 1 }], ...nodes];
    const wide = readOnnx(
      await onnxModel({ nodes: cast, constants: { w16: types.w, b16: types.b }, input: image }),
      "m",
    );
    assert.deepEqual(half, wide);
  });
});

describe("a file of opset 1", () => {
  it("is read as its spelling in opset 6", async () => {
    const reshaped = (
      shape: Readonly<Record<string, readonly number[]>>,
      inputs: readonly string[],
    ): readonly NodeLine[] => [
      ...trunk,
      ["Reshape", inputs, "f", shape],
      ["Gemm", ["f", "fw", "fb"], "y", { transB: 1, broadcast: 1 }],
    ];
    const old = reshaped({ shape: [-1, 48], consumed_inputs: [0] }, ["p"]);
    const first = readOnnx(await onnxModel({ nodes: old, constants: weights, input: image, opset: 1 }), "m");
    const nodes = reshaped({}, ["p", "s"]);
    const constants = { ...weights, s: list(-1, 48) };
    assert.deepEqual(first, readOnnx(await onnxModel({ nodes, constants, input: image, opset: 6 }), "m"));
  });
});

describe("a spelling that is not exact", () => {
  const maps = (node: NodeLine): OnnxLines => ({
    nodes: [conv, node, ["MaxPool", ["q"], "p", { kernel_shape: [2, 2] }], ["Flatten", ["p"], "y"]],
    constants: {
      ...weights,
      pads: pads(1, 1, 1, 1),
      one: scalar(1),
      low: scalar(-1),
      high: scalar(6),
      far: pads(1, 1, -1, 0),
    },
    input: image,
  });
  const refusals: Readonly<Record<string, readonly [OnnxLines, RegExp]>> = {
    "reflected padding": [
      maps(["Pad", ["c", "pads"], "q", { mode: { text: "reflect" } }]),
      /Pad: not supported: attribute mode reflect, expected constant/,
    ],
    "padding with ones": [
      maps(["Pad", ["c", "pads", "one"], "q"]),
      /MaxPool: not supported: the value 1 of the padding before it \(m: Pad\)/,
    ],
    "zeros before the maximum of negative values": [
      maps(["Pad", ["c", "pads"], "q"]),
      /MaxPool: not supported: the value 0 of the padding before it/,
    ],
    "padding that crops": [maps(["Pad", ["c", "far"], "q"]), /Pad: not supported: pads 0, 0, 1, 1, 0, 0, -1, 0 of/],
    "padding before an activation": [
      {
        ...maps(["Pad", ["c", "pads"], "r"]),
        nodes: [conv, ["Pad", ["c", "pads"], "r"], ["Relu", ["r"], "y"]],
      },
      /Pad: not supported: expected a convolution or pool directly after it/,
    ],
    "padding at the end": [
      { ...maps(["Pad", ["c", "pads"], "y"]), nodes: [conv, ["Pad", ["c", "pads"], "y"]] },
      /Pad: not supported: expected a convolution or pool directly after it/,
    ],
    "Clip from -1": [
      maps(["Clip", ["c", "low", "high"], "q"]),
      /Clip: not supported: min -1, max 6 of \[N, 4, 8, 6\]; expected min 0, .*Replace it by Relu and train further/,
    ],
    "ReLU6 of a vector": [
      {
        nodes: [
          ["Flatten", ["x"], "f"],
          ["Clip", ["f", "zero", "six"], "y"],
        ],
        constants: { zero: scalar(0), six: scalar(6) },
        input: image,
      },
      /Clip: not supported: min 0, max 6 of \[N, 144\]; .*a finite max only of maps/,
    ],
    "an axis inserted twice": [
      {
        nodes: [["Unsqueeze", ["x", "axes"], "u"], ["Flatten", ["u"], "f"], last],
        constants: { ...weights, axes: list(1, 1) },
        input: image,
      },
      /Unsqueeze: not supported: axes 1, 1, expected each once/,
    ],
    "values cast to whole numbers": [maps(["Cast", ["c"], "q", { to: 7 }]), /Cast: not supported: attribute to 7/],
    "constants added without end": [
      {
        nodes: [
          ["ConstantOfShape", ["big"], "w0"],
          ...Array.from({ length: 100 }, (_, i): NodeLine => ["Add", [`w${i}`, `w${i}`], `w${i + 1}`]),
          ["Flatten", ["x"], "f"],
          ["MatMul", ["f", "w100"], "y"],
        ],
        constants: { big: list(144, 2 ** 13) },
        input: image,
      },
      /the constants computed in the graph are too large/,
    ],
  };
  for (const [name, [lines, expected]] of Object.entries(refusals)) {
    it(`is refused: ${name}`, () => checkRefusal(lines, expected));
  }
});
