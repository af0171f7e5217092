/** AlexNet as published again in 2014, and a version for small images. */
import {
  adaptiveAveragePool2d,
  batchNorm2d,
  conv2d,
  dropout,
  flatten,
  linear,
  maxPool2d,
  relu,
} from "../layers/kinds.ts";
import type { Network } from "./network.ts";

/** Variations of the layers. */
interface Variation {
  /** Factor of the numbers of channels and hidden units. */
  readonly width?: number;
  /** Dropout before the hidden linear layers. */
  readonly hasDropout?: boolean;
  /** Layers after convolution number i, before its ReLU. */
  readonly afterConvolution?: (i: number) => Network["layers"];
}

/** Layers between the first convolution and the linear layers, shared by the networks. */
function features({ width = 1, afterConvolution: after = () => [] }: Variation = {}): Network["layers"] {
  return [
    ...after(1),
    relu("relu1"),
    maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
    conv2d("conv2", { outChannels: 192 * width, kernelSize: 5, padding: 2 }),
    ...after(2),
    relu("relu2"),
    maxPool2d("pool2", { kernelSize: 3, stride: 2 }),
    conv2d("conv3", { outChannels: 384 * width, kernelSize: 3, padding: 1 }),
    ...after(3),
    relu("relu3"),
    conv2d("conv4", { outChannels: 256 * width, kernelSize: 3, padding: 1 }),
    ...after(4),
    relu("relu4"),
    conv2d("conv5", { outChannels: 256 * width, kernelSize: 3, padding: 1 }),
    ...after(5),
    relu("relu5"),
    maxPool2d("pool5", { kernelSize: 3, stride: 2 }),
  ];
}

/** The three linear layers, shared by the networks. */
function linearLayers(hidden: number, hasDropout: boolean): Network["layers"] {
  const drop = (name: string) => (hasDropout ? [dropout(name, { probability: 0.5 })] : []);
  return [
    flatten("flatten"),
    ...drop("drop6"),
    linear("fc6", { outFeatures: hidden }),
    relu("relu6"),
    ...drop("drop7"),
    linear("fc7", { outFeatures: hidden }),
    relu("relu7"),
    linear("fc8", { outFeatures: 1000 }),
  ];
}

/** Layers of the networks for small images. */
function smallLayers(variation: Variation = {}): Network["layers"] {
  const { width = 1, hasDropout = true } = variation;
  return [
    conv2d("conv1", { outChannels: 64 * width, kernelSize: 5, padding: 2 }),
    ...features(variation),
    ...linearLayers(1024 * width, hasDropout),
  ];
}

/** The network of torchvision. */
export const alexnetOwt: Network = {
  name: "alexnet-owt",
  source:
    "Krizhevsky 2014, “One weird trick for parallelizing convolutional neural networks”, as torchvision.models.alexnet has it",
  deviations: [],
  input: [3, 224, 224],
  layers: [
    conv2d("conv1", { outChannels: 64, kernelSize: 11, stride: 4, padding: 2 }),
    ...features(),
    adaptiveAveragePool2d("avgpool", { outputSize: 6 }),
    ...linearLayers(4096, true),
  ],
};

/**
 * For images of 28 to 64 pixels at their own size. The other networks shrink 224 pixels to 55 or 27 before their second convolution. Here the first
 * has stride 1, so that three pools of 3 with stride 2 reduce 32 pixels to 3×3 (28 to 2×2, 64 to 7×7).
 */
export const alexnetSmall: Network = {
  name: "alexnet-small",
  source:
    "Krizhevsky 2014, “One weird trick for parallelizing convolutional neural networks”, as torchvision.models.alexnet has it",
  deviations: [
    "for small pictures: conv1 is 5×5 with stride 1 and padding 2, where the original has 11×11 with stride 4",
    "1024 units in the hidden linear layers, where the original has 4096; no adaptive pooling before them",
  ],
  input: [3, 32, 32],
  layers: smallLayers(),
};

/** Layers of `alexnet-small-bn`, with a fraction of the channels and hidden units. */
export function smallLayersWithBatchNorm(width = 1, hasDropout = true): Network["layers"] {
  return smallLayers({ width, hasDropout, afterConvolution: (i) => [batchNorm2d(`norm${i}`)] });
}

/** `alexnet-small` with batch normalization between each convolution and its ReLU. */
export const alexnetSmallBn: Network = {
  ...alexnetSmall,
  name: "alexnet-small-bn",
  deviations: [
    "for small images: conv1 is 5×5 with stride 1 and padding 2, where the original has 11×11 with stride 4",
    "1024 units in the hidden linear layers, where the original has 4096; no adaptive pooling before them",
    "batch normalization after each convolution (Ioffe and Szegedy 2015, §3.2), where the original has none",
  ],
  layers: smallLayersWithBatchNorm(),
};

/** Layers of `alexnet-fast`, with a fraction of the channels and hidden units except those of the first convolution. */
export function fastLayers(width = 1, hasDropout = false): Network["layers"] {
  const pool = { kernelSize: 3, stride: 2 };
  const block = (i: number, outChannels: number, isPooled: boolean): Network["layers"] => [
    conv2d(`conv${i}`, { outChannels: outChannels * width, kernelSize: 3, padding: 1 }),
    ...(isPooled ? [maxPool2d(`pool${i}`, pool)] : []),
    batchNorm2d(`norm${i}`),
    relu(`relu${i}`),
  ];
  return [
    conv2d("conv1", { outChannels: 24, kernelSize: 2 }),
    relu("relu1"),
    ...block(2, 64, true),
    ...block(3, 256, true),
    ...block(4, 256, false),
    ...block(5, 256, true),
    ...linearLayers(512 * width, hasDropout),
  ];
}

/**
 * Five convolutions and three linear layers for images of 32×32 pixels and training of an hour. Its second convolution sees 31×31 pixels, where that of
 * `alexnet-small` sees 15×15.
 */
export const alexnetFast: Network = {
  name: "alexnet-fast",
  source:
    "AlexNet's five convolutions and three linear layers, with the widths and the order of layers of Jordan 2024, “94% on CIFAR-10 in 3.29 Seconds on a Single GPU”, §3.1",
  deviations: [
    "five convolutions, without the second ones of Jordan's first and last block; three linear layers, where Jordan has one",
    "overlapping pools and ReLU, where Jordan has pools of 2 and GELU",
  ],
  input: [3, 32, 32],
  layers: fastLayers(),
};
