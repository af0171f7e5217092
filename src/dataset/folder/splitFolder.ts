/** Stratified split of a listing, the same on every machine. */
import { ConfigError } from "../../errors.ts";
import { loadDefaults } from "../dataset.ts";
import { countHeldOut, heldOut } from "../holdOut.ts";
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
 * Holds out a fraction of each class as `test`: by `heldOut`; by `stratify` with label sets; by `stratifyGroups` if images have groups. Both lists keep
 * the order.
 */
export function splitFolder(
  images: readonly ListedImage[],
  classNames: readonly string[],
  { validationShare, seed }: SplitOptions,
  labelSets?: readonly LabelSet[],
): { readonly train: readonly ListedImage[]; readonly test: readonly ListedImage[] } {
  const fractions = [validationShare, 1 - validationShare];
  const isPlain = !labelSets && images.every(({ group }) => group === undefined);
  const held = isPlain
    ? heldOut(
        Array.from(images, ({ label }) => label),
        classNames,
        validationShare,
        seed,
      )
    : heldByParts(partsOf(images, labelSets, fractions, seed), validationShare);
  return {
    train: images.filter((_, i) => !held.has(i)),
    test: images.filter((_, i) => held.has(i)),
  };
}

/** Part of each image, of parts with these fractions. */
export function partsOf(
  images: readonly ListedImage[],
  labelSets: readonly LabelSet[] | undefined,
  fractions: readonly number[],
  seed: number,
): Int32Array {
  const sets = images.map(({ label }) => labelSets?.[label] ?? [label]);
  if (images.every(({ group }) => group === undefined)) return stratify(sets, fractions, seed);
  // An image without a group is a group of its own.
  const groups = images.map(({ path, group }) => (group === undefined ? `image ${path}` : `group ${group}`));
  return stratifyGroups(sets, groups, fractions, seed);
}

/** Images of part 0; of two or more images, at least one. */
function heldByParts(parts: Int32Array, fraction: number): ReadonlySet<number> {
  const held = new Set([...parts.keys()].filter((i) => parts[i] === 0));
  if (held.size === 0) for (let i = 0; i < countHeldOut(parts.length, fraction); i++) held.add(i);
  return held;
}
