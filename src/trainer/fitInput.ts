/** Adaptation of data set and network to each other, and the scale of pixel values. */
import { encodeBase64 } from "../base64.ts";
import { type Dataset, sampledImages } from "../dataset/dataset.ts";
import { type Eigen, eigenOf } from "../eigen.ts";
import { ConfigError } from "../errors.ts";
import type { PrincipalColours } from "../image/augment/lighting.ts";
import { type Image, lumaWeights, type PixelSize } from "../image/image.ts";
import { createFit, frameSizeOf } from "../image/prepare/fit.ts";
import { createFitter, type Fitting } from "../image/prepare/fitter.ts";
import { covarianceOf } from "../image/prepare/moments.ts";
import { principalPatches } from "../image/prepare/patches.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import { whiteningKernel } from "../network/initialize.ts";
import { classesOf, type Network, withClasses } from "../network/network.ts";
import type { Recipe } from "../training/recipe.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** A network with its training images. */
export interface RunInput {
  readonly network: Network;
  readonly dataset: Dataset;
  readonly preprocessing: Preprocessing;
  /** Principal components for colour noise, if the recipe has it. */
  readonly colours: PrincipalColours | undefined;
  /** Principal components of patches, if the recipe whitens the first layer. */
  readonly patches: Eigen | undefined;
}

/** The channels and size of a network's images. Throws ConfigError for other than 1 or 3 channels. */
export function inputOf({
  name,
  input: [channels, height, width],
}: Network): readonly [channels: 1 | 3, height: number, width: number] {
  if (channels === 1 || channels === 3) return [channels, height, width];
  throw new ConfigError(`${name}: expected an input of 1 or 3 channels, got ${channels}`);
}

/** Fit of a recipe's images to an input. */
export function newFitting(
  { fit, filter, shorterSide }: Pick<Recipe, "fit" | "filter" | "shorterSide">,
  channels: 1 | 3,
  { width, height }: PixelSize,
): Fitting {
  return { size: [height, width], channels, fit: createFit(fit, { width, height }, shorterSide), resize: filter };
}

/**
 * Returns a network with the fitting's input and one output per class, and the preprocessing of its images. `scale` replaces that of the recipe's
 * normalization.
 *
 * Throws ConfigError if the network does not end in one output for each class, or for a mean image if the fit yields several sizes.
 */
export async function fitInput(
  recipe: Recipe,
  network: Network,
  dataset: Dataset,
  fitting: Fitting,
  { scale, observer = {} }: { readonly scale?: Scale | undefined; readonly observer?: TrainObserver } = {},
): Promise<RunInput> {
  const note = channelNote(network, dataset);
  if (note) observer.onMessage?.(note);
  const preprocessing = { ...fitting, ...(scale ?? (await scaleOf(dataset, fitting, recipe))) };
  const kernelSize = whiteningKernel(network, recipe.initializer);
  return {
    network: forClasses(network, dataset.classNames.length),
    dataset,
    preprocessing,
    patches:
      kernelSize === undefined
        ? undefined
        : await principalPatches(sampledImages(dataset.train, PATCH_IMAGES), preprocessing, kernelSize),
    colours: recipe.augmentation.lighting === undefined ? undefined : coloursOf(dataset, fitting.channels),
  };
}

/** Throws ConfigError if the network does not end in one output for each class. */
function forClasses(network: Network, classes: number): Network {
  const fitted = withClasses(network, classes);
  const outputs = classesOf(fitted);
  if (outputs === classes) return fitted;
  throw new ConfigError(
    `${network.name}: expected ${classes} outputs, one for each class, got ${outputs}; let it end in a linear layer`,
  );
}

/** Message about a change of the images' channels; undefined if there is none. */
function channelNote(network: Network, dataset: Dataset): string | undefined {
  const [channels] = network.input;
  if (channels === dataset.channels) return undefined;
  return channels === 3
    ? `${dataset.name} has one channel, ${network.name} expects three: repeating the grey channel`
    : `${dataset.name} is in colour, ${network.name} expects one channel: converting colour to luma`;
}

/** Scale of pixel values after fitting. */
export type Scale = Pick<Preprocessing, "mean" | "deviation" | "meanImage">;

