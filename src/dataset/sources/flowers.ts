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
import { unpackTarGz } from "../download/unpack.ts";
import { type FolderPurpose, listFolder } from "../folder/imageFolder.ts";
import type { ImageListing } from "../folder/imageListing.ts";
import { loadListing } from "../folder/listedDataset.ts";
import { splitOptionsOf } from "../folder/splitFolder.ts";

/** TensorFlow's flower photos. The data set has a single part: a fraction of each class is held out. */
export const flowers: DatasetSource = {
  name: "flowers",
  description:
    "3,670 photos of flowers, of many sizes, colour, in 5 classes; a fraction of each is held out for testing (TensorFlow; CC BY 2.0)",
  channels: 3,
  load: async (options: LoadOptions) => loadListing(await listFlowers(options), options),
  locate: locateFlowers,
};

/**
 * Lists the photos in `dataDir` if given; otherwise in the user's cache, after a download if necessary. Either may contain the archive, its folder
 * `flower_photos`, or that folder's class folders. An archive is unpacked once, to the cache.
 *
 * Throws DataError with the remedy if the photos are unavailable, or naming the folder without images. Throws ConfigError if the fraction is not
 * between 0 and 1.
 */
export async function listFlowers(options: FlowersFilesOptions & FolderPurpose = {}): Promise<ImageListing> {
  splitOptionsOf({ validationShare: options.validationShare, seed: options.seed }); // Checked before a download.
  const listing = await listFolder(await obtainFlowers(options), options);
  const counts = new Map<string, number>();
  for (const { label } of [...listing.train, ...listing.test]) {
    const name = listing.classNames[label] as string;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const differing = Object.entries(publishedCounts).filter(([name, count]) => counts.get(name) !== count);
  const notes = differing.map(
    ([name, count]) => `${name}: ${counts.get(name) ?? 0} images; the published archive has ${count}`,
  );
  return { ...listing, name: flowers.name, notes: [...notes, ...listing.notes] };
}

/**
 * Number of images per class, by folder name. Source: the archive of `officialArchive`; 3,670 in all, as in TensorFlow Datasets' catalogue
 * (tf_flowers 3.0.1).
 */
const publishedCounts: Readonly<Record<string, number>> = {
  daisy: 633,
  dandelion: 898,
  roses: 641,
  sunflowers: 699,
  tulips: 799,
};

/** In the order of labels. */
const flowerClasses: readonly string[] = Object.keys(publishedCounts);

/**
 * Sources: tensorflow/datasets, tf_flowers/checksums.tsv, for the size and a SHA-256 (4c54ace7…95d9c); meta-tensorflow's recipe for Yocto, for the
 * same SHA-256 and this MD5.
 */
const officialArchive: Archive = {
  url: "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
  md5: "6f87fb78e9cc9ab41eff2015b380011d",
  bytes: 228813984,
};

const archiveName = "flower_photos.tgz";
/** Folder in the archive that contains its files. */
const archiveFolder = "flower_photos";
/** More than a hundred times the size of the largest image in the archive. */
const maxBytes = 1 << 26;

/** `DatasetOptions`, and the source of the files; tests and mirrors replace it. */
interface FlowersFilesOptions extends DatasetOptions {
  readonly archive?: Archive | undefined;
}

/** Contents of a folder. */
interface Found {
  /** Parent of the class folders. */
  readonly root?: string;
  /** The archive, if there are no class folders. */
  readonly archivePath?: string;
}

/** Folder on this machine that contains the images or their archive, or undefined. Never downloads. */
export async function locateFlowers(options: FlowersFilesOptions): Promise<string | undefined> {
  const place = searchedFolder(options);
  const { root, archivePath } = await look(place);
  return root ?? (archivePath === undefined ? undefined : place);
}

/**
 * Returns the parent of the class folders: where they are, or in the user's cache, unpacked from the archive, which is downloaded if necessary.
 *
 * Throws DataError, with the remedy, if the data set is unavailable.
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
    // Not necessarily the published archive: each content gets a folder of its own.
    return unpacked(archivePath, resolve(cache, `${archiveFolder}-${await md5Of(archivePath)}`), options);
  }
  throw new DataError(
    `${place}: expected ${archiveName}, the folder ${archiveFolder} from it, or its folders ${flowerClasses.join(", ")}; ` +
      `found none of them; download ${archiveName} from ${officialArchive.url}`,
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
        `${officialArchive.url} there, or pass its folder with --data-dir`,
      { cause: error },
    );
  }
}

/** Returns `folder`, after unpacking the archive to it if necessary. */
async function unpacked(archivePath: string, folder: string, { signal }: DatasetOptions): Promise<string> {
  if ((await look(folder)).root === undefined) await unpackTarGz(archivePath, folder, { placeOf, maxBytes, signal });
  return folder;
}

/** Keeps images of the classes and the licence; removes the outer folder from names. */
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
