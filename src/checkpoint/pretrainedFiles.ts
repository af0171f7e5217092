/** Published weights in the cache. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatasetOptions } from "../dataset/dataset.ts";
import { cacheFolder } from "../dataset/download/cacheFolder.ts";
import { type PretrainedName, pretrainedFileNames, pretrainedNames } from "./pretrainedNames.ts";

/** The published weights that a path stands for, if any: a file or folder of that name comes first, and `./torchvision` is always one. */
export function pretrainedOf(path: string): PretrainedName | undefined {
  const name = pretrainedNames.find((known) => known === path);
  return name !== undefined && !existsSync(path) ? name : undefined;
}

/** Path of the weights file in the user's cache, whether it exists or not: `~/.cache/alexnet/pretrained/NAME/…`. */
export function pretrainedFile(name: PretrainedName, options: Pick<DatasetOptions, "cacheDir"> = {}): string {
  return join(cacheFolder("pretrained", options), name, pretrainedFileNames[name]);
}
