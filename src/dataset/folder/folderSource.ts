/** A folder of pictures as a data set. */
import { resolve } from "node:path";
import type { DatasetSource } from "../dataset.ts";
import { listFolder } from "./imageFolder.ts";
import { loadListing } from "./listedDataset.ts";

/** A folder of pictures with a folder for each class. */
export function folderSource(path: string): DatasetSource {
  const folder = resolve(path);
  return {
    name: folder,
    description: `the pictures in ${folder}`,
    channels: 3,
    async load(options) {
      const listing = await listFolder(options.dataDir ?? folder, options);
      return { ...(await loadListing(listing, options)), name: folder };
    },
    locate: async () => folder,
  };
}
