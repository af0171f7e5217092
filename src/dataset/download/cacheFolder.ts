/** Folder of the download cache. */
import { join } from "node:path";
import { userCache } from "../../userCache.ts";
import type { DatasetOptions } from "../dataset.ts";

/** The folder of a data set's downloads: `$XDG_CACHE_HOME/alexnet/<name>`, or `~/.cache/alexnet/<name>`. */
export function cacheFolder(name: string, { cacheDir }: DatasetOptions): string {
  return join(cacheDir ?? userCache(), name);
}
