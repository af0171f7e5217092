/** Kernels of the first layer of a network, found and turned into images. */
import type { Image } from "../image/image.ts";
import { hasWeights } from "../learned.ts";
import { type Network, place } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { sizeOf } from "../shape.ts";
import { imageOfPlanes } from "./inputImage.ts";

/** Location of the first layer's kernels in a weights file. */
export interface FirstKernels {
  readonly layer: string;
  /** Name of the tensor in a weights file. */
  readonly tensor: string;
  /** Name of the parameter in the network. */
  readonly parameter: string;
  /** [outChannels, channels, height, width]. */
  readonly shape: readonly [number, 1 | 3, number, number];
}

/** Finds the first layer with weights; undefined unless it has kernels of one or three channels. */
export function findFirstKernels(network: Network): FirstKernels | undefined {
  const first = place(network).find(hasWeights);
  const weight = first?.parameters[0];
  const [count, channels, height, width] = weight?.shape ?? [];
  if (!first || !weight || !count || !height || !width || (channels !== 1 && channels !== 3)) return undefined;
  const name = `${first.layer.name}.${weight.name}`;
  return {
    layer: first.layer.name,
    tensor: tensorNames(network).get(name) ?? name,
    parameter: name,
    shape: [count, channels, height, width],
  };
}

/** Caption of the kernels. */
export function describeKernels({ layer, shape: [count, channels, height, width] }: FirstKernels): string {
  return `${layer}: ${count} kernels of ${height}×${width}×${channels}, each scaled by its largest weight; middle grey is 0`;
}

/** Kernels as images: one pixel per weight, scaled by each kernel's largest weight; middle grey is 0. */
export function kernelImages({ shape }: FirstKernels, weights: Float32Array): Image[] {
  const [count, channels, height, width] = shape;
  const size = sizeOf([channels, height, width]);
  return Array.from({ length: count }, (_, k) => {
    const own = weights.subarray(k * size, (k + 1) * size);
    const largest = own.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0) || 1;
    return imageOfPlanes(own, { channels, width, height }, (weight) => 127.5 * (1 + weight / largest));
  });
}
