/** The list of data sets. */
import { stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { ConfigError } from "../../errors.ts";
import type { DatasetSource, LoadOptions } from "../dataset.ts";
import { folderSource } from "../folder/imageFolder.ts";
import { refuseMemory } from "../memorySource.ts";
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

/** Every data set that is known by its name. */
export const datasets: readonly DatasetSource[] = datasetNames.map((name) => sources[name]);

/**
 * A folder of images (a path with a slash in it, or the name of a folder that is there), or else a data set by its name. A folder with the name of a data set comes first, with a message, unless `dataDir` says where that data set is.
 *
 * Throws ConfigError listing the names if there is neither.
 */
export async function findDataset(
  name: string,
  { dataDir, onMessage }: Pick<LoadOptions, "dataDir" | "onMessage"> = {},
): Promise<DatasetSource> {
  if (dataDir === undefined && isDatasetName(name) && (await isFolder(name))) {
    onMessage?.(
      `${name}: using the folder ${resolve(name)}, not the data set of this name; for the data set, rename the folder or give --data-dir`,
    );
    return folderSource(name);
  }
  return storedDataset(name);
}

/** The data set of a run by the name that the run stored: a known name is that data set, whatever folders there are. Throws as `findDataset`. */
export async function storedDataset(name: string): Promise<DatasetSource> {
  refuseMemory(name);
  const found = datasets.find((dataset) => dataset.name === name);
  if (found) return found;
  if (/[\\/]/.test(name) || isAbsolute(name) || (await isFolder(name))) return folderSource(name);
  const names = datasets.map((dataset) => dataset.name).join(", ");
  throw new ConfigError(`${name}: no data set of this name, and no folder; the data sets are ${names}`);
}

function isDatasetName(name: string): boolean {
  return datasets.some((dataset) => dataset.name === name);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
