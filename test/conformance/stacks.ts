import {
  adaptiveAveragePool2d,
  conv2d,
  dropout,
  flatten,
  linear,
  localResponseNorm,
  maxPool2d,
  relu,
  sigmoid,
  tanh,
} from "../../src/layers/kinds.ts";
import type { Chain } from "../chains.ts";

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
  "activations behind linear, two in a row": {
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
  "dropout behind relu and before it": {
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
  "flatten → dropout → linear behind a pool, as in alexnet-owt": {
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
 * Sums of up to some 300 products in f32, through at most ten operations: measured 4e-7, and far below what a wrong index or
 * a stale buffer would give.
 */
export const stackTolerance = 3e-6;
