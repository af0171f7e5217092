/** Names of published weights, and their files in the cache. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatasetOptions } from "../dataset/dataset.ts";
import { cacheFolder } from "../dataset/download/cacheFolder.ts";

/** Cached file of each set of published weights; its name contains that of the source. */
const files = { torchvision: "alexnet-owt-7be5be79.safetensors" } as const;

/** Name of published weights, valid in place of a run directory or a weights file. */
export type PretrainedName = keyof typeof files;

/** Names of all published weights. */
export const pretrainedNames = Object.keys(files) as readonly PretrainedName[];

/** Published weights that a path names, if any. A file or folder of that name takes precedence; `./torchvision` is always a path. */
export function pretrainedOf(path: string): PretrainedName | undefined {
  const name = pretrainedNames.find((known) => known === path);
  return name !== undefined && !existsSync(path) ? name : undefined;
}

/** Path of the weights file in the user's cache, which need not exist: `~/.cache/alexnet/pretrained/NAME/…`. */
export function pretrainedFile(name: PretrainedName, options: Pick<DatasetOptions, "cacheDir"> = {}): string {
  return join(cacheFolder("pretrained", options), name, files[name]);
}
