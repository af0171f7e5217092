/** Listing of image files and labels, before any file is opened. */
import { createHash } from "node:crypto";
import { type ImageLimit, limitedIndices } from "../limit.ts";

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

/** A listing within limits of its training images and of its test and validation images. Throws as `limitedIndices`. */
export function limitListing(
  listing: ImageListing,
  trainLimit: ImageLimit | undefined,
  testLimit: ImageLimit | undefined,
): ImageListing {
  const { train, validation, test } = listing;
  const fewerTest = limited(test, testLimit, "test");
  return {
    ...listing,
    train: limited(train, trainLimit, "training"),
    ...(validation
      ? { validation: validation === test ? fewerTest : limited(validation, testLimit, "validation") }
      : {}),
    test: fewerTest,
  };
}

function limited(images: readonly ListedImage[], limit: ImageLimit | undefined, what: string): readonly ListedImage[] {
  if (limit === undefined) return images;
  const labelled = { length: images.length, label: (index: number) => (images[index] as ListedImage).label };
  return Array.from(limitedIndices(labelled, limit, "sorted", what), (index) => images[index] as ListedImage);
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
