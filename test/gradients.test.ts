/**
 * Finite differences: for every kind of operation, and for the loss, the derivative that the reference engine computes is
 * the slope (L(x + ε) − L(x − ε)) / 2ε of the function it computes. The engine's border is f32, whose steps are coarser
 * than ε, so these tests run on its chain in f64.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OpKind } from "../src/engine/engine.ts";
import { Chain, GradientChain } from "../src/engine/reference/chain.ts";
import { softmaxCrossEntropy } from "../src/engine/reference/softmaxCrossEntropy.ts";
import {
  adaptiveAveragePool2d,
  averagePool2d,
  batchNorm2d,
  conv2d,
  dropout,
  flatten,
  linear,
  localConv2d,
  localResponseNorm,
  maxPool2d,
  relu,
  sigmoid,
  tanh,
} from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import type { Network } from "../src/network/network.ts";
import { fillUniform, permutation, randomStream } from "../src/random.ts";
import { sizeOf } from "../src/shape.ts";
import { assertClose } from "./assertClose.ts";
import { need, opsOf } from "./chains.ts";

const epsilon = 1e-6;
/** Rounding of L in f64 is about 1e-16 · |L| / ε = 1e-9, curvature ε² · |L‴| = 1e-12: both far below. */
const tolerance = { absolute: 1e-5, relative: 1e-3 };
const draw = { training: true, seed: 3, counter: 5 };

interface Case {
  readonly input: Network["input"];
  readonly layers: readonly AnyLayer[];
  /** Number of images of the batch. Default 1. */
  readonly images?: number;
  /** Layers whose running statistics are used. Default none. */
  readonly frozen?: readonly string[];
}

/** At least one for every kind: leaving a kind out does not compile. */
const cases: { readonly [K in OpKind]: Readonly<Record<string, Case>> } = {
  conv2d: {
    "window 3, padding 1": { input: [3, 5, 4], layers: [conv2d("c", { outChannels: 4, kernelSize: 3, padding: 1 })] },
    "stride 2, not reaching the last column": {
      input: [2, 7, 6],
      layers: [conv2d("c", { outChannels: 3, kernelSize: 3, stride: 2 })],
    },
    "groups 2, stride 2, padding 2": {
      input: [4, 6, 5],
      layers: [conv2d("c", { outChannels: 6, kernelSize: 5, stride: 2, padding: 2, groups: 2 })],
    },
    "window 1, padding 1": { input: [2, 3, 3], layers: [conv2d("c", { outChannels: 2, kernelSize: 1, padding: 1 })] },
  },
  localConv2d: {
    "window 3, padding 1": {
      input: [2, 4, 3],
      layers: [localConv2d("l", { outChannels: 3, kernelSize: 3, padding: 1 })],
    },
    "stride 2, not reaching the last column": {
      images: 2,
      input: [3, 5, 6],
      layers: [localConv2d("l", { outChannels: 2, kernelSize: 3, stride: 2 })],
    },
  },
  linear: {
    "12 to 5": { input: [3, 2, 2], layers: [flatten("f"), linear("l", { outFeatures: 5 })] },
    "behind another": {
      input: [4, 1, 1],
      layers: [flatten("f"), linear("l1", { outFeatures: 6 }), linear("l2", { outFeatures: 3 })],
    },
  },
  relu: { alone: { input: [2, 3, 4], layers: [relu("r")] } },
  tanh: { alone: { input: [2, 3, 4], layers: [tanh("t")] } },
  sigmoid: { alone: { input: [2, 3, 4], layers: [sigmoid("s")] } },
  localResponseNorm: {
    "strong inhibition": {
      input: [7, 2, 3],
      layers: [localResponseNorm("n", { size: 5, alpha: 1.5, beta: 0.75, k: 0.5 })],
    },
    "fewer channels than the window": {
      input: [3, 2, 2],
      layers: [localResponseNorm("n", { size: 7, alpha: 2, beta: 0.5, k: 1 })],
    },
    "within channels": {
      input: [2, 4, 5],
      layers: [localResponseNorm("n", { size: 3, alpha: 1.5, beta: 0.75, k: 0.5, region: "withinChannel" })],
    },
    "window 1": { input: [3, 2, 2], layers: [localResponseNorm("n", { size: 1, alpha: 1, beta: 2, k: 1 })] },
  },
  batchNorm2d: {
    "3 images": { images: 3, input: [2, 3, 2], layers: [batchNorm2d("n")] },
    "2 images, a large eps, no weights": {
      images: 2,
      input: [3, 2, 2],
      layers: [batchNorm2d("n", { eps: 0.5, affine: false })],
    },
    "1 image, after a convolution": {
      input: [2, 3, 3],
      layers: [conv2d("c", { outChannels: 3, kernelSize: 2 }), batchNorm2d("n")],
    },
    frozen: {
      images: 2,
      input: [2, 3, 2],
      layers: [batchNorm2d("n"), batchNorm2d("m")],
      frozen: ["n"],
    },
  },
  maxPool2d: {
    overlapping: { input: [2, 7, 6], layers: [maxPool2d("p", { kernelSize: 3, stride: 2 })] },
    padded: { input: [2, 5, 6], layers: [maxPool2d("p", { kernelSize: 3, stride: 2, padding: 1 })] },
    "padded at the end": { input: [2, 6, 6], layers: [maxPool2d("p", { kernelSize: 3, stride: 2, endPadding: 1 })] },
  },
  averagePool2d: {
    overlapping: { input: [2, 7, 6], layers: [averagePool2d("p", { kernelSize: 3, stride: 2 })] },
    "padded, pixels inside": {
      input: [2, 5, 6],
      layers: [averagePool2d("p", { kernelSize: 3, stride: 2, padding: 1 })],
    },
    "padded, all pixels": {
      input: [2, 5, 6],
      layers: [averagePool2d("p", { kernelSize: 3, stride: 2, padding: 1, countIncludePad: true })],
    },
    "padded at the end": {
      input: [2, 6, 6],
      layers: [averagePool2d("p", { kernelSize: 3, stride: 2, padding: 0, endPadding: 1 })],
    },
  },
  adaptiveAveragePool2d: {
    even: { input: [2, 6, 4], layers: [adaptiveAveragePool2d("a", { outputSize: 2 })] },
    uneven: { input: [2, 7, 5], layers: [adaptiveAveragePool2d("a", { outputSize: 3 })] },
    "larger than the input": { input: [2, 2, 3], layers: [adaptiveAveragePool2d("a", { outputSize: 4 })] },
  },
  flatten: { alone: { input: [2, 3, 2], layers: [flatten("f")] } },
  dropout: { "probability 0.3": { input: [4, 5, 5], layers: [dropout("d", { probability: 0.3 })] } },
};

