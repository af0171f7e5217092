/** Unpacks archives into folders that appear only when complete. */
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { formatBytes } from "../../bytes.ts";
import { DataError, messageOf } from "../../errors.ts";
import { createNameCheck } from "../../fileName.ts";
import { moveOver } from "../../inUse.ts";
import { isRunning } from "./partialFile.ts";
import { eachTarGzFile, type TarOptions, type UseFile } from "./tar.ts";

/** Reads the wanted files of an archive one at a time. */
export type EachFile = (archive: string, options: TarOptions, use: UseFile) => Promise<void>;

/** Unpacks a .tar.gz archive, as `unpack`. */
export function unpackTarGz(archive: string, folder: string, options: UnpackOptions): Promise<void> {
  return unpack(archive, folder, options, eachTarGzFile);
}

/** Files to unpack from an archive. */
export interface UnpackOptions {
  /** Target path of an archived file, relative to the folder and inside it; undefined to leave it out. */
  readonly placeOf: (name: string) => string | undefined;
  /** Maximum size of a file, in bytes. */
  readonly maxBytes: number;
  /** Maximum size of all files, in bytes. Default: no limit. */
  readonly totalBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Unpacks files of an archive into `folder`, which appears only when complete: they are written to a temporary folder next to it, which
 * is then renamed. Temporary folders of ended processes are removed. If another process unpacks the same archive at the same time, one of
 * both results is kept.
 *
 * Throws DataError if the archive is invalid (see `eachTarGzFile`), contains none of the files, or they cannot be written. Throws the signal's
 * reason if it is aborted. In either case nothing is left.
 */
export async function unpack(archive: string, folder: string, options: UnpackOptions, each: EachFile): Promise<void> {
  let temporary = "";
  try {
    await mkdir(dirname(folder), { recursive: true });
    await removeAbandoned(folder);
    temporary = await mkdtemp(temporaryPrefix(folder, process.pid));
    await writeFiles(archive, temporary, options, each);
    await moveOver(temporary, folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error;
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
  { placeOf, maxBytes, totalBytes = Number.POSITIVE_INFINITY, signal }: UnpackOptions,
  each: EachFile,
): Promise<void> {
  const isWanted = (name: string) => placeOf(name) !== undefined;
  const problemOf = createNameCheck();
  let count = 0;
  let total = 0;
  await each(archive, { isWanted, maxBytes, signal }, async (name, bytes) => {
    const place = placeOf(name) as string;
    const problem = problemOf(place);
    if (problem !== undefined)
      throw new DataError(`${archive}: ${name}: ${problem}; rename it in the archive, or unpack it on another system`);
    const path = join(folder, place);
    total += bytes.length;
    if (total > totalBytes)
      throw new DataError(
        `${archive}: expected at most ${formatBytes(totalBytes)} unpacked, got more; unpack it by hand`,
      );
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes, { flag: "wx" });
    } catch (error) {
      throw new DataError(`${path}: cannot be written (${messageOf(error)})`, { cause: error });
    }
    count++;
  });
  if (count === 0) throw new DataError(`${archive}: expected the data set's files, found none of them`);
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

/** Systems report a rename over a folder differently: Windows as EPERM, others as ENOTEMPTY or EEXIST. */
function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
