/** The kernels of a network's first layer as pictures: for `filters`, and for the page of a run that goes on. */
import type { SafetensorsReader } from "../checkpoint/safetensorsReader.ts";
import type { Image } from "../image/image.ts";
import { type Network, place } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { sizeOf } from "../shape.ts";
import { imageOfPlanes } from "./inputImage.ts";

/** Where the kernels of a network's first layer are. */
export interface FirstKernels {
  readonly layer: string;
  /** The name of the weights in a file. */
  readonly tensor: string;
  /** [outChannels, channels, height, width]. */
  readonly shape: readonly [number, 1 | 3, number, number];
}

/** The first layer that learns, if it has kernels that can be seen: of one or three channels. */
export function findFirstKernels(network: Network): FirstKernels | undefined {
  const first = place(network).find(({ parameters }) => parameters.length > 0);
  const weight = first?.parameters[0];
  const [count, channels, height, width] = weight?.shape ?? [];
  if (!first || !weight || !count || !height || !width || (channels !== 1 && channels !== 3)) return undefined;
  const name = `${first.layer.name}.${weight.name}`;
  return {
    layer: first.layer.name,
    tensor: tensorNames(network).get(name) ?? name,
    shape: [count, channels, height, width],
  };
}

/** Reads kernels, and nothing else, as pictures. Throws CheckpointError if there are none of this name. */
export async function readKernels(reader: SafetensorsReader, first: FirstKernels): Promise<Image[]> {
  return kernelPictures(first, await reader.read(first.tensor));
}

/** Kernels as pictures: a pixel for each weight, in its own contrast; middle grey is 0. */
export function kernelPictures({ shape }: FirstKernels, weights: Float32Array): Image[] {
  const [count, channels, height, width] = shape;
  const size = sizeOf([channels, height, width]);
  return Array.from({ length: count }, (_, k) => {
    const own = weights.subarray(k * size, (k + 1) * size);
    const largest = own.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0) || 1;
    return imageOfPlanes(own, { channels, width, height }, (weight) => 127.5 * (1 + weight / largest));
  });
}