/** Scales to pixel values from 0 to 255, as in the paper. */
const levelScale = 1 / 255;

/**
 * Computes a recipe's normalization from a data set's training images.
 *
 * Throws ConfigError for a mean image if the fit yields several sizes.
 */
async function scaleOf(dataset: Dataset, fitting: Fitting, { normalization }: Recipe): Promise<Scale> {
  const { channels } = fitting;
  const all = (value: number) => Array<number>(channels).fill(value);
  const mean = forChannels(dataset.mean, channels);
  const scales: { readonly [N in Recipe["normalization"]]: () => Scale | Promise<Scale> } = {
    unit: () => ({ mean: all(0), deviation: all(1) }),
    symmetric: () => ({ mean: all(0.5), deviation: all(0.5) }),
    standard: () => ({ mean, deviation: deviationsOf(dataset, channels).map((d) => d || 1) }),
    mean: () => ({ mean, deviation: all(levelScale) }),
    "mean-image": async () => ({
      mean: all(0),
      deviation: all(levelScale),
      meanImage: await meanImage(dataset, fitting),
    }),
  };
  return scales[normalization]();
}

/** One number per channel: the grey value repeated, or the luma of a colour. */
function forChannels(values: readonly number[], channels: number): number[] {
  if (values.length === channels) return [...values];
  const [red = 0, green = red, blue = red] = values;
  const [r, g, b] = lumaWeights;
  return Array<number>(channels).fill(r * red + g * green + b * blue);
}

/** Deviations of the training images' pixels, in the network's channels. That of luma follows from how the colours vary together. */
function deviationsOf(dataset: Dataset, channels: number): readonly number[] {
  return dataset.channels > channels
    ? Array<number>(channels).fill(Math.sqrt(lumaVariance(dataset)))
    : forChannels(dataset.deviation, channels);
}

/** Variance of the training images' luma, or of their grey values. */
function lumaVariance(dataset: Dataset): number {
  const covariance = covarianceOf(dataset.moments());
  const weights = dataset.channels === 1 ? [1] : lumaWeights;
  const entry = (i: number, j: number) => covariance[i * weights.length + j] as number;
  return weights.reduce((sum, a, i) => weights.reduce((s, b, j) => s + a * b * entry(i, j), sum), 0);
}

/** The principal components of the training images' colours, in the network's channels. */
function coloursOf(dataset: Dataset, channels: number): PrincipalColours {
  if (dataset.channels === channels) return eigenOf(covarianceOf(dataset.moments()));
  // Grey has a single component, repeated or not.
  const entry = 1 / Math.sqrt(channels);
  return { eigenvalues: [lumaVariance(dataset) * channels], eigenvectors: [Array<number>(channels).fill(entry)] };
}

/** Maximum number of training images that the principal components of patches are computed from. */
const PATCH_IMAGES = 5000;

/** Maximum number of training images that a mean image is computed from. */
const MEAN_IMAGES = 10_000;

/** Mean of the fitted area over evenly spaced training images, rounded to pixel levels: planes of bytes, base64. */
async function meanImage({ train, name }: Dataset, fitting: Fitting): Promise<string> {
  const [height, width] = fitting.size;
  const frame = frameSizeOf(fitting.fit, { width, height });
  if (!frame) {
    throw new ConfigError(
      `${name}: fit ${fitting.fit.kind}: a mean image needs images of one size; choose --fit crop or resize, or another --normalization`,
    );
  }
  const fit = createFitter(fitting);
  const plane = frame.width * frame.height;
  const sums = new Float64Array(fitting.channels * plane);
  let count = 0;
  for await (const image of sampledImages(train, MEAN_IMAGES)) {
    addPlanes(sums, fit(image), plane);
    count++;
  }
  return encodeBase64(Uint8Array.from(sums, (sum) => Math.round(sum / count)));
}

function addPlanes(sums: Float64Array, { channels, data }: Image, plane: number): void {
  for (let start = 0; start < sums.length; start += plane) {
    let from = (start / plane) % channels;
    for (let i = start; i < start + plane; i++) {
      sums[i] = (sums[i] as number) + (data[from] as number);
      from += channels;
    }
  }
}
