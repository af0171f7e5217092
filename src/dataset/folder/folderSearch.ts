/** Recursive search for images; follows links, but not in circles. */
import { realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type FileEntry, type FolderEntries, listEntries, peekFormat, systemReason } from "./folderEntries.ts";
import { hasImageName } from "./imageNames.ts";
import type { SkippedFile } from "./skippedFile.ts";

/** Identity of the folder that a path leads to, through links. */
async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** Identities of the root and the folders that contain it: a link to any of them would form a loop. */
export async function ancestorsOf(root: string): Promise<ReadonlySet<string>> {
  const ancestors = new Set<string>();
  let folder = await realpath(root);
  for (; dirname(folder) !== folder; folder = dirname(folder)) ancestors.add(await identityOf(folder));
  return ancestors.add(await identityOf(folder));
}

/** State of a search. */
export interface Search {
  readonly root: string;
  /** Folders already searched, and those that contain the root. */
  readonly seen: Set<string>;
  readonly skipped: SkippedFile[];
  readonly signal?: AbortSignal | undefined;
}

/** Returns true if a folder is to be searched; records one that is unreadable or was searched before. */
export async function enter({ root, seen, skipped }: Search, path: string): Promise<boolean> {
  try {
    const identity = await identityOf(join(root, path));
    if (!seen.has(identity)) {
      seen.add(identity);
      return true;
    }
    skipped.push({
      path,
      reason: "repeatedFolder",
      detail: "a folder already searched, or one that contains this one",
    });
  } catch (error) {
    skipped.push({ path, reason: "unreadableEntry", detail: systemReason(error) });
  }
  return false;
}

/** Adds the images in `folder` and its subfolders; each folder is searched once. */
export async function searchFolder(search: Search, folder: string, images: FileEntry[]): Promise<void> {
  if (!(await enter(search, folder))) return;
  const { root, skipped, signal } = search;
  if (hasImageName(folder)) skipped.push({ path: folder, reason: "pictureNamedFolder", detail: "a folder" });
  const entries = await listEntries(root, folder, signal);
  await addEntries(search, entries, images);
}

/** Adds the images among the entries of a folder and in its subfolders. */
async function addEntries(search: Search, entries: FolderEntries, images: FileEntry[]): Promise<void> {
  const { root, skipped } = search;
  for (const entry of entries.skipped) skipped.push(entry);
  for (const file of entries.files) {
    const problem = hasImageName(file.path) ? undefined : await whyNoImage(root, file.path);
    if (problem) skipped.push(problem);
    else images.push(file);
  }
  for (const below of entries.folders) await searchFolder(search, below, images);
}

/** All images in a folder, whatever its layout, and skipped entries. */
export async function searchAll(
  root: string,
  signal?: AbortSignal,
): Promise<{ readonly images: readonly FileEntry[]; readonly skipped: readonly SkippedFile[] }> {
  const entries = await listEntries(root, "", signal);
  const search: Search = { root, seen: new Set(await ancestorsOf(root)), skipped: [], signal };
  const images: FileEntry[] = [];
  await addEntries(search, entries, images);
  return { images, skipped: search.skipped };
}

/** Reason to skip a file without the name of an image; undefined if it has a supported format. Other signatures are too short to rely on. */
async function whyNoImage(root: string, path: string): Promise<SkippedFile | undefined> {
  try {
    const format = await peekFormat(join(root, path));
    return typeof format === "string" ? undefined : { path, reason: "notPicture", detail: format.other };
  } catch (error) {
    return { path, reason: "unreadableEntry", detail: systemReason(error) };
  }
}
