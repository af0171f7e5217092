/** The first convolution's kernels as an image. */
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import { loadModel } from "../checkpoint/model.ts";
import { type SafetensorsReader, withReader } from "../checkpoint/safetensorsReader.ts";
import { finiteSource } from "../checkpoint/tensorStore.ts";
import { ConfigError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import { type Network, place } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { drawImageRows } from "../report/figures/imageRows.ts";
import { tile, zoom } from "../report/figures/tiles.ts";
import { sizeOf } from "../shape.ts";
import { imageOfPlanes } from "./inputImage.ts";

/** A figure of the first layer's filters. */
export interface FilterSheet {
  readonly svg: string;
  readonly file: string;
  readonly layer: string;
  readonly kernels: number;
  /** [channels, height, width] of each. */
  readonly shape: readonly number[];
}

/** The paper's figure 3: 6 rows of 16. */
const COLUMNS = 16;
/** Pixels that a kernel takes at least. */
const SHOWN_SIDE = 64;

/**
 * Draws the kernels of the first layer of a run's best weights, in the order of its outputs: in colour if it sees three channels, grey if one. Each is
 * scaled by its own largest weight; middle grey is 0. No engine is needed.
 *
 * Throws CheckpointError if there are no weights, ConfigError if the network does not begin with kernels that see one or three channels. Source:
 * Krizhevsky et al. 2012, figure 3.
 */
export async function drawFilters(path: string): Promise<FilterSheet> {
  const file = await resolveModelFile(path);
  const { network } = await loadModel(file);
  const first = findFirstKernels(network) ?? refuse(network);
  const kernels = await withReader(file, async (reader) => {
    await reader.verify();
    return readKernels(reader, first);
  });
  const { layer, shape } = first;
  const [count, channels, height, width] = shape;
  const svg = await drawKernels(network, first, kernels);
  return { svg, file, layer, kernels: count, shape: [channels, height, width] };
}

function refuse(network: Network): never {
  const first = place(network).find(({ parameters }) => parameters.length > 0);
  const got = first ? `${first.layer.name} [${first.parameters[0]?.shape.join(", ")}]` : "none that learns";
  throw new ConfigError(
    `${network.name}: expected a first layer with kernels of 1 or 3 channels, which can be seen; got ${got}`,
  );
}

/** What is drawn of kernels, in words. */
export function describeKernels({ layer, shape: [count, channels, height, width] }: FirstKernels): string {
  return `${layer}: ${count} kernels of ${height}×${width}×${channels}, each scaled by its largest weight; middle grey is 0`;
}

/** Draws kernels, 16 in a row, as SVG. */
export async function drawKernels(network: Network, first: FirstKernels, kernels: readonly Image[]): Promise<string> {
  const [, , , width] = first.shape;
  const factor = Math.max(1, Math.ceil(SHOWN_SIDE / width));
  const image = tile(
    kernels.map((kernel) => zoom(kernel, factor)),
    COLUMNS,
    6,
  );
  const row = { heading: describeKernels(first), pictures: [{ image }] };
  return drawImageRows({ title: `${network.name}: filters`, rows: [row] });
}

/** Where the kernels of a network's first layer are. */
interface FirstKernels {
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

/** Reads kernels, and nothing else, as images. Throws CheckpointError if there are none of this name, or a weight is not finite. */
export async function readKernels(reader: SafetensorsReader, first: FirstKernels): Promise<Image[]> {
  const source = finiteSource(reader.path, { tensors: [], read: (name, into) => reader.read(name, into) });
  return kernelImages(first, await source.read(first.tensor, new Float32Array(sizeOf(first.shape))));
}

/** Kernels as images: a pixel for each weight, in its own contrast; middle grey is 0. */
export function kernelImages({ shape }: FirstKernels, weights: Float32Array): Image[] {
  const [count, channels, height, width] = shape;
  const size = sizeOf([channels, height, width]);
  return Array.from({ length: count }, (_, k) => {
    const own = weights.subarray(k * size, (k + 1) * size);
    const largest = own.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0) || 1;
    return imageOfPlanes(own, { channels, width, height }, (weight) => 127.5 * (1 + weight / largest));
  });
}
