/** Entries of a folder, classified without opening any that could block. */
import { constants, type Dirent, type Stats } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import { recogniseFormat } from "../../image/files/format.ts";
import { byCodePoint } from "./codePoints.ts";
import { isHidden } from "./imageNames.ts";
import type { SkippedFile } from "./skippedFile.ts";

/** A regular file. */
export interface FileEntry {
  /** Relative to the root, with `/` between folders. */
  readonly path: string;
}

/** Entries of a folder; each list is sorted by code point. */
export interface FolderEntries {
  /** Paths relative to the root. */
  readonly folders: readonly string[];
  readonly files: readonly FileEntry[];
  readonly skipped: readonly SkippedFile[];
}

type Entry = { readonly folder: string } | { readonly file: FileEntry } | { readonly skipped: SkippedFile };

/** Number of concurrent system calls. */
const atATime = 64;

/**
 * Lists `folder`, a path relative to `root` (empty for the root), without a system call per file. Links are followed. An unreadable folder is a
 * skipped file. Throws the signal's reason if it is aborted.
 */
export async function listEntries(root: string, folder: string, signal?: AbortSignal): Promise<FolderEntries> {
  const [folders, files, skipped]: [string[], FileEntry[], SkippedFile[]] = [[], [], []];
  try {
    const found = await readdir(join(root, folder), { withFileTypes: true });
    found.sort((a, b) => byCodePoint(a.name, b.name));
    for (let at = 0; at < found.length; at += atATime) {
      signal?.throwIfAborted();
      const some = found.slice(at, at + atATime).map((entry) => tellEntry(root, folder, entry));
      for (const entry of await Promise.all(some)) {
        if ("folder" in entry) folders.push(entry.folder);
        else if ("file" in entry) files.push(entry.file);
        else skipped.push(entry.skipped);
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    skipped.push({ path: folder || ".", reason: "unreadableEntry", detail: systemReason(error) });
  }
  return { folders, files, skipped };
}

/** A promise only for an entry that needs a system call: a link, or a name that may not be UTF-8. */
function tellEntry(root: string, folder: string, entry: Dirent): Entry | Promise<Entry> {
  const { name } = entry;
  const path = folder === "" ? name : `${folder}/${name}`;
  if (isHidden(name)) return { skipped: { path, reason: "hidden", detail: "a hidden or system entry" } };
  const isDecoded = !name.includes(UNDECODED);
  return isDecoded && (entry.isFile() || entry.isDirectory()) ? entryOf(path, entry) : statEntry(root, path);
}

function entryOf(path: string, kind: Dirent | Stats): Entry {
  if (kind.isDirectory()) return { folder: path };
  if (kind.isFile()) return { file: { path } };
  return { skipped: { path, reason: "special", detail: specialKind(kind) } };
}

/** Node.js decodes a name that is not UTF-8 with this character, and then does not find the file. */
const UNDECODED = "\ufffd";

async function statEntry(root: string, path: string): Promise<Entry> {
  try {
    return entryOf(path, await stat(join(root, path)));
  } catch (error) {
    const detail = basename(path).includes(UNDECODED) ? "a name that is not UTF-8" : systemReason(error);
    return { skipped: { path, reason: "unreadableEntry", detail } };
  }
}

function specialKind(kind: Dirent | Stats): string {
  if (kind.isFIFO()) return "a pipe";
  return kind.isSocket() ? "a socket" : "a device";
}

/** The system's reason without the path, which the message already contains. */
export function systemReason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "a broken link, or an entry removed during the scan";
  if (code === "ELOOP") return "a link that leads to itself";
  return messageOf(error).replace(/, \w+ '.*'$/s, "");
}

/** Sizes of files in bytes; 0 for one that is gone. */
export async function fileSizes(paths: readonly string[]): Promise<readonly number[]> {
  const sizes: number[] = [];
  for (let at = 0; at < paths.length; at += atATime) {
    const some = paths.slice(at, at + atATime).map((path) => stat(path).catch(() => ({ size: 0 })));
    for (const { size } of await Promise.all(some)) sizes.push(size);
  }
  return sizes;
}

/** Format of a file by its first bytes: a supported one, or `other`. Throws the system's error if the file is unreadable. */
export async function peekFormat(path: string): Promise<ReturnType<typeof recogniseFormat>> {
  // A file that became a pipe meanwhile must not block.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(1024), 0, 1024, 0);
    return recogniseFormat(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** Contents of a folder, by name. Names that begin with a dot belong to the system and are left out. */
export interface FolderContent {
  /** Sorted by code point. */
  readonly folders: readonly string[];
  /** Files named .jpg or .jpeg, in any case; sorted by code point. */
  readonly images: readonly string[];
  /** Number of other files. */
  readonly others: number;
}

/**
 * Reads a folder of one class, whose other files are only counted. Links count as their targets. Throws DataError if the folder is unreadable.
 */
export async function folderContent(folder: string): Promise<FolderContent> {
  try {
    const [folders, images]: [string[], string[]] = [[], []];
    let others = 0;
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const { name } = entry;
      if (name.startsWith(".")) continue;
      const found = entry.isSymbolicLink() ? await stat(join(folder, name)) : entry;
      if (found.isDirectory()) folders.push(name);
      else if (/\.jpe?g$/i.test(name)) images.push(name);
      else others++;
    }
    return { folders: folders.sort(byCodePoint), images: images.sort(byCodePoint), others };
  } catch (error) {
    throw new DataError(`${folder}: cannot be read (${messageOf(error)})`, { cause: error });
  }
}
