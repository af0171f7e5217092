/** Listing of image files and labels, before any file is opened. */
import { createHash } from "node:crypto";
import type { LabelSet } from "../labelSets.ts";
import { type ImageLimit, limitedIndices } from "../limit.ts";

/** An image file with its label. */
export interface ListedImage {
  /** Relative to the listing's root, with `/` between folders. */
  readonly path: string;
  /** Index of its class, or with `labelSets` of its set. */
  readonly label: number;
  /** Group, such as a patient, whose images stay together in every split that is made. */
  readonly group?: string;
}

/** Image files of a data set by part and class, before any is opened. */
export interface ImageListing {
  /** Name of the data set, or the folder's absolute path. */
  readonly name: string;
  /** Absolute path of the folder that all paths are relative to. */
  readonly root: string;
  /** In the order of labels; sorted by code point. */
  readonly classNames: readonly string[];
  /** All label sets, if images may have several labels or none. */
  readonly labelSets?: readonly LabelSet[];
  readonly train: readonly ListedImage[];
  /** Validation set; if absent, `test` is used. */
  readonly validation?: readonly ListedImage[];
  /** Test set, for evaluating the trained network; the same as `validation` if the folder has no test part. */
  readonly test: readonly ListedImage[];
  /** Messages about skipped files, one line each. */
  readonly notes: readonly string[];
}

/** Limits the training images, and the test and validation images, of a listing. Throws like `limitedIndices`. */
export function limitListing(
  listing: ImageListing,
  trainLimit: ImageLimit | undefined,
  testLimit: ImageLimit | undefined,
): ImageListing {
  const { train, validation, test, labelSets } = listing;
  const limited = (images: readonly ListedImage[], limit: ImageLimit | undefined, what: string) =>
    limitedImages({ images, labelSets }, limit, what);
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

function limitedImages(
  { images, labelSets }: { readonly images: readonly ListedImage[]; readonly labelSets: ImageListing["labelSets"] },
  limit: ImageLimit | undefined,
  what: string,
): readonly ListedImage[] {
  if (limit === undefined) return images;
  const label = (index: number) => (images[index] as ListedImage).label;
  const labelled = { length: images.length, label, labelSets };
  return Array.from(limitedIndices(labelled, limit, "sorted", what), (index) => images[index] as ListedImage);
}

/** SHA-256 of the label sets, and of the paths and labels of the training and validation images, in order; paths in Unicode's form NFC, since systems differ. */
export function listingDigest({ train, validation, test, labelSets }: ImageListing): string {
  const hash = createHash("sha256");
  if (labelSets) hash.update(`${JSON.stringify(labelSets)}\n`);
  for (const images of [train, validation ?? test]) {
    hash.update(`${images.length}\n`);
    for (const { path, label } of images) hash.update(`${label} ${path.normalize("NFC")}\n`);
  }
  return hash.digest("hex");
}
