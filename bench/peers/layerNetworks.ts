/** Networks that only comparisons use: of one large layer, which measure an engine's arithmetic alone, and a tiny one. */
import { conv2d, dropout, flatten, linear, maxPool2d, relu } from "../../src/layers/kinds.ts";
import { findNetwork } from "../../src/network/alexnet.ts";
import type { Network } from "../../src/network/network.ts";

const unpublished = (name: string, input: Network["input"], layers: Network["layers"]): Network => ({
  name,
  source: "",
  deviations: [],
  input,
  layers,
});

/** A matrix product, and conv2 of AlexNet without groups. Every output is a class, so that training needs no other layer. */
const layerNetworks: readonly Network[] = [
  unpublished("gemm", [2048, 1, 1], [flatten("flatten"), linear("fc", { outFeatures: 2048 })]),
  unpublished(
    "conv2",
    [96, 27, 27],
    [conv2d("conv2", { outChannels: 256, kernelSize: 5, padding: 2 }), flatten("flatten")],
  ),
];

/** True for a network of one layer. Its training includes the gradient of the input. */
export function isLayerNetwork({ name }: Network): boolean {
  return layerNetworks.some((network) => network.name === name);
}

/** The kinds of layers of `alexnet-small`, for software adapters. */
export const tinyNetwork: Network = unpublished(
  "tiny",
  [3, 9, 9],
  [
    conv2d("conv1", { outChannels: 8, kernelSize: 3, padding: 1 }),
    relu("relu1"),
    maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
    conv2d("conv2", { outChannels: 4, kernelSize: 3, padding: 1 }),
    relu("relu2"),
    flatten("flatten"),
    dropout("drop3", { probability: 0.5 }),
    linear("fc3", { outFeatures: 16 }),
    relu("relu3"),
    linear("fc4", { outFeatures: 10 }),
  ],
);

/** A network of one layer, the tiny one, or one of the AlexNet family. Throws ConfigError for an unknown name. */
export function findWorkload(name: string): Network {
  return [...layerNetworks, tinyNetwork].find((network) => network.name === name) ?? findNetwork(name);
}
