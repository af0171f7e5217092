/** Networks of one large layer, which measure an engine's arithmetic alone. */
import { conv2d, flatten, linear } from "../../src/layers/kinds.ts";
import { findNetwork } from "../../src/network/alexnet.ts";
import type { Network } from "../../src/network/network.ts";

const single = (name: string, input: Network["input"], layers: Network["layers"]): Network => ({
  name,
  source: "",
  deviations: [],
  input,
  layers,
});

/** A matrix product, and conv2 of AlexNet without groups. Every output is a class, so that training needs no other layer. */
const layerNetworks: readonly Network[] = [
  single("gemm", [2048, 1, 1], [flatten("flatten"), linear("fc", { outFeatures: 2048 })]),
  single("conv2", [96, 27, 27], [conv2d("conv2", { outChannels: 256, kernelSize: 5, padding: 2 }), flatten("flatten")]),
];

/** True for a network of one layer. Its training includes the gradient of the input. */
export function isLayerNetwork({ name }: Network): boolean {
  return layerNetworks.some((network) => network.name === name);
}

/** A network of one layer, or of the AlexNet family. Throws ConfigError for an unknown name. */
export function findWorkload(name: string): Network {
  return layerNetworks.find((network) => network.name === name) ?? findNetwork(name);
}
