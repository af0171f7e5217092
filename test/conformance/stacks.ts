/** The chains of these tests. */
import type { OpKind } from "../../src/engine/engine.ts";
import {
  adaptiveAveragePool2d,
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
} from "../../src/layers/kinds.ts";
import { sizeOf } from "../../src/shape.ts";
import { type Chain, opsOf } from "../chains.ts";
import type { EngineUnderTest } from "../engines.ts";

/** Chains in which an engine may fuse, reorder or reuse memory. */
export const stacks: Readonly<Record<string, Omit<Chain, "batchSize">>> = {
  "conv → relu → norm → pool → conv → relu → linear": {
    input: [3, 23, 19],
    layers: [
      conv2d("conv1", { outChannels: 20, kernelSize: 5, stride: 2 }),
      relu("relu1"),
      localResponseNorm("norm1", { alpha: 0.1 }),
      maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
      conv2d("conv2", { outChannels: 12, kernelSize: 3, padding: 1, groups: 2 }),
      relu("relu2"),
      flatten("flatten"),
      linear("fc3", { outFeatures: 10 }),
    ],
  },
  "one channel, groups of one channel": {
    input: [1, 9, 6],
    layers: [
      conv2d("conv1", { outChannels: 3, kernelSize: 3 }),
      tanh("tanh1"),
      conv2d("conv2", { outChannels: 6, kernelSize: 3, padding: 1, groups: 3 }),
      sigmoid("sigmoid2"),
    ],
  },
  "pool and average at the end": {
    input: [5, 17, 13],
    layers: [
      conv2d("conv1", { outChannels: 7, kernelSize: 3, padding: 2 }),
      relu("relu1"),
      maxPool2d("pool1", { kernelSize: 3, stride: 2, padding: 1 }),
      adaptiveAveragePool2d("avg", { outputSize: 3 }),
    ],
  },
  "activations after linear, two in a row": {
    input: [6, 4, 4],
    layers: [
      flatten("flatten"),
      linear("fc1", { outFeatures: 33 }),
      tanh("tanh1"),
      linear("fc2", { outFeatures: 17 }),
      relu("relu2"),
      sigmoid("sigmoid2"),
      linear("fc3", { outFeatures: 5 }),
      relu("relu3"),
    ],
  },
  "linear layers with nothing between, as in alexnet-rgb": {
    input: [4, 3, 3],
    layers: [
      flatten("flatten"),
      linear("fc1", { outFeatures: 20 }),
      dropout("drop1", { probability: 0.5, activeAtEvaluation: true }),
      linear("fc2", { outFeatures: 12 }),
      linear("fc3", { outFeatures: 7 }),
      dropout("drop3", { probability: 0.5, activeAtEvaluation: true }),
    ],
  },
  "dropout after relu and before it": {
    input: [3, 8, 8],
    layers: [
      conv2d("conv1", { outChannels: 9, kernelSize: 3 }),
      dropout("drop1", { probability: 0.25 }),
      relu("relu1"),
      flatten("flatten"),
      linear("fc2", { outFeatures: 40 }),
      relu("relu2"),
      dropout("drop2", { probability: 0.5 }),
      linear("fc3", { outFeatures: 6 }),
    ],
  },
  "flatten → dropout → linear after a pool, as in alexnet-owt": {
    input: [3, 12, 12],
    layers: [
      conv2d("conv1", { outChannels: 18, kernelSize: 3 }),
      relu("relu1"),
      maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
      adaptiveAveragePool2d("avg", { outputSize: 5 }),
      flatten("flatten"),
      dropout("drop2", { probability: 0.5 }),
      linear("fc2", { outFeatures: 11 }),
      relu("relu2"),
      dropout("drop3", { probability: 0.5 }),
      linear("fc3", { outFeatures: 6 }),
    ],
  },
  "tanh and dropout on maps, dropout twice": {
    input: [2, 7, 7],
    layers: [
      conv2d("conv1", { outChannels: 5, kernelSize: 3 }),
      dropout("drop1", { probability: 0.2 }),
      tanh("tanh1"),
      dropout("drop2", { probability: 0.2 }),
      dropout("drop3", { probability: 0.3 }),
    ],
  },
  "max pooling after one activation and after two": {
    input: [3, 16, 14],
    layers: [
      conv2d("conv1", { outChannels: 20, kernelSize: 3 }),
      tanh("tanh1"),
      maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
      conv2d("conv2", { outChannels: 18, kernelSize: 3, padding: 1 }),
      sigmoid("sigmoid2"),
      tanh("tanh2"),
      maxPool2d("pool2", { kernelSize: 2, stride: 2 }),
      conv2d("conv3", { outChannels: 6, kernelSize: 2 }),
    ],
  },
  "alexnet, narrow: channels in whole blocks, groups, 3×3 convolutions": {
    input: [3, 51, 51],
    layers: [
      conv2d("conv1", { outChannels: 32, kernelSize: 11, stride: 4 }),
      relu("relu1"),
      localResponseNorm("norm1", { alpha: 0.1 }),
      maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
      conv2d("conv2", { outChannels: 64, kernelSize: 5, padding: 2, groups: 2 }),
      relu("relu2"),
      localResponseNorm("norm2", { alpha: 0.1 }),
      conv2d("conv3", { outChannels: 96, kernelSize: 3, padding: 1 }),
      relu("relu3"),
      conv2d("conv4", { outChannels: 64, kernelSize: 3, padding: 1, groups: 2 }),
      relu("relu4"),
      conv2d("conv5", { outChannels: 32, kernelSize: 3, padding: 1, groups: 2 }),
      relu("relu5"),
      maxPool2d("pool5", { kernelSize: 3, stride: 2 }),
      flatten("flatten"),
      linear("fc6", { outFeatures: 64 }),
      relu("relu6"),
      dropout("drop6", { probability: 0.5 }),
      linear("fc7", { outFeatures: 10 }),
    ],
  },
  // Not directly after a bias, whose gradient would be 0, and of no relative precision.
  "batch norm: on the images without weights, after ReLU, before it, last": {
    input: [3, 11, 9],
    layers: [
      batchNorm2d("norm0", { affine: false }),
      conv2d("conv1", { outChannels: 20, kernelSize: 3 }),
      relu("relu1"),
      batchNorm2d("norm1", { eps: 1e-3 }),
      maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
      conv2d("conv2", { outChannels: 16, kernelSize: 3, padding: 1 }),
      tanh("tanh2"),
      batchNorm2d("norm2"),
      relu("relu2"),
      conv2d("conv3", { outChannels: 5, kernelSize: 1 }),
      relu("relu3"),
      batchNorm2d("norm3"),
    ],
  },
  "locally connected: on the images, padded, with strides, after a pool, before a linear layer": {
    input: [3, 13, 12],
    layers: [
      localConv2d("local1", { outChannels: 10, kernelSize: 3, padding: 1 }),
      relu("relu1"),
      maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
      localConv2d("local2", { outChannels: 17, kernelSize: 2, stride: 2, padding: 2 }),
      tanh("tanh2"),
      localConv2d("local3", { outChannels: 4, kernelSize: 3 }),
      flatten("flatten"),
      linear("fc4", { outFeatures: 5 }),
    ],
  },
  "relu before layers that change nothing, at the end": {
    input: [3, 3, 3],
    layers: [
      conv2d("conv1", { outChannels: 9, kernelSize: 3 }),
      relu("relu1"),
      flatten("flatten"),
      dropout("drop1", { probability: 0 }),
    ],
  },
  "layers that learn nothing at the bottom": {
    input: [4, 9, 9],
    layers: [
      relu("relu0"),
      maxPool2d("pool0", { kernelSize: 2, stride: 2 }),
      conv2d("conv1", { outChannels: 4, kernelSize: 1 }),
      conv2d("conv2", { outChannels: 5, kernelSize: 2 }),
    ],
  },
};

