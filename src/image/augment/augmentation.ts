/** Data augmentation as data, apart from the random crop, which is part of the fit. */
import { z } from "zod";

const factor = z.number().min(0).max(1);

/** Schema of an `Augmentation` in a file; absent entries are off. */
export const augmentationSchema = z.strictObject({
  /** Probability of a horizontal flip. Source: Krizhevsky et al. 2012, §4.1: 0.5. */
  flip: factor.optional(),
  /** Maximum random shift as a fraction of height and width; the gap has the mean colour. Source: He et al. 2015, §4.2: 4 pixels of 32. */
  shift: z.number().min(0).max(0.5).optional(),
  /** Standard deviation of the noise along the training set's principal colours. Source: Krizhevsky et al. 2012, §4.1: 0.1. */
  lighting: z.number().positive().optional(),
  /**
   * Brightness, contrast and saturation are multiplied by a factor in 1 ± x; the hue is rotated by up to ± x of the circle; in random
   * order.
   * Source: torchvision, ColorJitter.
   */
  jitter: z
    .strictObject({ brightness: factor, contrast: factor, saturation: factor, hue: z.number().min(0).max(0.5) })
    .optional(),
  /** Probability that a rectangle is filled with the mean colour. Source: Zhong et al. 2017, “Random erasing data augmentation”. */
  erase: factor.optional(),
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
};

/** All names, in display order. */
export const augmentationNames = Object.keys(usualAugmentation) as readonly AugmentationName[];
