/** Location of ImageNet's image and text files. */
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DataError, messageOf } from "../../errors.ts";

/** Where ImageNet's pictures and the text files about them lie. */
export interface ImagenetFiles {
  /** Absolute path of the folder that holds `train` and `val`. */
  readonly root: string;
  /** Where to look for the files that say which class is which. */
  readonly textFolders: readonly string[];
}

/** Where `train` and `val` lie: in the folder itself, or as Kaggle's archive puts them. */
const roots: readonly string[] = ["", "ILSVRC/Data/CLS-LOC"];
/** Where text files lie: beside either, or in the development kit as its archive puts it. */
const kits: readonly string[] = ["data", "ILSVRC2012_devkit_t12/data", "devkit/data"];

/** A synset of WordNet as ImageNet numbers it. */
export const wnidPattern = /^n\d{8}$/;

/** The files in a folder, or undefined if it holds no folder `train`. */
export async function findImagenet(dataDir: string): Promise<ImagenetFiles | undefined> {
  for (const folder of roots) {
    const root = resolve(dataDir, folder);
    if (!(await namesIn(root)).includes("train")) continue;
    return { root, textFolders: [root, ...["", ...kits].map((kit) => resolve(dataDir, kit))] };
  }
  return undefined;
}

/** The first file of this name in the folders for text files. */
export async function findText({ textFolders }: ImagenetFiles, name: string): Promise<string | undefined> {
  for (const folder of textFolders) if ((await namesIn(folder)).includes(name)) return join(folder, name);
  return undefined;
}

/** The lines of a text file. Throws DataError if it cannot be read. */
export async function readLines(path: string): Promise<readonly string[]> {
  return (await readText(path)).trimEnd().split(/\r?\n/);
}

/** A whole text file. Throws DataError if it cannot be read. */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new DataError(`${path}: cannot be read (${messageOf(error)})`, { cause: error });
  }
}

function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