/**
 * Bound on the relative L2 difference from the rounded reference, far below what a wrong index or a stale buffer would give.
 *
 * Sums of up to some 800 products in f32, through at most a dozen operations: measured 7e-7 with direct convolution. Where numbers are rounded to
 * be kept, sums that differ by so little are kept as the same number but for a few that lie half way between two: less than what rounding one
 * tensor once more would give (1.5e-3, measured). Normalisation, averages and pooling may keep further numbers on the way, each of them off by half a
 * step at most, one not depending on the other. Factors that are rounded once more add as much for each convolution, forward and backward.
 */
export function stackTolerance({ arithmetic }: EngineUnderTest, { layers }: Pick<Chain, "layers">): number {
  const { step, convolutionError, factorError } = arithmetic;
  const convolutions = layers.filter(({ kind }) => kind === "conv2d" || kind === "localConv2d").length;
  // Gradients below a normalization have no mean: what is left of a bias's sum over the maps is smaller. Measured 3.5e-6 on AVX2.
  const cancelling = layers.some(({ kind }) => kind === "batchNorm2d") ? 3 : 1;
  const further = layers.reduce((sum, { kind }) => sum + (keptOnTheWay[kind] ?? 0), 0);
  return (
    3e-6 * convolutionError * cancelling +
    step / 8 +
    (Math.sqrt(further) * step) / 2 +
    Math.sqrt(2 * convolutions) * factorError
  );
}

/**
 * Two tables of the forward pass for the backward pass; weights of an average; sums of gradients where windows overlap; and what remains of kept numbers
 * without their mean, in both directions.
 */
const keptOnTheWay: Partial<Record<OpKind, number>> = {
  localResponseNorm: 2,
  batchNorm2d: 2,
  adaptiveAveragePool2d: 1,
  maxPool2d: 1,
};

/**
 * Adds to that bound, for gradients: a maximum in another place. Of two numbers that lie next to each other in bf16 the other one may be the
 * larger after a sum went to the other side of half way: one of n gradients then goes to another place, √(2 / n) of their norm. Measured with
 * AMX: one in the first stack, 0.033 in its first layer. Where sums themselves are off, by a part ε of their size, a part below ε of the ReLUs and
 * windows decide otherwise, each with the whole of a gradient: √ε of its norm; and a bias's gradient, a sum over maps, may cancel to a sixth of its terms' norm (measured: 0.024
 * of one that is made of three numbers).
 */
export function gradientTolerance({ arithmetic }: EngineUnderTest, chain: Chain, parameter: string): number {
  const { step, factorError } = arithmetic;
  if (step === 0) return 0;
  const cancelled = parameter.endsWith(".bias") ? 6 * factorError : 0;
  const decisions = chain.layers.filter(({ kind }) => kind === "maxPool2d" || kind === "relu").length;
  const otherDecisions = Math.sqrt(decisions * factorError);
  const pooled = opsOf(chain).filter(({ kind }) => kind === "maxPool2d");
  const moved = pooled.map(({ outputShape }) => Math.sqrt(2 / (chain.batchSize * sizeOf(outputShape))));
  return moved.reduce((sum, one) => sum + one, cancelled + otherDecisions);
}
