import { ConfigError } from "../errors.ts";
import { permutation, randomStream } from "../random.ts";
import { byCodePoint } from "./folderContent.ts";
import type { ListedImage } from "./imageListing.ts";

/** How much is kept from training, and which choice of it. */
export interface SplitOptions {
  /** Of each class, between 0 and 1. */
  readonly validationShare: number;
  readonly seed: number;
}

/**
 * Sets pictures of each class apart: of n, validationShare · n, rounded, but at least one of two or more, and never all.
 * The choice is a function of the seed, the class's name and the paths. Both parts are sorted by label, then by path.
 *
 * Throws ConfigError if the share is not between 0 and 1.
 */
export function stratifiedSplit(
  images: readonly ListedImage[],
  classNames: readonly string[],
  { validationShare, seed }: SplitOptions,
): { readonly train: readonly ListedImage[]; readonly validation: readonly ListedImage[] } {
  if (!(validationShare > 0 && validationShare < 1)) {
    throw new ConfigError(`validation share: expected more than 0 and less than 1, got ${validationShare}`);
  }
  const train: ListedImage[] = [];
  const validation: ListedImage[] = [];
  for (const [label, className] of classNames.entries()) {
    const members = images
      .filter((image) => image.label === label)
      .sort(({ path: a }, { path: b }) => byCodePoint(a, b));
    const n = members.length;
    const count = Math.min(Math.max(Math.round(validationShare * n), 1), n - 1);
    const order = permutation(randomStream(seed, `split:${className}`), 0, n);
    const chosen = new Set(order.subarray(0, Math.max(count, 0)));
    for (const [i, image] of members.entries()) (chosen.has(i) ? validation : train).push(image);
  }
  return { train, validation };
}
