/** Stratified split of a listing, the same on every machine. */
import { ConfigError } from "../../errors.ts";
import { loadDefaults } from "../dataset.ts";
import { heldOut } from "../holdOut.ts";
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

/** Holds out a fraction of each class as `test`, by `heldOut`. Both lists keep the order. */
export function splitFolder(
  images: readonly ListedImage[],
  classNames: readonly string[],
  { validationShare, seed }: SplitOptions,
): { readonly train: readonly ListedImage[]; readonly test: readonly ListedImage[] } {
  const labels = images.map(({ label }) => label);
  const held = heldOut(labels, classNames, validationShare, seed);
  return {
    train: images.filter((_, i) => !held.has(i)),
    test: images.filter((_, i) => held.has(i)),
  };
}
