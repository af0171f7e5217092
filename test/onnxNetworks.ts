/** Networks with weights, to be written and read. */
import {
  adaptiveAveragePool2d,
  averagePool2d,
  conv2d,
  dropout,
  flatten,
  linear,
  localResponseNorm,
  maxPool2d,
  relu,
  sigmoid,
  tanh,
} from "../src/layers/kinds.ts";
import { type Initializer, initialValues } from "../src/network/initialize.ts";
import type { Network } from "../src/network/network.ts";

const initializer: Initializer = { weight: { kind: "heNormal" }, bias: "pytorch", ones: [] };

/** Every kind of layer, windows of the adaptive pool that are not alike, and no side a multiple of another. */
export const everyKind: Network = {
  name: "every-kind",
  source: "",
  deviations: [],
  input: [3, 19, 17],
  layers: [
    conv2d("conv1", { outChannels: 6, kernelSize: 3, stride: 2, padding: 2, groups: 3 }),
    tanh("tanh1"),
    localResponseNorm("norm1", { size: 3, alpha: 0.5, beta: 0.6, k: 1.5 }),
    maxPool2d("pool1", { kernelSize: 3, stride: 2, padding: 1 }),
    relu("relu1"),
    averagePool2d("pool2", { kernelSize: 2, stride: 1, padding: 1, endPadding: 0, countIncludePad: true }),
    adaptiveAveragePool2d("average", { outputSize: 4 }),
    flatten("flatten"),
    dropout("drop", { activeAtEvaluation: true }),
    linear("fc1", { outFeatures: 8 }),
    sigmoid("sigmoid1"),
    linear("fc2", { outFeatures: 5 }),
  ],
};

export interface Weighted {
  readonly network: Network;
  readonly values: ReadonlyMap<string, Float32Array>;
}

export function weighted(network: Network): Weighted {
  const values = new Map([...initialValues(network, initializer, 3)].map(({ name, values }) => [name, values]));
  return { network, values };
}
