/** Folder of the download cache. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { DatasetOptions } from "../dataset.ts";

/** The folder of a data set's downloads: `$XDG_CACHE_HOME/alexnet/<name>`, or `~/.cache/alexnet/<name>`. */
export function cacheFolder(name: string, { cacheDir }: DatasetOptions): string {
  const { XDG_CACHE_HOME: userCache } = process.env;
  return join(cacheDir ?? join(userCache || join(homedir(), ".cache"), "alexnet"), name);
}
