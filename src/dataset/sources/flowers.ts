/** TensorFlow's flower photos as a data set: location, download, and a listing split by class. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { DataError, messageOf } from "../../errors.ts";
import type { DatasetOptions, DatasetSource, LoadOptions } from "../dataset.ts";
import { cacheFolder } from "../download/cacheFolder.ts";
import { type Archive, downloadArchive } from "../download/download.ts";
import { unpackTarGz } from "../download/tar.ts";
import { type FolderPurpose, listFolder } from "../folder/imageFolder.ts";
import type { ImageListing } from "../folder/imageListing.ts";
import { loadListing } from "../folder/listedDataset.ts";
import { splitOptionsOf } from "../folder/splitFolder.ts";

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
 * Throws DataError with the remedy if they cannot be had, or naming the folder that has no images; ConfigError if the
 * share is not between 0 and 1.
 */
export async function listFlowers(options: FlowersFilesOptions & FolderPurpose = {}): Promise<ImageListing> {
  splitOptionsOf({ validationShare: options.validationShare, seed: options.seed }); // Before a download.
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

/**
 * Images of each class, by the folder's name. Source: the archive of `officialArchive`; 3,670 in all, as TensorFlow
 * Datasets' catalogue says (tf_flowers 3.0.1).
 */
const publishedCounts: Readonly<Record<string, number>> = {
  daisy: 633,
  dandelion: 898,
  roses: 641,
  sunflowers: 699,
  tulips: 799,
};

/** By label. */
const flowerClasses: readonly string[] = Object.keys(publishedCounts);

/**
 * Sources: tensorflow/datasets, tf_flowers/checksums.tsv, for the size and a SHA-256 (4c54ace7…95d9c); meta-tensorflow's recipe
 * for Yocto, for that and this MD5 of the same file.
 */
const officialArchive: Archive = {
  url: "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
  md5: "6f87fb78e9cc9ab41eff2015b380011d",
  bytes: 228813984,
};

const archiveName = "flower_photos.tgz";
/** The folder in the archive that contains its files. */
const archiveFolder = "flower_photos";
/** An image of the archive has less than a hundredth of it. */
const maxBytes = 1 << 26;

/** `DatasetOptions`, and where the files come from: other than the default for mirrors and tests. */
interface FlowersFilesOptions extends DatasetOptions {
  readonly archive?: Archive | undefined;
}

/** The parts of the data set found in a folder. */
interface Found {
  /** The folder of the class folders. */
  readonly root?: string;
  /** The archive, if there are no class folders. */
  readonly archivePath?: string;
}

/** The folder on this machine that the images, or else their archive, lie in, or undefined; never downloads. */
export async function locateFlowers(options: FlowersFilesOptions): Promise<string | undefined> {
  const place = searchedFolder(options);
  const { root, archivePath } = await look(place);
  return root ?? (archivePath === undefined ? undefined : place);
}

/**
 * The folder of the class folders: where they are; or else in the user's cache, unpacked from the archive, which is
 * downloaded if need be.
 *
 * Throws DataError, with the remedy, if it cannot be had.
 */
async function obtainFlowers(options: FlowersFilesOptions): Promise<string> {
  const place = searchedFolder(options);
  const { root, archivePath } = await look(place);
  if (root !== undefined) return root;
  const cache = cacheFolder("flowers", options);
  if (options.dataDir === undefined) {
    if (archivePath === undefined) await download(cache, options);
    return unpacked(join(cache, archiveName), resolve(cache, archiveFolder), options);
  }
  if (archivePath !== undefined) {
    // It need not be the published archive: a folder of its own, by its content.
    return unpacked(archivePath, resolve(cache, `${archiveFolder}-${await md5Of(archivePath)}`), options);
  }
  throw new DataError(
    `${place}: expected ${archiveName}, the folder ${archiveFolder} from it, or its folders ${flowerClasses.join(", ")}; ` +
      `found none of them; ${archiveName} comes from ${officialArchive.url}`,
  );
}

function searchedFolder(options: FlowersFilesOptions): string {
  return options.dataDir ?? cacheFolder("flowers", options);
}

async function look(place: string): Promise<Found> {
  const names = (folder: string): Promise<readonly string[]> => readdir(folder).catch(() => []);
  for (const root of [place, join(place, archiveFolder)]) {
    const present = await names(root);
    if (flowerClasses.some((name) => present.includes(name))) return { root: resolve(root) };
  }
  return (await names(place)).includes(archiveName) ? { archivePath: join(place, archiveName) } : {};
}

async function download(cache: string, options: FlowersFilesOptions): Promise<void> {
  const { archive = officialArchive } = options;
  try {
    if (options.download === false) throw new DataError("downloading is switched off");
    await downloadArchive(join(cache, archiveName), archive, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new DataError(
      `flowers: not found in ${cache}, and not downloaded (${messageOf(error)}); put ${archiveName} from ` +
        `${officialArchive.url} there, or give the folder that it lies in with --data-dir`,
      { cause: error },
    );
  }
}

/** `folder`, after the archive has been unpacked there if it is not there yet. */
async function unpacked(archivePath: string, folder: string, { signal }: DatasetOptions): Promise<string> {
  if ((await look(folder)).root === undefined) await unpackTarGz(archivePath, folder, { placeOf, maxBytes, signal });
  return folder;
}

/** Images of the classes, and the licence; without the outer folder. */
function placeOf(name: string): string | undefined {
  const [, place, className] = /^(?:\.\/)?flower_photos\/(LICENSE\.txt|(\w+)\/[\w-][\w.-]*\.jpe?g)$/.exec(name) ?? [];
  return className === undefined || flowerClasses.includes(className) ? place : undefined;
}

async function md5Of(path: string): Promise<string> {
  const hash = createHash("md5");
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    throw new DataError(`${path}: cannot be read (${messageOf(error)})`, { cause: error });
  }
  return hash.digest("hex");
}
