/** The first convolution's kernels as pictures. */
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import { loadModel } from "../checkpoint/model.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { ConfigError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import { type Network, type PlacedLayer, place } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { drawPictureRows } from "../report/pictureRows.ts";
import { tile, zoom } from "../report/tiles.ts";
import { sizeOf } from "../shape.ts";
import { imageOfPlanes } from "./inputPicture.ts";

/** What a sheet of filters shows. */
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
  const first = firstParameters(network);
  const kernels = visibleKernels(network);
  if (!kernels) {
    const got = first ? `${first.layer.name} [${first.parameters[0]?.shape.join(", ")}]` : "none that learns";
    throw new ConfigError(
      `${network.name}: expected a first layer with kernels of 1 or 3 channels, which can be seen; got ${got}`,
    );
  }
  const weights = await withReader(file, async (reader) => {
    await reader.verify();
    return reader.read(kernels.tensor);
  });
  const svg = await drawKernels(network, kernels, weights);
  const [count = 0, ...shape] = kernels.shape;
  return { svg, file, layer: kernels.layer, kernels: count, shape };
}

/** Kernels that can be seen: where they are. */
export interface VisibleKernels {
  readonly layer: string;
  /** Their name in a weights file. */
  readonly tensor: string;
  /** [kernels, channels, height, width]. */
  readonly shape: readonly number[];
}

/** The kernels of the first layer that learns; undefined unless they see one or three channels. */
export function visibleKernels(network: Network): VisibleKernels | undefined {
  const first = firstParameters(network);
  const weight = first?.parameters[0];
  if (!first || weight?.shape.length !== 4 || ![1, 3].includes(weight.shape[1] ?? 0)) return undefined;
  const name = `${first.layer.name}.${weight.name}`;
  return { layer: first.layer.name, tensor: tensorNames(network).get(name) ?? name, shape: weight.shape };
}

function firstParameters(network: Network): PlacedLayer | undefined {
  return place(network).find(({ parameters }) => parameters.length > 0);
}

/** What is drawn of kernels, in words. */
export function describeKernels({ layer, shape: [kernels, channels, height, width] }: VisibleKernels): string {
  return `${layer}: ${kernels} kernels of ${height}×${width}×${channels}, each scaled by its largest weight; middle grey is 0`;
}

/** Draws kernels, 16 in a row, as SVG. Shapes: weights [kernels, channels, height, width]. */
export async function drawKernels(network: Network, kernels: VisibleKernels, weights: Float32Array): Promise<string> {
  const [count = 0, ...kernel] = kernels.shape;
  const size = sizeOf(kernel);
  const factor = Math.max(1, Math.ceil(SHOWN_SIDE / (kernel[2] ?? 1)));
  const pictures = Array.from({ length: count }, (_, k) =>
    zoom(kernelPicture(weights.subarray(k * size, (k + 1) * size), kernel), factor),
  );
  const image = tile(pictures, COLUMNS, 6);
  const row = { heading: describeKernels(kernels), pictures: [{ image }] };
  return drawPictureRows({ title: `${network.name}: filters`, rows: [row] });
}

function kernelPicture(weights: Float32Array, [channels, height = 1, width = 1]: readonly number[]): Image {
  const largest = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0) || 1;
  const form = { channels: channels === 3 ? 3 : 1, width, height } as const;
  return imageOfPlanes(weights, form, (weight) => 127.5 * (1 + weight / largest));
}
