/** TensorFlow's flower photos as a listing, split by class. */
import type { DatasetSource, LoadOptions } from "../dataset.ts";
import { type FolderPurpose, listFolder } from "../folder/imageFolder.ts";
import type { ImageListing } from "../folder/imageListing.ts";
import { loadListing } from "../folder/listedDataset.ts";
import { divisionOf } from "../folder/splitFolder.ts";
import { type FlowersFilesOptions, locateFlowers, obtainFlowers, publishedCounts } from "./flowersFiles.ts";

/** TensorFlow's flower photos. They come in one part: a share of each class is held out. */
export const flowers: DatasetSource = {
  name: "flowers",
  description:
    "3,670 photos of flowers, of many sizes, colour, in 5 classes; a share is kept for the test (TensorFlow; CC BY 2.0)",
  channels: 3,
  load: async (options: LoadOptions) => loadListing(await listFlowers(options), options),
  locate: locateFlowers,
};

/**
 * Lists the photos in `dataDir` if given, else in the user's cache, after a download if need be. In either place: the archive, the folder
 * `flower_photos` from it, or that folder's own folders. An archive is unpacked once, into the cache.
 *
 * Throws DataError with the remedy if they cannot be had, or naming the folder that has no pictures; ConfigError if the
 * share is not between 0 and 1.
 */
export async function listFlowers(options: FlowersFilesOptions & FolderPurpose = {}): Promise<ImageListing> {
  divisionOf({ validationShare: options.validationShare, seed: options.seed }); // Before a download.
  const listing = await listFolder(await obtainFlowers(options), options);
  const counts = new Map<string, number>();
  for (const { label } of [...listing.train, ...listing.test]) {
    const name = listing.classNames[label] as string;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const differing = Object.entries(publishedCounts).filter(([name, count]) => counts.get(name) !== count);
  const notes = differing.map(([name, count]) => `${name}: ${counts.get(name) ?? 0} pictures; published are ${count}`);
  return { ...listing, name: flowers.name, notes: [...notes, ...listing.notes] };
}
