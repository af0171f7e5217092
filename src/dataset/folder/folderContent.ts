/** The folders and pictures in a folder, in order. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import { byCodePoint } from "./codePoints.ts";

/** What a folder holds, by name. Names that begin with a dot are left out: they belong to the system. */
export interface FolderContent {
  /** Sorted by code point. */
  readonly folders: readonly string[];
  /** Files named .jpg or .jpeg, in capitals or not; sorted by code point. */
  readonly pictures: readonly string[];
  /** How many other files there are. */
  readonly others: number;
}

/** Looks into a folder, asking the system nothing about files, of which ImageNet has 1.3 million (`listEntries` asks about each). Links count as what they lead to. Throws DataError if it cannot be read. */
export async function folderContent(folder: string): Promise<FolderContent> {
  try {
    const [folders, pictures]: [string[], string[]] = [[], []];
    let others = 0;
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const { name } = entry;
      if (name.startsWith(".")) continue;
      const found = entry.isSymbolicLink() ? await stat(join(folder, name)) : entry;
      if (found.isDirectory()) folders.push(name);
      else if (/\.jpe?g$/i.test(name)) pictures.push(name);
      else others++;
    }
    return { folders: folders.sort(byCodePoint), pictures: pictures.sort(byCodePoint), others };
  } catch (error) {
    throw new DataError(`${folder}: cannot be read (${messageOf(error)})`, { cause: error });
  }
}
