import { join } from "node:path";
import { DataError } from "../errors.ts";
import { type FlowersFilesOptions, flowerClasses, obtainFlowers, publishedCounts } from "./flowersFiles.ts";
import { folderContent } from "./folderContent.ts";
import type { ImageListing } from "./imageListing.ts";
import { type SplitOptions, stratifiedSplit } from "./stratifiedSplit.ts";

export const flowersName = "flowers";
export const flowersDescription =
  "3,670 photos of flowers, of many sizes, colour, in 5 classes; a share is kept for the test (TensorFlow; CC BY 2.0)";

/** Where to look for the photos, and how they are split. Default: a share of 0.2, seed 0. */
export type FlowersOptions = FlowersFilesOptions & {
  readonly [Key in keyof SplitOptions]?: SplitOptions[Key] | undefined;
};

/**
 * Lists TensorFlow's flower photos from `dataDir` if given, else from the user's cache, after a download if need be. In
 * either place: the archive, the folder `flower_photos` from it, or that folder's own folders. An archive is unpacked once,
 * into the cache.
 *
 * They come in one part: of each class, a share is set apart, for validation and for the test alike.
 *
 * Throws DataError with the remedy if they cannot be had, or naming the folder that has no pictures; ConfigError if the
 * share is not between 0 and 1.
 */
export async function listFlowers(options: FlowersOptions = {}): Promise<ImageListing> {
  const { validationShare = 0.2, seed = 0 } = options;
  const root = await obtainFlowers(options);
  const contents = await Promise.all(flowerClasses.map((name) => folderContent(join(root, name))));
  const notes = contents.flatMap(({ pictures, others }, label) => {
    const name = flowerClasses[label] as string;
    const published = publishedCounts[name] as number;
    if (pictures.length === 0) throw new DataError(`${join(root, name)}: expected JPEG files, found none`);
    return [
      ...(pictures.length === published ? [] : [`${name}: ${pictures.length} pictures; published are ${published}`]),
      ...(others === 0 ? [] : [`${name}: files passed over that are not named .jpg or .jpeg: ${others}`]),
    ];
  });
  const images = contents.flatMap(({ pictures }, label) =>
    pictures.map((picture) => ({ path: `${flowerClasses[label]}/${picture}`, label })),
  );
  const { train, validation } = stratifiedSplit(images, flowerClasses, { validationShare, seed });
  return { name: flowersName, root, classNames: flowerClasses, train, validation, test: validation, notes };
}
