/** Names of published weights, and where they lie in the cache. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatasetOptions } from "../dataset/dataset.ts";
import { cacheFolder } from "../dataset/download/cacheFolder.ts";

/** Weights that others have published, and the file in the cache that each becomes: named after what it was made of. */
const files = { torchvision: "alexnet-owt-7be5be79.safetensors" } as const;

/** A name that may stand where a run directory or a weights file does. */
export type PretrainedName = keyof typeof files;

/** All such names. */
export const pretrainedNames = Object.keys(files) as readonly PretrainedName[];

/** The published weights that a path stands for, if any: a file or folder of that name comes first, and `./torchvision` is always one. */
export function pretrainedOf(path: string): PretrainedName | undefined {
  const name = pretrainedNames.find((known) => known === path);
  return name !== undefined && !existsSync(path) ? name : undefined;
}

/** Path of the weights file in the user's cache, whether it exists or not: `~/.cache/alexnet/pretrained/NAME/…`. */
export function pretrainedFile(name: PretrainedName, options: Pick<DatasetOptions, "cacheDir"> = {}): string {
  return join(cacheFolder("pretrained", options), name, files[name]);
}
