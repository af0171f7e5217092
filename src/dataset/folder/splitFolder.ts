/** Stratified split of a listing, the same on every machine. */
import { ConfigError } from "../../errors.ts";
import { loadDefaults } from "../dataset.ts";
import { heldInPart, heldOut } from "../holdOut.ts";
import type { LabelSet } from "../labelSets.ts";
import { stratify, stratifyGroups } from "../stratify.ts";
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

/**
 * Holds out a fraction of each class as `test`: by `heldOut`; by `stratify` with label sets; by `stratifyGroups` if images have groups, and none if all
 * are of one group. Both lists keep the order.
 */
export function splitFolder(
  images: readonly ListedImage[],
  classNames: readonly string[],
  { validationShare, seed }: SplitOptions,
  labelSets?: readonly LabelSet[],
): { readonly train: readonly ListedImage[]; readonly test: readonly ListedImage[] } {
  const held = heldImages(images, classNames, { validationShare, seed }, labelSets);
  return {
    train: images.filter((_, i) => !held.has(i)),
    test: images.filter((_, i) => held.has(i)),
  };
}

function heldImages(
  images: readonly ListedImage[],
  classNames: readonly string[],
  { validationShare, seed }: SplitOptions,
  labelSets: readonly LabelSet[] | undefined,
): ReadonlySet<number> {
  const groups = groupsOf(images);
  if (!labelSets && !groups) {
    const labels = images.map(({ label }) => label);
    return heldOut(labels, classNames, validationShare, seed);
  }
  if (groups && new Set(groups).size === 1) return new Set();
  return heldInPart(partsOf(images, labelSets, [validationShare, 1 - validationShare], seed), validationShare);
}

/** Group of each image, an image without one being a group of its own; undefined if no image has a group. */
function groupsOf(images: readonly ListedImage[]): readonly string[] | undefined {
  if (images.every(({ group }) => group === undefined)) return undefined;
  return images.map(({ path, group }) => (group === undefined ? `image ${path}` : `group ${group}`));
}

/** Part of each image, of parts with these fractions. */
export function partsOf(
  images: readonly ListedImage[],
  labelSets: readonly LabelSet[] | undefined,
  fractions: readonly number[],
  seed: number,
): Int32Array {
  const sets = images.map(({ label }) => labelSets?.[label] ?? [label]);
  const groups = groupsOf(images);
  return groups ? stratifyGroups(sets, groups, fractions, seed) : stratify(sets, fractions, seed);
}
