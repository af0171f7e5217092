/** Data augmentation as data, apart from the random crop, which is part of the fit. */
import * as z from "zod/mini";
import { fraction, positive } from "../../schema.ts";

const factor = fraction;
const angle = z.number().check(z.gte(0), z.lte(180));

/** Schema of an `Augmentation` in a file; absent entries are off. */
export const augmentationSchema = z.strictObject({
  /** Probability of a horizontal flip. Source: Krizhevsky et al. 2012, §4.1: 0.5. */
  flip: z.optional(factor),
  /** Maximum random shift as a fraction of height and width; the gap has the mean colour. Source: He et al. 2015, §4.2: 4 pixels of 32. */
  shift: z.optional(z.number().check(z.gte(0), z.lte(0.5))),
  /** Standard deviation of the noise along the training set's principal colours. Source: Krizhevsky et al. 2012, §4.1: 0.1. */
  lighting: z.optional(positive),
  /**
   * Brightness, contrast and saturation are multiplied by a factor in 1 ± x; the hue is rotated by up to ± x of the circle; in random
   * order.
   * Source: torchvision, ColorJitter.
   */
  jitter: z.optional(
    z.strictObject({
      brightness: factor,
      contrast: factor,
      saturation: factor,
      hue: z.number().check(z.gte(0), z.lte(0.5)),
    }),
  ),
  /** Probability that a rectangle is filled with the mean colour. Source: Zhong et al. 2017, “Random erasing data augmentation”. */
  erase: z.optional(factor),
  /** Probability of a vertical flip, for images without an upper side. Source: torchvision, RandomVerticalFlip. */
  verticalFlip: z.optional(factor),
  /** Maximum angle of a rotation in either direction, in degrees; the corners have the mean colour. Source: torchvision, RandomRotation. */
  rotate: z.optional(angle),
  /**
   * Maximum shift as a fraction of height and width, scale in 1 ± x, and shear in degrees, about the centre; gaps have the mean colour.
   * Source: torchvision, RandomAffine.
   */
  affine: z.optional(
    z.strictObject({
      translate: factor,
      scale: z.number().check(z.gte(0), z.lt(1)),
      shear: z.number().check(z.gte(0), z.lt(90)),
    }),
  ),
  /**
   * Random crop after padding by reflection, as a fraction of height and width; the edge itself is not repeated.
   * Source: torchvision, RandomCrop with padding_mode "reflect"; distances as in He et al. 2015, §4.2: 4 pixels of 32.
   */
  reflectCrop: z.optional(z.number().check(z.gte(0), z.lte(0.5))),
});

/** Strength of each augmentation. */
export type Augmentation = z.infer<typeof augmentationSchema>;
/** Values of `--augment`. */
export type AugmentationName = keyof Augmentation;

/** Default strengths by the names of `--augment`. */
export const usualAugmentation: Required<Augmentation> = {
  flip: 0.5,
  shift: 0.125,
  lighting: 0.1,
  jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
  erase: 0.25,
  verticalFlip: 0.5,
  rotate: 15,
  affine: { translate: 0.1, scale: 0.1, shear: 10 },
  reflectCrop: 0.125,
};

/** All names, in display order. */
export const augmentationNames = Object.keys(usualAugmentation) as readonly AugmentationName[];
