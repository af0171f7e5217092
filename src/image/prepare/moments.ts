/** Mean, deviation and covariance of colours. */
import type { Image } from "../image.ts";

/** Means of a set of images' colours and of their products, each image counting alike; levels on the scale of 0 to 1. */
export interface ColourMoments {
  /** One a channel. */
  readonly mean: readonly number[];
  /** Means of the product of each two channels, rows after each other. */
  readonly products: readonly number[];
}

/** Moments of one image. The sums are exact whole numbers. */
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

/** Moments of several images, grey ones counting as colour if `channels` is 3. Undefined if there are none. */
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

/** Covariance of the colours, rows after each other. */
export function covarianceOf({ mean, products }: ColourMoments): readonly number[] {
  const n = mean.length;
  return products.map((product, i) => product - (mean[Math.floor(i / n)] as number) * (mean[i % n] as number));
}

/** Standard deviation of each channel. */
export function deviationOf(moments: ColourMoments): readonly number[] {
  const covariance = covarianceOf(moments);
  return moments.mean.map((_, c) => Math.sqrt(Math.max(covariance[c * (moments.mean.length + 1)] as number, 0)));
}
