/** ImageNet's folders, and its text files of class names. */

import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import * as z from "zod";
import { DataError, messageOf } from "../../errors.ts";
import { parseJsonText, problemsOf } from "../../schema.ts";

/** Locations of ImageNet's images and of the text files about them. */
export interface ImagenetFiles {
  /** Absolute path of the folder that contains `train` and `val`. */
  readonly root: string;
  /** Folders to search for text files about classes. */
  readonly textFolders: readonly string[];
}

/** Parent folders of `train` and `val`: the folder itself, or the one in Kaggle's archive. */
const roots: readonly string[] = ["", "ILSVRC/Data/CLS-LOC"];
/** Folders of text files: next to either, or in the development kit as its archive creates it. */
const kits: readonly string[] = ["data", "ILSVRC2012_devkit_t12/data", "devkit/data"];

/** Name of a WordNet synset, as ImageNet numbers it. */
export const wnidPattern = /^n\d{8}$/;

/** Files in a folder, or undefined if it contains no folder `train`. */
export async function findImagenet(dataDir: string): Promise<ImagenetFiles | undefined> {
  for (const folder of roots) {
    const root = resolve(dataDir, folder);
    if (!(await namesIn(root)).includes("train")) continue;
    return { root, textFolders: [root, ...["", ...kits].map((kit) => resolve(dataDir, kit))] };
  }
  return undefined;
}

/** First file of this name in the folders for text files. */
export async function findText({ textFolders }: ImagenetFiles, name: string): Promise<string | undefined> {
  for (const folder of textFolders) if ((await namesIn(folder)).includes(name)) return join(folder, name);
  return undefined;
}

/** Lines of a text file. Throws DataError if it is unreadable. */
export async function readLines(path: string): Promise<readonly string[]> {
  return (await readText(path)).trimEnd().split(/\r?\n/);
}

/** Content of a text file. Throws DataError if it is unreadable. */
async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new DataError(`${path}: cannot be read (${messageOf(error)})`, { cause: error });
  }
}

function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

/** Class names from a file. */
export interface Synsets {
  readonly file: string;
  /** First synonym of each class, by WNID. */
  readonly names: ReadonlyMap<string, string>;
}

/** Kaggle's and Caffe's files; both have lines such as `n01440764 tench, Tinca tinca`. */
const lists: readonly string[] = ["LOC_synset_mapping.txt", "synset_words.txt"];
/** Keras's file: `{"0": ["n01440764", "tench"], …}`. */
const index = "imagenet_class_index.json";

const indexSchema = z.record(z.string(), z.tuple([z.string().regex(wnidPattern), z.string().min(1)]));

/** Class names from the first such file, or undefined if there is none. Throws DataError naming the file and the line. */
export async function readSynsets(files: ImagenetFiles): Promise<Synsets | undefined> {
  for (const name of lists) {
    const file = await findText(files, name);
    if (file !== undefined) return { file, names: parseList(file, await readLines(file)) };
  }
  const file = await findText(files, index);
  return file === undefined ? undefined : { file, names: parseIndex(file, await readText(file)) };
}

function parseList(file: string, lines: readonly string[]): ReadonlyMap<string, string> {
  const entries = lines.map((line, i) => {
    const [, wnid, name] = /^(n\d{8}) +([^,]*[^,\s])/.exec(line) ?? [];
    if (wnid !== undefined && name !== undefined) return [wnid, name] as const;
    throw new DataError(
      `${file}: line ${i + 1}: expected a WNID and names, as in "n01440764 tench, Tinca tinca", got ${JSON.stringify(line)}`,
    );
  });
  return new Map(entries);
}

function parseIndex(file: string, text: string): ReadonlyMap<string, string> {
  try {
    const entries = Object.values(indexSchema.parse(parseJsonText(text)));
    return new Map(entries.map(([wnid, name]) => [wnid, name.replaceAll("_", " ")]));
  } catch (error) {
    const reason = error instanceof z.ZodError ? problemsOf(error) : messageOf(error);
    throw new DataError(`${file}: expected a JSON object such as {"0": ["n01440764", "tench"]} (${reason})`, {
      cause: error,
    });
  }
}

/**
 * Name of each class: its first synonym, followed by the WNID if other classes have the same, such as crane (the bird and the machine). Without a
 * file of names, the WNIDs. Throws DataError if the file lacks a class.
 */
export function imagenetClassNames(wnids: readonly string[], synsets: Synsets | undefined): readonly string[] {
  if (!synsets) return wnids;
  const names = wnids.map((wnid) => {
    const name = synsets.names.get(wnid);
    if (name === undefined) throw new DataError(`${synsets.file}: expected the class ${wnid}, as in train; found none`);
    return name;
  });
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return names.map((name, label) => (counts.get(name) === 1 ? name : `${name} (${wnids[label]})`));
}