/** Distinct, at least 0.01 apart and from 0, in random order: no step of ε changes which is largest or positive. */
function distinct(length: number): Float64Array {
  const order = permutation(randomStream(1, "distinct"), 0, length);
  return Float64Array.from(order, (place) => (place - length / 2 + 0.25) * Math.max(0.02, 2 / length));
}

function random(purpose: string, length: number): Float64Array {
  const values = new Float64Array(length);
  fillUniform(randomStream(2, purpose), 0, values, -1, 1);
  return values;
}

/** A scalar function of the chain's output, and its gradient by that output. */
type Loss = (output: Float64Array) => { readonly loss: number; readonly gradient: Float64Array };

/** Σ r · output with random r: every output counts, each differently. */
const projection: Loss = (output) => {
  const gradient = random("projection", output.length);
  return { loss: output.reduce((sum, y, i) => sum + y * (gradient[i] as number), 0), gradient };
};

const crossEntropyWith =
  (targetsOf: (classes: number) => Float64Array): Loss =>
  (logits) => {
    const gradient = new Float64Array(logits.length);
    return { loss: softmaxCrossEntropy(logits, targetsOf(logits.length), 1, gradient), gradient };
  };

const crossEntropy = crossEntropyWith((classes) => Float64Array.from({ length: classes }, (_, c) => Number(c === 1)));

/** Of no sum in particular, as class weights make them. */
const weightedCrossEntropy = crossEntropyWith((classes) => random("targets", classes).map(Math.abs));

