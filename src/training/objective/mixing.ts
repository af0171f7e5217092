/** Mixing of the images of a batch, by mixup, CutMix, or either of them for each batch. */
import { fillWords, randomStream } from "../../random.ts";
import type { Recipe } from "../recipe.ts";
import { createRectangles, cutImages, fractionOutside, type ImageShape } from "./cutmix.ts";
import { createBeta, createMixes, createMixScratch, type Mix, mixImages } from "./mixup.ts";

/** Mixes a batch in place. Returns the fraction λ of an image's own label, and the partners; undefined if nothing is mixed. */
export type Mixer = (images: Float32Array, count: number, counter: number) => Mix | undefined;

/**
 * Creates the mixer of a recipe for batches of up to `batchSize` images. With both, each batch uses one of them, with equal probability (Wightman 2019,
 * timm, `switch_prob`). All choices are a function of the seed and the counter.
 */
export function createMixer(
  { mixup, cutmix = 0, seed }: Pick<Recipe, "mixup" | "cutmix" | "seed">,
  batchSize: number,
  shape: ImageShape,
): Mixer {
  const blend = mixup > 0 ? createBlender(seed, mixup, batchSize) : undefined;
  const cut = cutmix > 0 ? createCutter(seed, cutmix, batchSize, shape) : undefined;
  if (!blend || !cut) return blend ?? cut ?? (() => undefined);
  const stream = randomStream(seed, "mix:choice");
  const words = new Uint32Array(1);
  return (images, count, counter) => {
    fillWords(stream, counter, words);
    return ((words[0] as number) & 1) === 0 ? blend(images, count, counter) : cut(images, count, counter);
  };
}

function createBlender(seed: number, alpha: number, batchSize: number): Mixer {
  const draw = createMixes(seed, alpha, batchSize);
  const scratch = createMixScratch(batchSize);
  return (images, count, counter) => {
    const mix = draw(counter, count);
    mixImages(images, count, images.length / batchSize, mix, scratch);
    return mix;
  };
}

function createCutter(seed: number, alpha: number, batchSize: number, shape: ImageShape): Mixer {
  const [, height = 0, width = 0] = shape;
  const size = { width, height };
  const beta = createBeta(seed, "cutmix", alpha);
  // Only the partners are used.
  const draw = createMixes(seed, 1, batchSize);
  const rectangleOf = createRectangles(seed, size);
  const scratch = { first: new Float32Array(width), done: new Uint8Array(batchSize) };
  return (images, count, counter) => {
    const rectangle = rectangleOf(counter, beta(counter));
    const { partners } = draw(counter, count);
    cutImages(images, count, shape, rectangle, partners, scratch);
    return { lambda: fractionOutside(rectangle, size), partners };
  };
}
