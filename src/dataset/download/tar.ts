/** Reads .tar.gz archives strictly, without unpacking. */
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { DataError, messageOf } from "../../errors.ts";
import { isRunning } from "./partialFile.ts";

/** Selection of files to read from an archive. */
export interface TarOptions {
  readonly isWanted: (name: string) => boolean;
  /** A wanted file may have so many bytes. */
  readonly maxBytes: number;
  /** Aborted, it ends the reading. */
  readonly signal?: AbortSignal | undefined;
}

/** A file in an archive: what its header says. */
interface Entry {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

/** Source: POSIX.1-2001, pax, "ustar Interchange Format"; GNU's variant differs in the version behind the magic. */
const blockBytes = 512;
const regular = ["0", "\0"];
/** Folders, and further properties of the file that follows or of all: nothing that is needed here. */
const passedOver = ["5", "x", "g"];

/** Reads files of a .tar.gz archive into memory, by their full names in it; otherwise as `eachTarGzFile`. */
export async function readTarGz(path: string, options: TarOptions): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await eachTarGzFile(path, options, async (name, bytes) => void files.set(name, bytes));
  return files;
}

/**
 * Reads files of a .tar.gz archive, one at a time, and calls `use` with the full name of each in it, which no two share.
 * Reads it to its end, so that the checksum of gzip decides: what `use` has been given is worth nothing before that. Writes
 * nothing, and holds one file in memory.
 *
 * Throws DataError naming the archive if it cannot be read, is cut or damaged, or holds links, devices or names that lead
 * out of a folder; what `use` throws, if that is a DataError; and the signal's reason if that is aborted.
 */
export async function eachTarGzFile(
  path: string,
  options: TarOptions,
  use: (name: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  let reading: Promise<void> = Promise.resolve();
  try {
    await pipeline(createReadStream(path), createGunzip({ chunkSize: 1 << 20 }), (pieces) => {
      reading = readTar(path, pieces, options, use);
      return reading;
    });
  } catch (error) {
    // If the bytes break off, `use` may still be processing earlier ones: it is over when this is.
    await reading.catch(() => {});
    options.signal?.throwIfAborted();
    if (error instanceof DataError) throw error;
    const isOfZlib = error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
    const problem = isOfZlib ? "expected an intact gzip file, got a damaged one" : "cannot be read";
    throw new DataError(`${path}: ${problem} (${messageOf(error)})`, { cause: error });
  }
}

/** Throws DataError, whose message begins with `archive`. */
async function readTar(
  archive: string,
  pieces: AsyncIterable<Uint8Array>,
  { isWanted, maxBytes, signal }: TarOptions,
  use: (name: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const reader = byteReader(archive, pieces);
  const names = new Set<string>();
  for (;;) {
    signal?.throwIfAborted();
    const header = await reader.read(blockBytes);
    if (header.every((byte) => byte === 0)) break;
    const { name, size, type } = readHeader(archive, header);
    const padding = -size & (blockBytes - 1);
    if (!regular.includes(type) || !isWanted(name)) {
      await reader.skip(size + padding);
      continue;
    }
    if (size > maxBytes) throw new DataError(`${archive}: ${name}: expected at most ${maxBytes} bytes, got ${size}`);
    if (names.has(name)) throw new DataError(`${archive}: ${name}: expected once, got twice`);
    names.add(name);
    await use(name, await reader.read(size));
    await reader.skip(padding);
  }
  await reader.drain();
}

function readHeader(archive: string, header: Uint8Array): Entry {
  const text = (start: number, length: number) =>
    String.fromCharCode(...header.subarray(start, start + length)).replace(/\0[\s\S]*$/, "");
  const octal = (start: number, length: number) => {
    const digits = /^ *([0-7]+) *$/.exec(text(start, length))?.[1];
    return digits === undefined ? Number.NaN : Number.parseInt(digits, 8);
  };
  // The checksum's own eight bytes count as spaces.
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (!text(257, 6).startsWith("ustar") || octal(148, 8) !== sum) {
    throw new DataError(
      `${archive}: expected a tar archive (ustar), got a header with another mark or a wrong checksum`,
    );
  }
  const prefix = text(257, 8) === "ustar" ? text(345, 155) : "";
  const name = (prefix && `${prefix}/`) + text(0, 100);
  const [size, type] = [octal(124, 12), String.fromCharCode(header[156] as number)];
  if (name === "" || name.startsWith("/") || name.split("/").includes("..")) {
    throw new DataError(`${archive}: expected names inside a folder, got ${JSON.stringify(name)}`);
  }
  if (!regular.includes(type) && !passedOver.includes(type)) {
    throw new DataError(`${archive}: ${name}: expected a regular file, got the type ${JSON.stringify(type)}`);
  }
  if (Number.isNaN(size)) throw new DataError(`${archive}: ${name}: expected a size in octal digits`);
  return { name, size, type };
}

/** Reads from pieces of any length. `read` and `skip` throw DataError if there are fewer bytes. */
function byteReader(archive: string, pieces: AsyncIterable<Uint8Array>) {
  const iterator = pieces[Symbol.asyncIterator]();
  let piece: Uint8Array = new Uint8Array(0);
  const advance = async (length: number, take: (bytes: Uint8Array, position: number) => void): Promise<void> => {
    for (let position = 0; position < length; ) {
      if (piece.length === 0) {
        const next = await iterator.next();
        if (next.done) throw new DataError(`${archive}: expected a complete tar archive, got one that is cut`);
        piece = next.value;
      }
      const taken = piece.subarray(0, length - position);
      take(taken, position);
      position += taken.length;
      piece = piece.subarray(taken.length);
    }
  };
  return {
    async read(length: number): Promise<Uint8Array> {
      const bytes = new Uint8Array(length);
      await advance(length, (taken, position) => bytes.set(taken, position));
      return bytes;
    },
    skip: (length: number) => advance(length, () => {}),
    async drain(): Promise<void> {
      while (!(await iterator.next()).done);
    },
  };
}

/** Selection of files to unpack from an archive. */
export interface UnpackOptions {
  /** Target path of a file of the archive, relative to the folder and inside it; undefined: it is left out. */
  readonly placeOf: (name: string) => string | undefined;
  /** Largest size of a file, in bytes. */
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

/** True if a folder was not renamed because one of the new name exists. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOTEMPTY", "EEXIST"].includes(String(error.code));
}
