/** Unpacks an archive into a folder, completely or not at all. */
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import { isRunning } from "./partialFile.ts";
import { eachTarGzFile } from "./tar.ts";

/** What to take out of an archive. */
export interface UnpackOptions {
  /** Where a file of this name in the archive goes, relative to the folder and inside it; undefined: it is left out. */
  readonly placeOf: (name: string) => string | undefined;
  /** A file may have so many bytes. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Unpacks files of a .tar.gz archive into `folder`, which appears only when it is complete: they are written into a folder
 * beside it, which is renamed in the end. What a process that is no longer there has left of that is removed. Another
 * process may do the same at the same time: one of both results is taken.
 *
 * Throws DataError if the archive is refused (see `eachTarGzFile`), has no such files, or they cannot be written; then
 * nothing is left. Nor if the signal is aborted: then its reason is thrown.
 */
export async function unpackTarGz(archive: string, folder: string, options: UnpackOptions): Promise<void> {
  let temporary = "";
  try {
    await mkdir(dirname(folder), { recursive: true });
    await removeAbandoned(folder);
    temporary = await mkdtemp(temporaryPrefix(folder, process.pid));
    await writeFiles(archive, temporary, options);
    await rename(temporary, folder).catch((error: unknown) => {
      if (!isTaken(error)) throw error;
    });
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof DataError) throw error;
    throw new DataError(`${folder}: ${archive} cannot be unpacked there (${messageOf(error)})`, { cause: error });
  } finally {
    if (temporary !== "") await rm(temporary, { recursive: true, force: true });
  }
}

async function writeFiles(
  archive: string,
  folder: string,
  { placeOf, maxBytes, signal }: UnpackOptions,
): Promise<void> {
  const isWanted = (name: string) => placeOf(name) !== undefined;
  let count = 0;
  await eachTarGzFile(archive, { isWanted, maxBytes, signal }, async (name, bytes) => {
    const path = join(folder, placeOf(name) as string);
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes, { flag: "wx" });
    } catch (error) {
      throw new DataError(`${path}: cannot be written (${messageOf(error)})`, { cause: error });
    }
    count++;
  });
  if (count === 0) throw new DataError(`${archive}: expected the data set's files in it, got none of them`);
}

function temporaryPrefix(folder: string, pid: number | string): string {
  return `${folder}.${pid}.part-`;
}

async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(dirname(folder))) {
    const pid = /\.(\d+)\.part-\w+$/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    if (!name.startsWith(temporaryPrefix(basename(folder), pid))) continue;
    await rm(join(dirname(folder), name), { recursive: true, force: true });
  }
}

/** Whether a folder was not renamed because there is one of the new name. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOTEMPTY", "EEXIST"].includes(String(error.code));
}
