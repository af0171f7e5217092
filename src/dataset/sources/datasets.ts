/** List of the named data sets. */
import { readdir, stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { UsageError } from "../../errors.ts";
import { didYouMean } from "../../suggest.ts";
import type { DatasetSource, LoadOptions } from "../dataset.ts";
import { archiveSource, fileRemedy, isArchiveName } from "../folder/archiveSource.ts";
import { folderSource } from "../folder/imageFolder.ts";
import { refuseMemory } from "../memorySource.ts";
import { refuseLayout } from "../refuseLayout.ts";
import { cifar10 } from "./cifar10.ts";
import { datasetNames } from "./datasetNames.ts";
import { fashionMnist } from "./fashionMnist.ts";
import { flowers } from "./flowers.ts";
import { imagenet } from "./imagenet.ts";

const sources: { readonly [N in (typeof datasetNames)[number]]: DatasetSource } = {
  "fashion-mnist": fashionMnist,
  cifar10,
  flowers,
  imagenet,
};

/** All named data sets. */
export const datasets: readonly DatasetSource[] = datasetNames.map((name) => withOwnLabels(sources[name]));

/** A named data set has labels of its own. */
function withOwnLabels(source: DatasetSource): DatasetSource {
  return {
    ...source,
    load: async (options) => {
      refuseLayout(source.name, options);
      return source.load(options);
    },
  };
}

/**
 * Finds an image folder (a path with a slash, or the name of an existing folder), or else a data set by name. A folder with the name of a data set
 * takes precedence, with a message, unless `dataDir` locates that data set.
 *
 * Throws UsageError listing the names if there is neither.
 */
export async function findDataset(
  name: string,
  { dataDir, onMessage }: Pick<LoadOptions, "dataDir" | "onMessage"> = {},
): Promise<DatasetSource> {
  if (dataDir === undefined && isDatasetName(name) && (await isFolder(name))) {
    onMessage?.(
      `${name}: using the folder ${resolve(name)}, not the data set with this name; for the data set, rename the folder or add --data-dir`,
    );
    return folderSource(name);
  }
  return storedDataset(name);
}

/** Data set of a stored run. A known name is that data set, even if a folder has the same name. Throws like `findDataset`. */
export async function storedDataset(name: string): Promise<DatasetSource> {
  refuseMemory(name);
  const found = datasets.find((dataset) => dataset.name === name);
  if (found) return found;
  if (isArchiveName(name) && !(await isFolder(name))) return archiveSource(name);
  if (await isFile(name)) throw new UsageError(`${name}: expected a data set, got a file; ${fileRemedy(name)}`);
  if (/[\\/]/.test(name) || isAbsolute(name) || (await isFolder(name))) return folderSource(name);
  const folders = (await readdir(".", { withFileTypes: true })).filter((each) => each.isDirectory());
  const near = didYouMean(name, [...datasetNames, ...folders.map((each) => each.name)]);
  throw new UsageError(
    `${name}: no data set or folder with this name${near}; ` +
      `expected ${datasetNames.join(", ")}, or a folder or archive of images`,
  );
}

function isDatasetName(name: string): boolean {
  return datasets.some((dataset) => dataset.name === name);
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
