/** Listing of image files and labels, before any file is opened. */
import { createHash } from "node:crypto";

/** An image file with its class. */
export interface ListedImage {
  /** Relative to the listing's root, with `/` between folders. */
  readonly path: string;
  readonly label: number;
}

/** A data set of image files before any of them is opened: what there is, in which class and part. */
export interface ImageListing {
  /** Name of the data set: its own name, or the folder's absolute path. */
  readonly name: string;
  /** Absolute path of the folder that all paths are relative to. */
  readonly root: string;
  /** By label; sorted by code point. */
  readonly classNames: readonly string[];
  readonly train: readonly ListedImage[];
  /** The validation set, if there is one; else `test` is used. */
  readonly validation?: readonly ListedImage[];
  /** The test set, on which the finished network is measured; where a folder has no such part, it is `validation`. */
  readonly test: readonly ListedImage[];
  /** Notes for people about skipped files: one line each. */
  readonly notes: readonly string[];
}

/** A listing with at most so many training and other images, evenly taken, so that each class keeps its share. */
export function limitListing(
  listing: ImageListing,
  trainLimit: number | undefined,
  testLimit: number | undefined,
): ImageListing {
  const { train, validation, test } = listing;
  const fewerTest = evenly(test, testLimit);
  return {
    ...listing,
    train: evenly(train, trainLimit),
    ...(validation ? { validation: validation === test ? fewerTest : evenly(validation, testLimit) } : {}),
    test: fewerTest,
  };
}

/** SHA-256 of the paths and labels of what is trained on and watched by, in their order; paths in Unicode's form NFC, as systems differ. */
export function listingDigest({ train, validation, test }: ImageListing): string {
  const hash = createHash("sha256");
  for (const images of [train, validation ?? test]) {
    hash.update(`${images.length}\n`);
    for (const { path, label } of images) hash.update(`${label} ${path.normalize("NFC")}\n`);
  }
  return hash.digest("hex");
}

function evenly(images: readonly ListedImage[], limit: number | undefined): readonly ListedImage[] {
  if (limit === undefined || limit >= images.length) return images;
  return Array.from({ length: limit }, (_, i) => images[Math.floor((i * images.length) / limit)] as ListedImage);
}
