/** Reads tar archives strictly, compressed by gzip or not. */
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { DataError, messageOf } from "../../errors.ts";
import { staysInside } from "../../fileName.ts";

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
/** Folders, and extended headers of all files: not needed here. */
const ignoredTypes = ["5", "g"];
/** Headers that contain the name of the file after them: pax records, and GNU's long name. */
const nameTypes: Readonly<Record<string, (bytes: Uint8Array) => string | undefined>> = {
  x: paxPath,
  L: (bytes) => text(bytes).replace(/\0+$/, ""),
};
/** Maximum size of such a header; attributes of a file system may be in it. */
const MAX_NAME_HEADER = 1 << 20;

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

/** The path among records `<length> <key>=<value>\n`. Source: POSIX.1-2001, pax, “pax Extended Header”. */
function paxPath(bytes: Uint8Array): string | undefined {
  for (let at = 0; at < bytes.length; ) {
    const length = Number.parseInt(text(bytes.subarray(at, at + 20)), 10);
    if (!(length > 0)) return undefined;
    const [, value] = /^\d+ path=(.*)\n$/s.exec(text(bytes.subarray(at, at + length))) ?? [];
    if (value !== undefined) return value;
    at += length;
  }
  return undefined;
}

/** Reads files of a .tar.gz archive into memory, keyed by their full names; otherwise like `eachTarGzFile`. */
export async function readTarGz(path: string, options: TarOptions): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await eachTarGzFile(path, options, async (name, bytes) => void files.set(name, bytes));
  return files;
}

/** Reads files of a .tar.gz archive one at a time; otherwise like `eachTarFile`. */
export function eachTarGzFile(path: string, options: TarOptions, use: UseFile): Promise<void> {
  return eachTarFile(path, { ...options, isGzip: true }, use);
}

/** Receives a file of an archive. */
export type UseFile = (name: string, bytes: Uint8Array) => Promise<void>;

/**
 * Reads files of a tar archive one at a time, and calls `use` with each file and its full name; names are unique. Reads the archive to its
 * end, so that gzip's checksum is verified: data passed to `use` is unverified until this function resolves. Writes nothing, and keeps one file
 * in memory.
 *
 * Throws DataError naming the archive if it is unreadable, truncated or corrupt, or contains links, devices or names that lead out of the
 * folder. Throws the DataErrors of `use`, and the signal's reason if it is aborted.
 */
export async function eachTarFile(
  path: string,
  options: TarOptions & { readonly isGzip: boolean },
  use: UseFile,
): Promise<void> {
  let reading: Promise<void> = Promise.resolve();
  const sink = (pieces: AsyncIterable<Uint8Array>) => {
    reading = readTar(path, pieces, options, use);
    return reading;
  };
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  try {
    await (options.isGzip ? pipeline(file, createGunzip({ chunkSize: 1 << 20 }), sink) : pipeline(file, sink));
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
  use: UseFile,
): Promise<void> {
  const reader = byteReader(archive, pieces);
  const names = new Set<string>();
  let longName: string | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const header = await reader.read(blockBytes);
    if (header.every((byte) => byte === 0)) break;
    const { name: shortName, size, type } = readHeader(archive, header);
    const padding = -size & (blockBytes - 1);
    const nameOf = nameTypes[type];
    if (nameOf) {
      if (size > MAX_NAME_HEADER)
        throw new DataError(`${archive}: ${shortName}: expected a header of at most 1 MiB, got ${size} bytes`);
      longName = nameOf(await reader.read(size)) ?? longName;
      await reader.skip(padding);
      continue;
    }
    const name = insideName(archive, longName ?? shortName);
    longName = undefined;
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
  const field = (start: number, length: number) =>
    text(header.subarray(start, start + length)).replace(/\0[\s\S]*$/, "");
  const octal = (start: number, length: number) => {
    const digits = /^ *([0-7]+) *$/.exec(field(start, length))?.[1];
    return digits === undefined ? Number.NaN : Number.parseInt(digits, 8);
  };
  // The checksum is computed with its own eight bytes as spaces.
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (!field(257, 6).startsWith("ustar") || octal(148, 8) !== sum) {
    throw new DataError(
      `${archive}: expected a tar archive (ustar), got a header with another magic or a wrong checksum`,
    );
  }
  const prefix = field(257, 8) === "ustar" ? field(345, 155) : "";
  const name = (prefix && `${prefix}/`) + field(0, 100);
  const [size, type] = [octal(124, 12), String.fromCharCode(header[156] as number)];
  if (!regular.includes(type) && !ignoredTypes.includes(type) && nameTypes[type] === undefined) {
    throw new DataError(`${archive}: ${name}: expected a regular file, got the type ${JSON.stringify(type)}`);
  }
  if (Number.isNaN(size)) throw new DataError(`${archive}: ${name}: expected a size in octal digits`);
  return { name, size, type };
}

/** Throws DataError for a name that leads out of the folder. */
function insideName(archive: string, name: string): string {
  if (staysInside(name)) return name;
  throw new DataError(`${archive}: expected names inside a folder, got ${JSON.stringify(name)}`);
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
