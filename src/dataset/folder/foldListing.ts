/** Folds of a listing for cross-validation. */
import { ConfigError, DataError } from "../../errors.ts";
import type { ImageListing } from "./imageListing.ts";
import { partsOf } from "./splitFolder.ts";

/** Number of folds, and the one to hold out, from 1. */
export interface FoldOptions {
  readonly folds: number;
  readonly fold: number;
}

/** Checks options. Undefined without folds. Throws ConfigError for a fold without folds, or one that does not exist. */
export function foldOptionsOf(folds: number | undefined, fold: number | undefined): FoldOptions | undefined {
  if (folds === undefined && fold === undefined) return undefined;
  if (folds === undefined) throw new ConfigError(`fold: expected the number of folds, got none; add --folds`);
  if (!Number.isInteger(folds) || folds < 2)
    throw new ConfigError(`folds: expected a whole number of 2 or more, got ${folds}`);
  if (fold === undefined || !Number.isInteger(fold) || fold < 1 || fold > folds) {
    throw new ConfigError(
      `fold: expected a whole number from 1 to ${folds}, got ${fold ?? "none"}; choose one with --fold`,
    );
  }
  return { folds, fold };
}

/**
 * Divides the training and validation images into folds, stratified by labels, with the images of a group in one fold. The fold becomes the validation
 * set, the others the training set. A test part stays as it is; without one, the fold is also the test set. The division is a function of the images, the number of folds and
 * the seed.
 *
 * Throws DataError for a fold without images.
 */
export function foldListing(
  { validation, test, ...listing }: Omit<ImageListing, "test"> & Partial<Pick<ImageListing, "test">>,
  { folds, fold }: FoldOptions,
  seed: number,
): ImageListing {
  const all = validation ? [...listing.train, ...validation] : listing.train;
  const parts = partsOf(all, listing.labelSets, new Array<number>(folds).fill(1 / folds), seed);
  const used = new Set(parts).size;
  if (used < folds) {
    const isGrouped = all.some(({ group }) => group !== undefined);
    throw new DataError(
      `${listing.name}: expected at least ${folds} ${isGrouped ? "groups" : "images"}, one for each fold, got ${used}; use fewer folds`,
    );
  }
  const held = all.filter((_, i) => parts[i] === fold - 1);
  return { ...listing, train: all.filter((_, i) => parts[i] !== fold - 1), validation: held, test: test ?? held };
}
