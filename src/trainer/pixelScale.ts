/** What a training set's colours say: mean and deviation to scale pixels by, the mean image, the principal components. */
import type { Dataset } from "../dataset/dataset.ts";
import { eigenOf } from "../eigen.ts";
import { ConfigError } from "../errors.ts";
import type { PrincipalColours } from "../image/augment/lighting.ts";
import { type Image, lumaWeights } from "../image/image.ts";
import { frameSizeOf } from "../image/prepare/fit.ts";
import { createFitter, type Fitting } from "../image/prepare/fitter.ts";
import { covarianceOf } from "../image/prepare/moments.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import type { Recipe } from "../training/recipe.ts";

/** What pixels become once a picture is fitted. */
type Scale = Pick<Preprocessing, "mean" | "deviation" | "meanImage">;

/** Pixels from 0 to 255, where the paper's network has them. */
const levelScale = 1 / 255;

/**
 * The numbers of a recipe's normalization, from a data set's training pictures.
 *
 * Throws ConfigError for a mean image where the fit keeps no one size.
 */
export async function scaleOf(dataset: Dataset, fitting: Fitting, { normalization }: Recipe): Promise<Scale> {
  const { channels } = fitting;
  const all = (value: number) => Array<number>(channels).fill(value);
  const mean = forChannels(dataset.mean, channels);
  const scales: { readonly [N in Recipe["normalization"]]: () => Scale | Promise<Scale> } = {
    unit: () => ({ mean: all(0), deviation: all(1) }),
    symmetric: () => ({ mean: all(0.5), deviation: all(0.5) }),
    standard: () => ({ mean, deviation: forChannels(dataset.deviation, channels).map((d) => d || 1) }),
    mean: () => ({ mean, deviation: all(levelScale) }),
    "mean-image": async () => ({
      ...{ mean: all(0), deviation: all(levelScale) },
      meanImage: await meanImage(dataset, fitting),
    }),
  };
  return scales[normalization]();
}

/** One number a channel: grey's for all, or the luma of a colour's. */
function forChannels(values: readonly number[], channels: number): number[] {
  if (values.length === channels) return [...values];
  const [red = 0, green = red, blue = red] = values;
  const [r, g, b] = lumaWeights;
  return Array<number>(channels).fill(r * red + g * green + b * blue);
}

/** The principal components of the training pictures' colours, as the network's channels see them. */
export function coloursOf(dataset: Dataset, channels: number): PrincipalColours {
  const covariance = covarianceOf(dataset.moments());
  // Luma's variance is that of its weights' combination; grey has one component, whichever way it is repeated.
  if (dataset.channels === channels) return eigenOf(covariance);
  const weights = dataset.channels === 1 ? [1] : lumaWeights;
  const variance = weights.reduce(
    (sum, a, i) => weights.reduce((s, b, j) => s + a * b * (covariance[i * weights.length + j] as number), sum),
    0,
  );
  const entry = 1 / Math.sqrt(channels);
  return { eigenvalues: [variance * channels], eigenvectors: [Array<number>(channels).fill(entry)] };
}

/** More training pictures than these say no more. */
const MEAN_PICTURES = 10_000;

/** The mean of what the fit keeps of the training pictures, evenly chosen, rounded to levels: planes of bytes, base64. */
async function meanImage({ train, name }: Dataset, fitting: Fitting): Promise<string> {
  const [height, width] = fitting.size;
  const frame = frameSizeOf(fitting.fit, { width, height });
  if (!frame) {
    throw new ConfigError(
      `${name}: fit ${fitting.fit.kind}: a mean image needs pictures of one size; choose --fit crop or resize, or another --normalization`,
    );
  }
  const fit = createFitter(fitting);
  const plane = frame.width * frame.height;
  const sums = new Float64Array(fitting.channels * plane);
  const count = Math.min(train.length, MEAN_PICTURES);
  for (let i = 0; i < count; i++) {
    const index = Math.floor((i * train.length) / count);
    await train.prefetch?.(Uint32Array.of(index));
    addPlanes(sums, fit(train.image(index)), plane);
  }
  return Buffer.from(Uint8Array.from(sums, (sum) => Math.round(sum / count))).toString("base64");
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
