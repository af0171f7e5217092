/**
 * The AlexNet family as data. Krizhevsky, Sutskever, Hinton 2012: "ImageNet Classification with Deep Convolutional Neural
 * Networks"; section numbers are those of that paper.
 */
import { UsageError } from "../errors.ts";
import { conv2d, dropout, flatten, linear, localResponseNorm, maxPool2d, relu } from "../layers/kinds.ts";
import { didYouMean } from "../suggest.ts";
import { alexnetFast, alexnetOwt, alexnetSmall, alexnetSmallBn } from "./alexnetOwt.ts";
import type { Network } from "./network.ts";

const alexnet: Network = {
  name: "alexnet",
  source: "Krizhevsky, Sutskever, Hinton 2012, §3.5, figure 2; two groups are its two GPUs",
  deviations: [
    "input 227×227: the text says 224, from which 11×11 windows at a stride of 4 do not give 55×55",
    "local response normalisation inside each of the two groups, and alpha divided by the window, as in the authors' program; the printed formula has neither",
  ],
  input: [3, 227, 227],
  layers: [
    conv2d("conv1", { outChannels: 96, kernelSize: 11, stride: 4 }),
    relu("relu1"),
    localResponseNorm("norm1", { size: 5, alpha: 1e-4, beta: 0.75, k: 2, groups: 2 }),
    maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
    conv2d("conv2", { outChannels: 256, kernelSize: 5, padding: 2, groups: 2 }),
    relu("relu2"),
    localResponseNorm("norm2", { size: 5, alpha: 1e-4, beta: 0.75, k: 2, groups: 2 }),
    maxPool2d("pool2", { kernelSize: 3, stride: 2 }),
    conv2d("conv3", { outChannels: 384, kernelSize: 3, padding: 1 }),
    relu("relu3"),
    conv2d("conv4", { outChannels: 384, kernelSize: 3, padding: 1, groups: 2 }),
    relu("relu4"),
    conv2d("conv5", { outChannels: 256, kernelSize: 3, padding: 1, groups: 2 }),
    relu("relu5"),
    maxPool2d("pool5", { kernelSize: 3, stride: 2 }),
    flatten("flatten"),
    linear("fc6", { outFeatures: 4096 }),
    relu("relu6"),
    dropout("drop6", { probability: 0.5 }),
    linear("fc7", { outFeatures: 4096 }),
    relu("relu7"),
    dropout("drop7", { probability: 0.5 }),
    linear("fc8", { outFeatures: 1000 }),
  ],
};

/** Five ungrouped convolutions with pools after the first, second and fifth, without normalization; shared by the two networks below. */
const ungroupedFeatures: Network["layers"] = [
  conv2d("conv1", { outChannels: 96, kernelSize: 11, stride: 4 }),
  relu("relu1"),
  maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
  conv2d("conv2", { outChannels: 256, kernelSize: 5, padding: 2 }),
  relu("relu2"),
  maxPool2d("pool2", { kernelSize: 3, stride: 2 }),
  conv2d("conv3", { outChannels: 384, kernelSize: 3, padding: 1 }),
  relu("relu3"),
  conv2d("conv4", { outChannels: 384, kernelSize: 3, padding: 1 }),
  relu("relu4"),
  conv2d("conv5", { outChannels: 256, kernelSize: 3, padding: 1 }),
  relu("relu5"),
  maxPool2d("pool5", { kernelSize: 3, stride: 2 }),
  flatten("flatten"),
];

const alexnetFashion: Network = {
  name: "alexnet-fashion",
  source:
    "Krizhevsky, Sutskever, Hinton 2012, as Zhang et al., “Dive into Deep Learning”, §8.1, build it for Fashion-MNIST",
  deviations: [
    "one input channel; no groups; no local response normalisation",
    "input 227×227 without padding in conv1, where the book has 224×224 with padding 1",
    "the 1000 outputs get dropout and a further linear layer to the classes, with no ReLU between",
  ],
  input: [1, 227, 227],
  layers: [
    ...ungroupedFeatures,
    linear("fc6", { outFeatures: 4096 }),
    relu("relu6"),
    dropout("drop6", { probability: 0.5 }),
    linear("fc7", { outFeatures: 4096 }),
    relu("relu7"),
    dropout("drop7", { probability: 0.5 }),
    linear("fc8", { outFeatures: 1000 }),
    dropout("drop8", { probability: 0.5 }),
    linear("fc9", { outFeatures: 10 }),
  ],
};

const alwaysActive = { probability: 0.5, activeAtEvaluation: true } as const;

const alexnetRgb: Network = {
  name: "alexnet-rgb",
  source: "Krizhevsky, Sutskever, Hinton 2012, as a tutorial class for RGB images with an extra 10-way layer builds it",
  deviations: [
    "no groups; no local response normalisation",
    "no ReLU between the linear layers, so they could be one",
    "a further linear layer from the 1000 outputs to the classes",
    "dropout 0.5 after each of the four linear layers, the last included: on average half of the class scores are zero",
    "dropout stays active at evaluation, so a prediction is a draw; --samples N averages N of them",
  ],
  input: [3, 227, 227],
  layers: [
    ...ungroupedFeatures,
    linear("fc6", { outFeatures: 4096 }),
    dropout("drop6", alwaysActive),
    linear("fc7", { outFeatures: 4096 }),
    dropout("drop7", alwaysActive),
    linear("fc8", { outFeatures: 1000 }),
    dropout("drop8", alwaysActive),
    linear("fc9", { outFeatures: 10 }),
    dropout("drop9", alwaysActive),
  ],
};

