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

/** Layers between the first convolution and the linear layers, shared by the two networks. */
const features: Network["layers"] = [
  relu("relu1"),
  maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
  conv2d("conv2", { outChannels: 192, kernelSize: 5, padding: 2 }),
  relu("relu2"),
  maxPool2d("pool2", { kernelSize: 3, stride: 2 }),
  conv2d("conv3", { outChannels: 384, kernelSize: 3, padding: 1 }),
  relu("relu3"),
  conv2d("conv4", { outChannels: 256, kernelSize: 3, padding: 1 }),
  relu("relu4"),
  conv2d("conv5", { outChannels: 256, kernelSize: 3, padding: 1 }),
  relu("relu5"),
  maxPool2d("pool5", { kernelSize: 3, stride: 2 }),
];

/** The network of torchvision. */
export const alexnetOwt: Network = {
  name: "alexnet-owt",
  source:
    "Krizhevsky 2014, “One weird trick for parallelizing convolutional neural networks”, as torchvision.models.alexnet has it",
  deviations: [],
  input: [3, 224, 224],
  layers: [
    conv2d("conv1", { outChannels: 64, kernelSize: 11, stride: 4, padding: 2 }),
    ...features,
    adaptiveAveragePool2d("avgpool", { outputSize: 6 }),
    flatten("flatten"),
    dropout("drop6", { probability: 0.5 }),
    linear("fc6", { outFeatures: 4096 }),
    relu("relu6"),
    dropout("drop7", { probability: 0.5 }),
    linear("fc7", { outFeatures: 4096 }),
    relu("relu7"),
    linear("fc8", { outFeatures: 1000 }),
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
  layers: [
    conv2d("conv1", { outChannels: 64, kernelSize: 5, padding: 2 }),
    ...features,
    flatten("flatten"),
    dropout("drop6", { probability: 0.5 }),
    linear("fc6", { outFeatures: 1024 }),
    relu("relu6"),
    dropout("drop7", { probability: 0.5 }),
    linear("fc7", { outFeatures: 1024 }),
    relu("relu7"),
    linear("fc8", { outFeatures: 1000 }),
  ],
};

/** Inserts batch normalization after every convolution. */
function withBatchNorm(layers: Network["layers"]): Network["layers"] {
  return layers.flatMap((layer): Network["layers"] =>
    layer.kind === "conv2d" ? [layer, batchNorm2d(layer.name.replace("conv", "norm"))] : [layer],
  );
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
  layers: withBatchNorm(alexnetSmall.layers),
};