function checkGradients({ input, layers, images: count = 1, frozen = [] }: Case, loss: Loss): void {
  const chain = new Chain(opsOf({ input, layers, batchSize: count }), input, count, frozen);
  const gradients = new GradientChain(chain, "input", frozen);
  for (const { name, values } of chain.parameters.flat()) {
    values.set(random(name, values.length).map(name.endsWith("running_var") ? Math.abs : (x) => x));
  }
  const images = distinct(count * sizeOf(input));
  const rows = Array.from({ length: count }, (_, row) => row);
  const size = sizeOf(input);
  const computeLoss = () => {
    for (const row of rows) chain.activations[row]?.[0]?.set(images.subarray(row * size, (row + 1) * size));
    chain.forwardFrom(0, rows, () => draw);
    return loss(Float64Array.from(rows.flatMap((row) => [...(chain.activations[row]?.at(-1) ?? [])])));
  };
  const { gradient } = computeLoss();
  const outputs = gradient.length / count;
  gradients.backwardAll(
    rows,
    () => draw,
    (row) => gradient.subarray(row * outputs, (row + 1) * outputs),
  );
  const inputGradient = Float64Array.from(rows.flatMap((row) => [...gradients.inputGradient(row)]));
  const valueOfLoss = () => computeLoss().loss;
  assertClose(inputGradient, slopes(images, valueOfLoss), tolerance, "input gradient");
  const values = new Map(chain.parameters.flat().map((parameter) => [parameter.name, parameter.values]));
  for (const { name, values: computed } of gradients.parameters.flat()) {
    assertClose(computed, slopes(need(values, name), valueOfLoss), tolerance, `gradient of ${name}`);
  }
}

/** The slope of `f` along each of `values`, which `f` reads. */
function slopes(values: Float64Array, f: () => number): Float64Array {
  return Float64Array.from(values, (value, i) => {
    values[i] = value + epsilon;
    const above = f();
    values[i] = value - epsilon;
    const below = f();
    values[i] = value;
    return (above - below) / (2 * epsilon);
  });
}

for (const [kind, variants] of Object.entries(cases)) {
  describe(`finite differences, ${kind}`, () => {
    for (const [name, variant] of Object.entries(variants)) {
      it(name, () => checkGradients(variant, projection));
    }
  });
}

describe("finite differences, through the loss", () => {
  it("softmax with cross-entropy alone", () => {
    checkGradients({ input: [5, 1, 1], layers: [flatten("f")] }, crossEntropy);
  });

  it("with targets for every class, whose sum is not 1", () => {
    checkGradients({ input: [5, 1, 1], layers: [flatten("f")] }, weightedCrossEntropy);
  });

  it("every kind in one chain", () => {
    const layers = [
      conv2d("conv1", { outChannels: 6, kernelSize: 3, padding: 1, groups: 2 }),
      relu("relu1"),
      localResponseNorm("norm1", { size: 3, alpha: 0.5, beta: 0.75, k: 1 }),
      batchNorm2d("batchNorm1"),
      localConv2d("local1", { outChannels: 3, kernelSize: 2 }),
      maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
      averagePool2d("average1", { kernelSize: 2, stride: 1, padding: 1 }),
      conv2d("conv2", { outChannels: 4, kernelSize: 3, stride: 2, padding: 1 }),
      tanh("tanh2"),
      adaptiveAveragePool2d("avg", { outputSize: 2 }),
      flatten("flatten"),
      linear("fc3", { outFeatures: 8 }),
      sigmoid("sigmoid3"),
      dropout("drop3", { probability: 0.25 }),
      linear("fc4", { outFeatures: 4 }),
    ];
    const kinds = new Set<string>(layers.map(({ kind }) => kind));
    assert.deepEqual([...kinds].sort(), Object.keys(cases).sort(), "the chain holds every kind");
    checkGradients({ input: [4, 9, 11], layers }, crossEntropy);
  });

  it("parameters alone get the same gradients as with the input's", () => {
    const input = [2, 5, 5] as const;
    const layers = [tanh("t"), conv2d("c", { outChannels: 3, kernelSize: 3 }), flatten("f")];
    const chain = new Chain(opsOf({ input, layers, batchSize: 1 }), input, 1);
    for (const { name, values } of chain.parameters.flat()) values.set(random(name, values.length));
    const { gradient } = crossEntropy(chain.forward(0, distinct(50), draw));
    const [withInput, without] = (["input", "parameters"] as const).map((reach) => {
      const gradients = new GradientChain(chain, reach);
      gradients.backward(0, draw, gradient);
      return gradients.parameters.flat().map(({ values }) => values);
    });
    assert.deepEqual(without, withInput);
  });
});
