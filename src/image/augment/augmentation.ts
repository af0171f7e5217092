/** Augmentation of training images as data, apart from the random crop that belongs to their fit. */
import * as z from "zod/mini";
import { fraction, positive } from "../../schema.ts";

const factor = fraction;

/** Checks an `Augmentation` read from a file; what is left out is not done. */
export const augmentationSchema = z.strictObject({
  /** Probability of a left-right reflection. Source: Krizhevsky et al. 2012, §4.1: 0.5. */
  flip: z.optional(factor),
  /** Moved by up to so much of its height and width, each way; what comes in is the mean colour. Source: He et al. 2015, §4.2: 4 pixels of 32. */
  shift: z.optional(z.number().check(z.gte(0), z.lte(0.5))),
  /** Deviation of the noise along the principal components of the training set's colours. Source: Krizhevsky et al. 2012, §4.1: 0.1. */
  lighting: z.optional(positive),
  /** Brightness, contrast and saturation times a factor in 1 ± x, hue turned by up to ± x of the circle, in random order. Source: torchvision, ColorJitter. */
  jitter: z.optional(
    z.strictObject({
      brightness: factor,
      contrast: factor,
      saturation: factor,
      hue: z.number().check(z.gte(0), z.lte(0.5)),
    }),
  ),
  /** With this probability a rectangle becomes the mean colour. Source: Zhong et al. 2017, “Random erasing data augmentation”. */
  erase: z.optional(factor),
});

/** The strength of each change. */
export type Augmentation = z.infer<typeof augmentationSchema>;
/** The values of `--augment`. */
export type AugmentationName = keyof Augmentation;

/** The usual strengths, by the names that `--augment` takes. */
export const usualAugmentation: Required<Augmentation> = {
  flip: 0.5,
  shift: 0.125,
  lighting: 0.1,
  jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
  erase: 0.25,
};

/** All of them, in the order in which they are listed. */
export const augmentationNames = Object.keys(usualAugmentation) as readonly AugmentationName[];
