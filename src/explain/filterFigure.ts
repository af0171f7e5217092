/** Kernels of the first convolution as an image. */
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import { loadModel } from "../checkpoint/model.ts";
import { type SafetensorsReader, withReader } from "../checkpoint/safetensorsReader.ts";
import { finiteSource } from "../checkpoint/tensorStore.ts";
import { ConfigError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import { hasWeights } from "../learned.ts";
import { type Network, place } from "../network/network.ts";
import { drawImageRows } from "../report/figures/imageRows.ts";
import { tile, zoom } from "../report/figures/tiles.ts";
import { sizeOf } from "../shape.ts";
import { describeKernels, type FirstKernels, findFirstKernels, kernelImages } from "./firstKernels.ts";

/** Figure of the first layer's filters. */
export interface FilterSheet {
  readonly svg: string;
  readonly file: string;
  readonly layer: string;
  readonly kernels: number;
  /** [channels, height, width] of each kernel. */
  readonly shape: readonly number[];
}

/** Number of columns, from the paper's figure 3: 6 rows of 16. */
const COLUMNS = 16;
/** Minimum size of a drawn kernel, in pixels. */
const SHOWN_SIDE = 64;

/**
 * Draws the first layer's kernels of a run's best weights, in the order of its outputs: in colour for three input channels, grey for one.
 * Each kernel is scaled by its own largest weight, and middle grey is 0. Needs no engine.
 *
 * Throws CheckpointError if there are no weights, and ConfigError if the first layer does not have kernels of one or three channels.
 * Source: Krizhevsky et al. 2012, figure 3.
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
  const first = place(network).find(hasWeights);
  const got = first ? `${first.layer.name} [${first.parameters[0]?.shape.join(", ")}]` : "none with weights";
  throw new ConfigError(`${network.name}: expected a first layer with kernels of 1 or 3 channels, got ${got}`);
}

/** Draws kernels as SVG, 16 per row. */
export async function drawKernels(network: Network, first: FirstKernels, kernels: readonly Image[]): Promise<string> {
  const [, , , width] = first.shape;
  const factor = Math.max(1, Math.ceil(SHOWN_SIDE / width));
  const image = tile(
    kernels.map((kernel) => zoom(kernel, factor)),
    COLUMNS,
    6,
  );
  const row = { heading: describeKernels(first), images: [{ image }] };
  return drawImageRows({ title: `${network.name}: filters`, rows: [row] });
}

/** Reads only the kernels, as images. Throws CheckpointError if the tensor is missing or has a non-finite weight. */
export async function readKernels(reader: SafetensorsReader, first: FirstKernels): Promise<Image[]> {
  const source = finiteSource(reader.path, { tensors: [], read: (name, into) => reader.read(name, into) });
  return kernelImages(first, await source.read(first.tensor, new Float32Array(sizeOf(first.shape))));
}
