/** Splits, classes and images of a folder. */
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { DataError } from "../../errors.ts";
import { byCodePoint, sortedByPath } from "./codePoints.ts";
import { type FileEntry, type FolderEntries, listEntries, systemReason } from "./folderEntries.ts";
import { ancestorsOf, enter, type Search, searchFolder } from "./folderSearch.ts";
import { findParts, type PartName } from "./partFolders.ts";
import type { SkippedFile } from "./skippedFile.ts";

/** A class: a folder, with all images in it and its subfolders. */
export interface ScannedClass {
  /** Name of the folder, in Unicode's form NFC. */
  readonly name: string;
  /** Sorted by path; empty if the folder is. */
  readonly images: readonly FileEntry[];
}

/** A part of a data set, or the whole of it. */
export interface ScannedPart {
  readonly name: PartName;
  /** Relative to the root; empty for `whole`. */
  readonly folder: string;
  /** Sorted by name, in the order of code points. */
  readonly classes: readonly ScannedClass[];
  /** Images without a label, if images may have several labels or none; an image with several is in each of its classes. */
  readonly unlabelled?: readonly FileEntry[];
}

/** Content of an image folder, before any image is opened. */
export interface FolderScan {
  /** Absolute path. */
  readonly root: string;
  /** `whole` alone; or `train`, then `validation` and `test` if present. */
  readonly parts: readonly ScannedPart[];
  /** Problems of rows in their order, then entries sorted by path. */
  readonly skipped: readonly SkippedFile[];
  /** Group of each image by its path, if there are groups. */
  readonly groups?: ReadonlyMap<string, string>;
  /** Number of rows, if labels are from tables. */
  readonly rows?: number;
  /** Messages about the layout. */
  readonly notes?: readonly string[];
}

const partOrder: readonly PartName[] = ["train", "validation", "test"];

/** Layout of an image folder, for messages. */
export const expectedLayout = "a folder for each class, directly in it or in its folders train, val and test";

/**
 * Scans an image folder: a folder per class, directly in it or in its folders for training, validation and test (see `partOf`). Class folders
 * are searched recursively, as by torchvision's ImageFolder. Links are followed, but no folder is searched twice. Opens only folders, and files
 * without the name of an image.
 *
 * Throws DataError if the folder is unreadable, contains two folders for one part, or has parts but none for training. Throws the signal's
 * reason if it is aborted.
 */
export async function scanFolder(folder: string, signal?: AbortSignal): Promise<FolderScan> {
  const root = resolve(folder);
  await requireFolder(folder, root);
  const ancestors = await ancestorsOf(root);
  const top = await listEntries(root, "", signal);
  const unreadable = top.skipped.find(({ path }) => path === ".");
  if (unreadable) throw new DataError(`${folder}: expected a folder of images, got ${unreadable.detail}`);
  const { parts: partFolders, classes } = await findParts(folder, root, top.folders);
  const outside = partFolders.size > 0 ? [...outsideFiles(top), ...outsideFolders(top, partFolders)] : [];
  const skipped = [...top.skipped, ...classes.map(partNamed), ...outside];
  const parts: ScannedPart[] = [];
  if (partFolders.size === 0) parts.push(await scanPart({ root, ancestors, skipped, signal }, "whole", "", top));
  for (const name of partOrder) {
    const path = partFolders.get(name);
    if (path === undefined) continue;
    const search = { root, seen: new Set(ancestors), skipped, signal };
    if (!(await enter(search, path))) continue;
    const entries = await listEntries(root, path, signal);
    for (const entry of entries.skipped) skipped.push(entry);
    parts.push(await scanPart({ root, ancestors: search.seen, skipped, signal }, name, path, entries));
  }
  return { root, parts, skipped: sortedByPath(skipped) };
}

/** Throws DataError unless there is such a folder. */
export async function requireFolder(folder: string, root: string): Promise<void> {
  const problem = await stat(root).then(
    (stats) => (stats.isDirectory() ? undefined : "it is not a folder"),
    (error: unknown) => (isMissing(error) ? "there is no such folder" : systemReason(error)),
  );
  if (problem !== undefined)
    throw new DataError(`${folder}: expected a folder of images (${expectedLayout}); ${problem}`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function partNamed(path: string): SkippedFile {
  return { path, reason: "partNamedClass", detail: "a folder without subfolders, next to other class folders" };
}

function outsideFolders({ folders }: FolderEntries, parts: ReadonlyMap<PartName, string>): readonly SkippedFile[] {
  const taken = new Set(parts.values());
  return folders
    .filter((path) => !taken.has(path))
    .map((path) => ({ path, reason: "outsideClass", detail: "a folder next to those for training and testing" }));
}

function outsideFiles({ files }: FolderEntries): readonly SkippedFile[] {
  return files.map(({ path }) => ({
    path,
    reason: "outsideClass",
    detail: "a file outside the class folders",
  }));
}

interface ScanContext {
  readonly root: string;
  readonly ancestors: ReadonlySet<string>;
  readonly skipped: SkippedFile[];
  readonly signal: AbortSignal | undefined;
}

/** Scans a part whose class folders are among `entries`. Folders with the same name in form NFC are one class. */
async function scanPart(
  { root, ancestors, skipped, signal }: ScanContext,
  name: PartName,
  folder: string,
  entries: FolderEntries,
): Promise<ScannedPart> {
  for (const entry of outsideFiles(entries)) skipped.push(entry);
  const found = new Map<string, { readonly search: Search; readonly images: FileEntry[] }>();
  for (const path of entries.folders) {
    const className = basename(path).normalize("NFC");
    const { search, images } = found.get(className) ?? {
      search: { root, seen: new Set(ancestors), skipped, signal },
      images: [],
    };
    found.set(className, { search, images });
    await searchFolder(search, path, images);
  }
  const classes = [...found]
    .map(([className, { images }]) => ({ name: className, images: sortedByPath(images) }))
    .sort((a, b) => byCodePoint(a.name, b.name));
  return { name, folder, classes };
}
