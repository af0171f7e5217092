/** All pictures below a folder, through links, around loops. */
import { realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type FileEntry, listEntries, peekFormat, systemReason } from "./folderEntries.ts";
import { hasPictureName } from "./imageNames.ts";
import type { OddEntry } from "./skippedFile.ts";

/** Which folder a path leads to, whatever links it goes through. */
async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** The folders that contain the root, and itself: a link to any of them would lead around in a circle. */
export async function ancestorsOf(root: string): Promise<ReadonlySet<string>> {
  const ancestors = new Set<string>();
  let folder = await realpath(root);
  for (; dirname(folder) !== folder; folder = dirname(folder)) ancestors.add(await identityOf(folder));
  return ancestors.add(await identityOf(folder));
}

/** What a search has found so far. */
export interface Search {
  readonly root: string;
  /** Folders already searched, and those that contain the root. */
  readonly seen: Set<string>;
  readonly odd: OddEntry[];
  readonly signal?: AbortSignal | undefined;
}

/** Whether a folder is to be searched; if it was before, or cannot be, that is noted. */
export async function enter({ root, seen, odd }: Search, path: string): Promise<boolean> {
  try {
    const identity = await identityOf(join(root, path));
    if (!seen.has(identity)) {
      seen.add(identity);
      return true;
    }
    odd.push({ path, reason: "repeatedFolder", detail: "a folder already searched, or one that this one lies in" });
  } catch (error) {
    odd.push({ path, reason: "unreadableEntry", detail: systemReason(error) });
  }
  return false;
}

/** Adds the pictures in `folder`, and in all folders below it, each of which is searched once. */
export async function searchFolder(search: Search, folder: string, pictures: FileEntry[]): Promise<void> {
  if (!(await enter(search, folder))) return;
  const { root, odd, signal } = search;
  if (hasPictureName(folder)) odd.push({ path: folder, reason: "pictureNamedFolder", detail: "a folder" });
  const entries = await listEntries(root, folder, signal);
  for (const entry of entries.odd) odd.push(entry);
  for (const file of entries.files) {
    const problem = hasPictureName(file.path) ? undefined : await whyNoPicture(root, file.path);
    if (problem) odd.push(problem);
    else pictures.push(file);
  }
  for (const below of entries.folders) await searchFolder(search, below, pictures);
}

/** Why a file whose name is not that of a picture is none: only a format that is read counts, since others are told by few bytes. */
async function whyNoPicture(root: string, path: string): Promise<OddEntry | undefined> {
  try {
    const format = await peekFormat(join(root, path));
    return typeof format === "string" ? undefined : { path, reason: "notPicture", detail: format.other };
  } catch (error) {
    return { path, reason: "unreadableEntry", detail: systemReason(error) };
  }
}
