/** Networks with weights, to be written and read. */
import type { ParameterShape } from "../src/engine/engine.ts";
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
import { type Network, place } from "../src/network/network.ts";
import { fillGaussian, randomStream } from "../src/random.ts";
import { sizeOf } from "../src/shape.ts";

/** Every kind of layer with an 8-bit form, windows of the adaptive pool that are not alike, and no side a multiple of another. */
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

/** Batch normalization of images, after a convolution, twice in a row and after a pool. */
export const normNetwork: Network = {
  name: "norm",
  source: "",
  deviations: [],
  input: [3, 12, 11],
  layers: [
    batchNorm2d("norm0", { affine: false }),
    conv2d("conv1", { outChannels: 6, kernelSize: 3, groups: 3 }),
    batchNorm2d("norm1"),
    relu("relu1"),
    maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
    batchNorm2d("norm2", { eps: 0.1 }),
    batchNorm2d("norm3"),
    flatten("flatten"),
    linear("fc2", { outFeatures: 5 }),
  ],
};

/** Locally connected layers, with padding and strides and without. */
export const localNetwork: Network = {
  name: "local",
  source: "",
  deviations: [],
  input: [3, 10, 9],
  layers: [
    localConv2d("local1", { outChannels: 4, kernelSize: 3, stride: 2, padding: 2 }),
    relu("relu1"),
    localConv2d("local2", { outChannels: 6, kernelSize: 2 }),
    flatten("flatten"),
    linear("fc3", { outFeatures: 5 }),
  ],
};

/** A convolution and a linear layer, on 3×8×8. */
export function smallNetwork(outFeatures: number): Network {
  const layers = [
    conv2d("conv1", { outChannels: 4, kernelSize: 3 }),
    relu("relu1"),
    flatten("flatten"),
    linear("fc2", { outFeatures }),
  ];
  return { name: "small", source: "", deviations: [], input: [3, 8, 8], layers };
}

export interface Weighted {
  readonly network: Network;
  readonly values: ReadonlyMap<string, Float32Array>;
}

/** Numbers of one distribution, drawn once: to draw those of all networks would take half of the time of their tests. A prime number of them. */
const drawnOnce = new Float32Array(999_983);
fillGaussian(randomStream(3, "weights"), 0, drawnOnce, 1);

function parametersOf(network: Network): readonly ParameterShape[] {
  return place(network).flatMap(({ layer, parameters }) =>
    parameters.map(({ name, shape }) => ({ name: `${layer.name}.${name}`, shape })),
  );
}

/** Weights of deviation √(2 / fan-in), biases of a tenth; each tensor begins somewhere else among the numbers drawn. */
export function weighted(network: Network): Weighted {
  const values = new Map<string, Float32Array>();
  let next = 0;
  for (const { name, shape } of parametersOf(network)) {
    const [, ...inputs] = shape;
    const deviation = inputs.length === 0 ? 0.1 : Math.sqrt(2 / sizeOf(inputs));
    const tensor = new Float32Array(sizeOf(shape));
    for (let i = 0; i < tensor.length; i++) {
      const value = deviation * (drawnOnce[next] as number);
      tensor[i] = name.endsWith(".running_var") ? 0.5 + Math.abs(value) : value;
      if (++next === drawnOnce.length) next = 0;
    }
    values.set(name, tensor);
  }
  return { network, values };
}