/** One tower of the paper's network. */
const alexnetHalf: Network = {
  name: "alexnet-half",
  source: "Krizhevsky, Sutskever, Hinton 2012, one of its two GPUs alone, as used on small sets of flower photos",
  deviations: [
    "one tower: half of the filters everywhere, 2048 units in the hidden linear layers",
    "conv3 sees only its own 128 maps, where the paper's sees the other GPU's too",
    "input 224×224 with padding 2 in conv1; no local response normalisation",
    "dropout before each hidden linear layer, where the paper has it after",
  ],
  input: [3, 224, 224],
  layers: [
    conv2d("conv1", { outChannels: 48, kernelSize: 11, stride: 4, padding: 2 }),
    relu("relu1"),
    maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
    conv2d("conv2", { outChannels: 128, kernelSize: 5, padding: 2 }),
    relu("relu2"),
    maxPool2d("pool2", { kernelSize: 3, stride: 2 }),
    conv2d("conv3", { outChannels: 192, kernelSize: 3, padding: 1 }),
    relu("relu3"),
    conv2d("conv4", { outChannels: 192, kernelSize: 3, padding: 1 }),
    relu("relu4"),
    conv2d("conv5", { outChannels: 128, kernelSize: 3, padding: 1 }),
    relu("relu5"),
    maxPool2d("pool5", { kernelSize: 3, stride: 2 }),
    flatten("flatten"),
    dropout("drop6", { probability: 0.5 }),
    linear("fc6", { outFeatures: 2048 }),
    relu("relu6"),
    dropout("drop7", { probability: 0.5 }),
    linear("fc7", { outFeatures: 2048 }),
    relu("relu7"),
    linear("fc8", { outFeatures: 1000 }),
  ],
};

/** The two networks of Caffe's model zoo, published with trained weights. Their constant k is 1; the paper's is 2. */
const caffeNorm = { size: 5, alpha: 1e-4, beta: 0.75, k: 1 } as const;
const caffePool = { kernelSize: 3, stride: 2 } as const;

const [caffeConv1, caffeConv2] = [
  [conv2d("conv1", { outChannels: 96, kernelSize: 11, stride: 4 }), relu("relu1")],
  [conv2d("conv2", { outChannels: 256, kernelSize: 5, padding: 2, groups: 2 }), relu("relu2")],
] as const;

/** From the third convolution to the 1000 classes; shared by both. */
const caffeRest: Network["layers"] = [
  conv2d("conv3", { outChannels: 384, kernelSize: 3, padding: 1 }),
  relu("relu3"),
  conv2d("conv4", { outChannels: 384, kernelSize: 3, padding: 1, groups: 2 }),
  relu("relu4"),
  conv2d("conv5", { outChannels: 256, kernelSize: 3, padding: 1, groups: 2 }),
  relu("relu5"),
  maxPool2d("pool5", caffePool),
  flatten("flatten"),
  linear("fc6", { outFeatures: 4096 }),
  relu("relu6"),
  dropout("drop6", { probability: 0.5 }),
  linear("fc7", { outFeatures: 4096 }),
  relu("relu7"),
  dropout("drop7", { probability: 0.5 }),
  linear("fc8", { outFeatures: 1000 }),
];

const bvlcAlexnet: Network = {
  name: "bvlc-alexnet",
  source: "BVLC Caffe, models/bvlc_alexnet, after Krizhevsky, Sutskever, Hinton 2012",
  deviations: ["k = 1 in local response normalisation, where the paper has 2"],
  input: [3, 227, 227],
  layers: [
    ...caffeConv1,
    localResponseNorm("norm1", caffeNorm),
    maxPool2d("pool1", caffePool),
    ...caffeConv2,
    localResponseNorm("norm2", caffeNorm),
    maxPool2d("pool2", caffePool),
    ...caffeRest,
  ],
};

const caffenet: Network = {
  name: "caffenet",
  source: "BVLC Caffe, models/bvlc_reference_caffenet, after Krizhevsky, Sutskever, Hinton 2012",
  deviations: [
    "k = 1 in local response normalisation, where the paper has 2",
    "pooling before local response normalisation, where the paper has it after",
  ],
  input: [3, 227, 227],
  layers: [
    ...caffeConv1,
    maxPool2d("pool1", caffePool),
    localResponseNorm("norm1", caffeNorm),
    ...caffeConv2,
    maxPool2d("pool2", caffePool),
    localResponseNorm("norm2", caffeNorm),
    ...caffeRest,
  ],
};

/** All named networks, for `--network` and `summary`. */
export const networks: readonly Network[] = [
  alexnet,
  alexnetOwt,
  alexnetFashion,
  alexnetRgb,
  alexnetHalf,
  alexnetSmall,
  alexnetSmallBn,
  alexnetFast,
  bvlcAlexnet,
  caffenet,
];

/** Finds a network by name. Throws ConfigError (a UsageError) listing the names if it is unknown. */
export function findNetwork(name: string): Network {
  const found = networks.find((network) => network.name === name);
  if (found) return found;
  const names = networks.map((network) => network.name);
  throw new UsageError(
    `network "${name}": unknown${didYouMean(name, names)}; expected one of ${names.join(", ")}, or a FILE.json`,
  );
}
