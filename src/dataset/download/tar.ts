/** Reads .tar.gz archives strictly, without unpacking. */
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { DataError, messageOf } from "../../errors.ts";
import { staysInside } from "../../fileName.ts";
import { isRunning } from "./partialFile.ts";

/** Files to read from an archive. */
export interface TarOptions {
  readonly isWanted: (name: string) => boolean;
  /** Maximum size of a file to read, in bytes. */
  readonly maxBytes: number;
  /** Aborts reading. */
  readonly signal?: AbortSignal | undefined;
}

/** Header of a file in an archive. */
interface Entry {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

/** Source: POSIX.1-2001, pax, "ustar Interchange Format". GNU's variant differs in the version after the magic. */
const blockBytes = 512;
const regular = ["0", "\0"];
/** Folders, and extended headers of one file or of all: not needed here. */
const ignoredTypes = ["5", "x", "g"];

/** Reads files of a .tar.gz archive into memory, keyed by their full names; otherwise like `eachTarGzFile`. */
export async function readTarGz(path: string, options: TarOptions): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await eachTarGzFile(path, options, async (name, bytes) => void files.set(name, bytes));
  return files;
}

/**
 * Reads files of a .tar.gz archive one at a time, and calls `use` with each file and its full name; names are unique. Reads the archive to its
 * end, so that gzip's checksum is verified: data passed to `use` is unverified until this function resolves. Writes nothing, and keeps one file
 * in memory.
 *
 * Throws DataError naming the archive if it is unreadable, truncated or corrupt, or contains links, devices or names that lead out of the
 * folder. Throws the DataErrors of `use`, and the signal's reason if it is aborted.
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
    // If the input breaks off, `use` may still be processing earlier data: wait for it.
    await reading.catch(() => {});
    options.signal?.throwIfAborted();
    if (error instanceof DataError) throw error;
    const isOfZlib = error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
    const problem = isOfZlib ? "expected an intact gzip file, got a corrupt one" : "cannot be read";
    throw new DataError(`${path}: ${problem} (${messageOf(error)})`, { cause: error });
  }
}

/** Throws DataError with a message that begins with `archive`. */
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
  // The checksum is computed with its own eight bytes as spaces.
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (!text(257, 6).startsWith("ustar") || octal(148, 8) !== sum) {
    throw new DataError(
      `${archive}: expected a tar archive (ustar), got a header with another magic or a wrong checksum`,
    );
  }
  const prefix = text(257, 8) === "ustar" ? text(345, 155) : "";
  const name = (prefix && `${prefix}/`) + text(0, 100);
  const [size, type] = [octal(124, 12), String.fromCharCode(header[156] as number)];
  if (!staysInside(name)) {
    throw new DataError(`${archive}: expected names inside a folder, got ${JSON.stringify(name)}`);
  }
  if (!regular.includes(type) && !ignoredTypes.includes(type)) {
    throw new DataError(`${archive}: ${name}: expected a regular file, got the type ${JSON.stringify(type)}`);
  }
  if (Number.isNaN(size)) throw new DataError(`${archive}: ${name}: expected a size in octal digits`);
  return { name, size, type };
}

/** Reads from chunks of any length. `read` and `skip` throw DataError at the end of the input. */
function byteReader(archive: string, pieces: AsyncIterable<Uint8Array>) {
  const iterator = pieces[Symbol.asyncIterator]();
  let piece: Uint8Array = new Uint8Array(0);
  const advance = async (length: number, take: (bytes: Uint8Array, position: number) => void): Promise<void> => {
    for (let position = 0; position < length; ) {
      if (piece.length === 0) {
        const next = await iterator.next();
        if (next.done) throw new DataError(`${archive}: expected a complete tar archive, got a truncated one`);
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

/** Files to unpack from an archive. */
export interface UnpackOptions {
  /** Target path of an archived file, relative to the folder and inside it; undefined to leave it out. */
  readonly placeOf: (name: string) => string | undefined;
  /** Maximum size of a file, in bytes. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Unpacks files of a .tar.gz archive into `folder`, which appears only when complete: they are written to a temporary folder next to it, which
 * is then renamed. Temporary folders of ended processes are removed. If another process unpacks the same archive at the same time, one of
 * both results is kept.
 *
 * Throws DataError if the archive is invalid (see `eachTarGzFile`), contains none of the files, or they cannot be written. Throws the signal's
 * reason if it is aborted. In either case nothing is left.
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

/** True if renaming failed because the target exists. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOTEMPTY", "EEXIST"].includes(String(error.code));
}
