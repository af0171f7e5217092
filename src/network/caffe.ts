/** AlexNet as Caffe's model zoo has it, with trained weights. */
import { conv2d, dropout, flatten, linear, localResponseNorm, maxPool2d, relu } from "../layers/kinds.ts";
import type { Network } from "./network.ts";

/** Caffe's constant is 1, where the paper's is 2. */
const norm = { size: 5, alpha: 1e-4, beta: 0.75, k: 1 } as const;
const pool = { kernelSize: 3, stride: 2 } as const;

const [conv1, conv2] = [
  [conv2d("conv1", { outChannels: 96, kernelSize: 11, stride: 4 }), relu("relu1")],
  [conv2d("conv2", { outChannels: 256, kernelSize: 5, padding: 2, groups: 2 }), relu("relu2")],
] as const;

/** From the third convolution to the 1000 classes: the same in both. */
const rest: Network["layers"] = [
  conv2d("conv3", { outChannels: 384, kernelSize: 3, padding: 1 }),
  relu("relu3"),
  conv2d("conv4", { outChannels: 384, kernelSize: 3, padding: 1, groups: 2 }),
  relu("relu4"),
  conv2d("conv5", { outChannels: 256, kernelSize: 3, padding: 1, groups: 2 }),
  relu("relu5"),
  maxPool2d("pool5", pool),
  flatten("flatten"),
  linear("fc6", { outFeatures: 4096 }),
  relu("relu6"),
  dropout("drop6", { probability: 0.5 }),
  linear("fc7", { outFeatures: 4096 }),
  relu("relu7"),
  dropout("drop7", { probability: 0.5 }),
  linear("fc8", { outFeatures: 1000 }),
];

export const bvlcAlexnet: Network = {
  name: "bvlc-alexnet",
  source: "BVLC Caffe, models/bvlc_alexnet, after Krizhevsky, Sutskever, Hinton 2012",
  deviations: ["k = 1 in local response normalisation, where the paper has 2"],
  input: [3, 227, 227],
  layers: [
    ...conv1,
    localResponseNorm("norm1", norm),
    maxPool2d("pool1", pool),
    ...conv2,
    localResponseNorm("norm2", norm),
    maxPool2d("pool2", pool),
    ...rest,
  ],
};

export const caffenet: Network = {
  name: "caffenet",
  source: "BVLC Caffe, models/bvlc_reference_caffenet, after Krizhevsky, Sutskever, Hinton 2012",
  deviations: [
    "k = 1 in local response normalisation, where the paper has 2",
    "pooling before local response normalisation, where the paper has it after",
  ],
  input: [3, 227, 227],
  layers: [
    ...conv1,
    maxPool2d("pool1", pool),
    localResponseNorm("norm1", norm),
    ...conv2,
    maxPool2d("pool2", pool),
    localResponseNorm("norm2", norm),
    ...rest,
  ],
};
