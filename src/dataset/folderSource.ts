import { resolve } from "node:path";
import type { DatasetSource } from "./dataset.ts";
import { listImageFolder, listTestFolder } from "./imageFolder.ts";
import { loadListing } from "./listedDataset.ts";

/** A folder of pictures with a folder for each class. */
export function folderSource(path: string): DatasetSource {
  const folder = resolve(path);
  return {
    name: folder,
    description: `the pictures in ${folder}`,
    channels: 3,
    async load(options) {
      const { dataDir = folder, allAsTest, validationShare, seed } = options;
      const list = allAsTest ? listTestFolder(dataDir) : listImageFolder(dataDir, { validationShare, seed });
      return { ...(await loadListing(await list, options)), name: folder };
    },
    locate: async () => folder,
  };
}
