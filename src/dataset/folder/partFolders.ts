/** Folders for the parts of a data set, recognized by name. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../../errors.ts";
import { isHidden } from "./imageNames.ts";

/** A part of a data set; `whole` if there are no folders for parts. */
export type PartName = "whole" | "train" | "validation" | "test";

/** Names of folders for parts, without case, separators and the words in `nouns`. */
const names: ReadonlyMap<string, PartName> = new Map([
  ["train", "train"],
  ["training", "train"],
  ["val", "validation"],
  ["valid", "validation"],
  ["validation", "validation"],
  ["dev", "validation"],
  ["development", "validation"],
  ["eval", "validation"],
  ["evaluation", "validation"],
  ["test", "test"],
  ["testing", "test"],
]);
/** Words after the name of a part: `train_set`, `Testing Images`. */
const nouns = /(?:data)?set$|data$|images?$|imgs?$|split$|pictures?$|photos?$/;

/** Part that a folder name stands for: `train`, `Training`, `train_set`, `val`, `dev`, `Test-Data`, … */
export function partOf(folder: string): PartName | undefined {
  const plain = folder
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\s._-]+/g, "");
  return names.get(plain) ?? names.get(plain.replace(nouns, ""));
}

/** Folders for parts, and folders with such names that are classes. */
export interface PartFolders {
  readonly parts: ReadonlyMap<PartName, string>;
  readonly classes: readonly string[];
}

/**
 * Finds the folders for parts among the folders of a data set's root; none if all are classes. A folder with the name of a part may be a class, as
 * in `valid/` and `invalid/`: one other than `train`, without subfolders, next to folders without such names.
 *
 * Throws DataError if there are two folders for one part, or none for training.
 */
export async function findParts(folder: string, root: string, folders: readonly string[]): Promise<PartFolders> {
  const named = folders.filter((path) => partOf(path) !== undefined);
  const [only, second] = named;
  if (only === undefined) return { parts: new Map(), classes: [] };
  if (second === undefined && folders.length > 1 && only.toLowerCase() !== "train") {
    if (!(await hasFolders(join(root, only)))) return { parts: new Map(), classes: [only] };
  }
  const parts = new Map<PartName, string>();
  for (const path of named) {
    const name = partOf(path) as PartName;
    const other = parts.get(name);
    if (other !== undefined)
      throw new DataError(`${folder}: expected one folder for ${name}, got ${other} and ${path}; merge them`);
    parts.set(name, path);
  }
  if (parts.has("train")) return { parts, classes: [] };
  const found = [...parts.values()].join(" and ");
  throw new DataError(
    `${folder}: expected a folder train next to ${found}, got none; name the folder of training images train, or, ` +
      "if these folders are classes, rename them",
  );
}

/** True if a folder contains folders, also through links; false if it is unreadable. */
async function hasFolders(path: string): Promise<boolean> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (isHidden(entry.name)) continue;
    if (entry.isDirectory()) return true;
    const target = entry.isSymbolicLink() ? await stat(join(path, entry.name)).catch(() => undefined) : undefined;
    if (target?.isDirectory()) return true;
  }
  return false;
}

/** Names of folders for parts that contain images of a class, in a data set with classes above parts. */
export function partsInside(images: readonly { readonly path: string }[], classFolder: string): readonly string[] {
  // By depth, since names on disk may be decomposed.
  const depth = classFolder.split("/").length;
  const below = images.map(({ path }) => path.split("/").slice(depth));
  const folders = below.flatMap(([first = "", ...rest]) => (rest.length > 0 ? [first] : []));
  return [...new Set(folders)].filter((name) => partOf(name) !== undefined);
}
