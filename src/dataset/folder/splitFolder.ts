/** Stratified split of a listing, the same on every machine. */
import { ConfigError } from "../../errors.ts";
import { permutation, randomStream } from "../../random.ts";
import { loadDefaults } from "../dataset.ts";
import type { ListedImage } from "./imageListing.ts";

/** Fraction and seed of the images to hold out. */
export interface SplitOptions {
  /** Fraction of each class to hold out, between 0 and 1. */
  readonly validationShare: number;
  readonly seed: number;
}

/** Default fraction and seed. */
export const defaultSplit: SplitOptions = loadDefaults;

/** Fills in defaults. Throws ConfigError with the remedy if the fraction is not between 0 and 1. */
export function splitOptionsOf(
  given: { readonly [Key in keyof SplitOptions]: SplitOptions[Key] | undefined },
): SplitOptions {
  const { validationShare = defaultSplit.validationShare, seed = defaultSplit.seed } = given;
  if (validationShare > 0 && validationShare < 1) return { validationShare, seed };
  throw new ConfigError(
    `validationShare: expected a number between 0 and 1, got ${validationShare}; ` +
      "leave it out if the folder has val/ or test/: then nothing is held out",
  );
}

/** Number of `count` images to hold out: the fraction, rounded; at least 1 of 2 or more; never all. */
export function countHeldOut(count: number, fraction: number): number {
  return Math.min(Math.max(Math.round(fraction * count), 1), count - 1);
}

/**
 * Holds out a fraction of each class as `test`. The choice depends only on the seed, the class's name and the order of its images. Both lists
 * keep the order.
 */
export function splitFolder(
  images: readonly ListedImage[],
  classNames: readonly string[],
  { validationShare, seed }: SplitOptions,
): { readonly train: readonly ListedImage[]; readonly test: readonly ListedImage[] } {
  const byClass = classNames.map((): ListedImage[] => []);
  for (const image of images) byClass[image.label]?.push(image);
  const setAside = new Set<ListedImage>();
  for (const [label, members] of byClass.entries()) {
    const order = permutation(randomStream(seed, `split:${classNames[label]}`), 0, members.length);
    for (const i of order.subarray(0, countHeldOut(members.length, validationShare))) {
      setAside.add(members[i] as ListedImage);
    }
  }
  return {
    train: images.filter((image) => !setAside.has(image)),
    test: images.filter((image) => setAside.has(image)),
  };
}
