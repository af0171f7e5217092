/** Stratified split of a listing, the same on every machine. */
import { ConfigError } from "../../errors.ts";
import { permutation, randomStream } from "../../random.ts";
import { loadDefaults } from "../dataset.ts";
import type { ListedImage } from "./imageListing.ts";

/** Fraction and seed of the images to hold out. */
export interface SplitOptions {
  /** Fraction of each class that is set aside, between 0 and 1. */
  readonly validationShare: number;
  readonly seed: number;
}

/** Default fraction and seed. */
export const defaultSplit: SplitOptions = loadDefaults;

/** With defaults for what is not said. Throws ConfigError with the remedy if the share is not between 0 and 1. */
export function splitOptionsOf(
  given: { readonly [Key in keyof SplitOptions]: SplitOptions[Key] | undefined },
): SplitOptions {
  const { validationShare = defaultSplit.validationShare, seed = defaultSplit.seed } = given;
  if (validationShare > 0 && validationShare < 1) return { validationShare, seed };
  throw new ConfigError(
    `validation share: expected a number between 0 and 1, got ${validationShare}; ` +
      "where folders train and val, or train and test, say what to measure by, nothing is held out, and no share is needed",
  );
}

/** The number of `count` images to hold out: the fraction, rounded; at least 1 of 2 or more; never all. */
export function countHeldOut(count: number, share: number): number {
  return Math.min(Math.max(Math.round(share * count), 1), count - 1);
}

/**
 * Sets aside a part of each class as `test`. Which images these are depends on the seed, the class's name and the order of its images
 * alone. Both lists keep the order.
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
