/** Archives of image folders as data sets: unpacked once, to the cache. */
import { createHash } from "node:crypto";
import { readdir, realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import type { DatasetOptions, DatasetSource } from "../dataset.ts";
import { cacheFolder } from "../download/cacheFolder.ts";
import { eachTarFile } from "../download/tar.ts";
import { type EachFile, unpack } from "../download/unpack.ts";
import { eachZipFile } from "../download/zip.ts";
import { packLimit } from "../pack/room.ts";
import { folderSource } from "./imageFolder.ts";
import { isHidden } from "./imageNames.ts";
import { partOf } from "./partFolders.ts";

/** Maximum size of a file in an archive, in bytes; a table of a million rows has about a tenth of it. */
const MAX_FILE_BYTES = 1 << 30;

const tarReader =
  (isGzip: boolean): EachFile =>
  (archive, options, use) =>
    eachTarFile(archive, { ...options, isGzip }, use);

/** Readers of archives by the end of their name. */
const readers: readonly (readonly [end: string, each: EachFile])[] = [
  [".zip", eachZipFile],
  [".tar", tarReader(false)],
  [".tar.gz", tarReader(true)],
  [".tgz", tarReader(true)],
];

/** Ends of names of other archives and tables, with the remedy. */
const others: readonly (readonly [end: RegExp, remedy: string])[] = [
  [
    /\.(?:tar\.(?:bz2|xz|zst|lz4?)|tbz2?|txz|tzst|7z|rar|gz|bz2|xz|zst)$/i,
    "unpack it and pass the folder, or pack it as .zip or .tar.gz",
  ],
  [/\.(?:csv|tsv|tab|jsonl|ndjson)$/i, "pass the folder of the images, and the table with --labels"],
  [
    /\.(?:parquet|xlsx?|ods|json)$/i,
    "export the labels as CSV, pass the folder of the images, and the table with --labels",
  ],
];

function readerOf(path: string): EachFile | undefined {
  const name = path.toLowerCase();
  return readers.find(([end]) => name.endsWith(end))?.[1];
}

/** True if a file is an archive of a data set by its name. */
export function isArchiveName(path: string): boolean {
  return readerOf(path) !== undefined;
}

/** Remedy for a file that is neither a folder nor an archive that can be read. */
export function fileRemedy(path: string): string {
  return others.find(([end]) => end.test(path))?.[1] ?? "pass a folder of images, or an archive (.zip, .tar, .tar.gz)";
}

/** An archive of an image folder, as the source of a data set. Its name is the archive's absolute path. */
export function archiveSource(path: string): DatasetSource {
  const name = resolve(path);
  return {
    name,
    description: `the images in ${name}`,
    channels: 3,
    async load(options) {
      const folder = await unpackedArchive(options.dataDir ?? name, options);
      return { ...(await folderSource(folder).load({ ...options, dataDir: undefined })), name };
    },
    locate: async () => name,
  };
}

/**
 * Folder of an archive's images, after unpacking it to the cache if necessary. An archive with another size or time is unpacked again. An outer folder
 * that contains all others is left out.
 *
 * Throws DataError if the archive is unreadable or too large.
 */
export async function unpackedArchive(
  path: string,
  options: Pick<DatasetOptions, "cacheDir" | "signal">,
): Promise<string> {
  const each = readerOf(path);
  if (!each) throw new DataError(`${path}: expected an archive (.zip, .tar, .tar.gz); ${fileRemedy(path)}`);
  const folder = join(cacheFolder("archives", options), await keyOf(path));
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    const limits = { maxBytes: MAX_FILE_BYTES, totalBytes: packLimit() };
    await unpack(path, folder, { placeOf, ...limits, signal: options.signal }, each);
  }
  return innerFolder(folder);
}

async function keyOf(path: string): Promise<string> {
  try {
    const [real, { size, mtimeMs }] = [await realpath(path), await stat(path)];
    return createHash("sha256")
      .update(JSON.stringify([real, size, mtimeMs]))
      .digest("hex")
      .slice(0, 16);
  } catch (cause) {
    throw new DataError(`${path}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Path of an archived file in the folder; undefined for hidden and system files, which a scan skips too. */
function placeOf(name: string): string | undefined {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  return parts.length === 0 || parts.some(isHidden) ? undefined : parts.join("/");
}

/** The folder itself, or the only folder in it that is neither a part nor a class. */
async function innerFolder(folder: string): Promise<string> {
  const [only, ...more] = await readdir(folder, { withFileTypes: true });
  if (!only?.isDirectory() || more.length > 0 || partOf(only.name) !== undefined) return folder;
  return innerFolder(join(folder, only.name));
}
