/** Splits, classes and images of a folder. */
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { DataError } from "../../errors.ts";
import { byCodePoint, sortedByPath } from "./codePoints.ts";
import { type FileEntry, type FolderEntries, listEntries, systemReason } from "./folderEntries.ts";
import { ancestorsOf, enter, type Search, searchFolder } from "./folderSearch.ts";
import { findParts, type PartName } from "./partFolders.ts";
import type { SkippedFile } from "./skippedFile.ts";

/** A class: a folder, with all images below it. */
export interface ScannedClass {
  /** The folder's name in Unicode's form NFC. */
  readonly name: string;
  /** By path; none if the folder is empty. */
  readonly images: readonly FileEntry[];
}

/** The whole of a data set, or what it has for one purpose. */
export interface ScannedPart {
  readonly name: PartName;
  /** Relative to the root; empty for `whole`. */
  readonly folder: string;
  /** By name, in the order of code points. */
  readonly classes: readonly ScannedClass[];
}

/** A folder of images: all that is in it, before any image is opened. */
export interface FolderScan {
  /** Absolute path. */
  readonly root: string;
  /** `whole` alone; or `train`, and `validation` and `test` if they are there, in this order. */
  readonly parts: readonly ScannedPart[];
  /** By path. */
  readonly skipped: readonly SkippedFile[];
}

const partOrder: readonly PartName[] = ["train", "validation", "test"];

/** Layout of an image folder, for messages. */
export const expectedLayout = "a folder for each class, directly in it or in its folders train, val and test";

/**
 * Looks through a folder of images: a folder for each class, directly in it, or in its folders for training,
 * validation and test (see `partOf`). Class folders are searched to any depth, as torchvision's ImageFolder does; links are followed, but into no
 * folder twice. Nothing is opened but folders, and files whose name is not that of an image.
 *
 * Throws DataError if it is not a folder that can be read, or has folders for parts, but not one for each name or none for training; the signal's
 * reason if that is aborted.
 */
export async function scanFolder(folder: string, signal?: AbortSignal): Promise<FolderScan> {
  const root = resolve(folder);
  await requireFolder(folder, root);
  const ancestors = await ancestorsOf(root);
  const top = await listEntries(root, "", signal);
  const unreadable = top.skipped.find(({ path }) => path === ".");
  if (unreadable) throw new DataError(`${folder}: expected a folder of pictures, but ${unreadable.detail}`);
  const { parts: partFolders, classes } = await findParts(folder, root, top.folders);
  const skipped = [...top.skipped, ...classes.map(partNamed)];
  if (partFolders.size > 0) skipped.push(...outsideFiles(top), ...outsideFolders(top, partFolders));
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

async function requireFolder(folder: string, root: string): Promise<void> {
  const problem = await stat(root).then(
    (stats) => (stats.isDirectory() ? undefined : "it is not a folder"),
    (error: unknown) => (isMissing(error) ? "there is no such folder" : systemReason(error)),
  );
  if (problem !== undefined)
    throw new DataError(`${folder}: expected a folder of pictures (${expectedLayout}), but ${problem}`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function partNamed(path: string): SkippedFile {
  return { path, reason: "partNamedClass", detail: "no folders in it, and other folders next to it" };
}

function outsideFolders({ folders }: FolderEntries, parts: ReadonlyMap<PartName, string>): readonly SkippedFile[] {
  const taken = new Set(parts.values());
  return folders
    .filter((path) => !taken.has(path))
    .map((path) => ({ path, reason: "outsideClass", detail: "a folder beside those for training and testing" }));
}

function outsideFiles({ files }: FolderEntries): readonly SkippedFile[] {
  return files.map(({ path }) => ({
    path,
    reason: "outsideClass",
    detail: "a file that is not in the folder of a class",
  }));
}

interface ScanContext {
  readonly root: string;
  readonly ancestors: ReadonlySet<string>;
  readonly skipped: SkippedFile[];
  readonly signal: AbortSignal | undefined;
}

/** A part whose class folders are among `entries`. Folders whose names are the same in form NFC are one class. */
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
