/** Mean, deviation and covariance of colours. */
import type { Image } from "../image.ts";

/** Means of the colours and their products over a set of images, with equal weight per image; levels on the scale of 0 to 1. */
export interface ColourMoments {
  /** One number per channel. */
  readonly mean: readonly number[];
  /** Mean product of each pair of channels, row by row. */
  readonly products: readonly number[];
}

/** Moments of one image. The sums are exact integers. */
export function momentsOf({ width, height, channels, data }: Image): ColourMoments {
  const pixels = width * height;
  if (channels === 1) {
    let [sum, square] = [0, 0];
    for (let i = 0; i < pixels; i++) {
      const level = data[i] as number;
      sum += level;
      square += level * level;
    }
    return { mean: [sum / pixels / 255], products: [square / pixels / 255 ** 2] };
  }
  let [r, g, b, rr, rg, rb, gg, gb, bb] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < data.length; i += 3) {
    const red = data[i] as number;
    const green = data[i + 1] as number;
    const blue = data[i + 2] as number;
    r += red;
    g += green;
    b += blue;
    rr += red * red;
    rg += red * green;
    rb += red * blue;
    gg += green * green;
    gb += green * blue;
    bb += blue * blue;
  }
  return {
    mean: [r, g, b].map((sum) => sum / pixels / 255),
    products: [rr, rg, rb, rg, gg, gb, rb, gb, bb].map((sum) => sum / pixels / 255 ** 2),
  };
}

/** Moments of several images; with `channels` 3, grey images count as colour. Undefined for no images. */
export function averageMoments(all: Iterable<ColourMoments>, channels: 1 | 3): ColourMoments | undefined {
  const mean = new Float64Array(channels);
  const products = new Float64Array(channels * channels);
  let count = 0;
  for (const moments of all) {
    const isGrey = moments.mean.length === 1;
    for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) + (moments.mean[isGrey ? 0 : i] as number);
    for (let i = 0; i < products.length; i++) {
      products[i] = (products[i] as number) + (moments.products[isGrey ? 0 : i] as number);
    }
    count++;
  }
  if (count === 0) return undefined;
  return { mean: Array.from(mean, (sum) => sum / count), products: Array.from(products, (sum) => sum / count) };
}

/** Covariance matrix of the colours, row by row. */
export function covarianceOf({ mean, products }: ColourMoments): readonly number[] {
  const n = mean.length;
  return products.map((product, i) => product - (mean[Math.floor(i / n)] as number) * (mean[i % n] as number));
}

/** Standard deviation of each channel. */
export function deviationOf(moments: ColourMoments): readonly number[] {
  const covariance = covarianceOf(moments);
  return moments.mean.map((_, c) => Math.sqrt(Math.max(covariance[c * (moments.mean.length + 1)] as number, 0)));
}
