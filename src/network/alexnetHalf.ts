/** One tower of the paper's network. */
import { conv2d, dropout, flatten, linear, maxPool2d, relu } from "../layers/kinds.ts";
import type { Network } from "./network.ts";

/** One tower of the paper's network. */
export const alexnetHalf: Network = {
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
