/** Zip files of uncompressed entries, as written by PyTorch. Source: PKWARE, APPNOTE.TXT, sections 4.3 and 4.5 (zip64). */
import type { FileHandle } from "node:fs/promises";
import { chunkBytes, writeAll } from "../../checkpoint/safetensorsWriter.ts";
import { ConfigError, DataError } from "../../errors.ts";
import { crc32 } from "../../image/files/crc32.ts";
import { type ByteSource, readPiece } from "./byteSource.ts";

/** An entry of a zip file. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly crc: number;
  /** Offset of its bytes in the zip file. */
  readonly position: number;
}

interface Directory {
  readonly entries: number;
  readonly size: number;
  readonly position: number;
  /** Latest possible end of the entry. */
  readonly limit: number;
}

interface ListedEntry {
  readonly name: string;
  readonly size: number;
  readonly crc: number;
  readonly header: number;
}

/** Sizes of the local header, the directory entry and the end record, without names, extra fields and comments. */
const [headerLength, entryLength, endLength] = [30, 46, 22];
const [end64Length, locatorLength] = [56, 20];
const MAX_COMMENT = 0xffff;
/** Maximum number of entries. A network has a few dozen tensors, and an optimizer's state a few times as many. */
const MAX_ENTRIES = 10_000;
/** Allowed flags. Bit 3: sizes and checksum follow the data; 11: UTF-8 name. Bits 1 and 2 are irrelevant to stored data. */
const allowedFlags = 0b1000_0000_1110;

/**
 * Lists the entries by name.
 *
 * Throws DataError unless each entry is stored, not encrypted, inside the archive's root folder, and in a range of its own before the
 * directory.
 */
export async function readZip(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await findDirectory(source);
  const listed = await readDirectory(source, directory);
  const found = new Map<string, ZipEntry>();
  let end = 0;
  for (const entry of listed.toSorted((a, b) => a.header - b.header)) {
    if (entry.header < end) throw damagedZip(source, `${entry.name} overlaps the file before it`);
    const position = await dataPosition(source, entry);
    end = position + entry.size;
    if (end > directory.position) throw damagedZip(source, `${entry.name} extends into the directory`);
    if (found.has(entry.name)) throw damagedZip(source, `it contains ${entry.name} twice`);
    found.set(entry.name, { name: entry.name, size: entry.size, crc: entry.crc, position });
  }
  return found;
}

/** Reads an entry. Throws DataError if its checksum differs. */
export async function readEntry(source: ByteSource, entry: ZipEntry, into?: Uint8Array): Promise<Uint8Array> {
  const bytes = into ?? (await readPiece(source, entry.position, entry.size));
  if (into) await source.read(entry.position, into);
  if (crc32(bytes) !== entry.crc) throw damagedZip(source, `the checksum of ${entry.name} differs`);
  return bytes;
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const length = Math.min(source.size, endLength + MAX_COMMENT);
  const tail = await readPiece(source, source.size - length, length);
  let at = tail.length - endLength;
  // The end record is followed by a comment that fills the rest exactly.
  while (
    at >= 0 &&
    !(tail.readUInt32LE(at) === 0x06054b50 && tail.readUInt16LE(at + 20) === tail.length - at - endLength)
  )
    at--;
  if (at < 0) throw damagedZip(source, "it has no directory");
  const limit = source.size - length + at;
  const parts = [tail.readUInt16LE(at + 4), tail.readUInt16LE(at + 6)];
  if (parts.some((part) => part !== 0 && part !== 0xffff)) throw damagedZip(source, "it is one of several parts");
  const small = {
    entries: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    position: tail.readUInt32LE(at + 16),
  };
  const directory = (await findDirectory64(source, limit)) ?? { ...small, limit };
  if (directory.entries > MAX_ENTRIES) throw damagedZip(source, `it contains more than ${MAX_ENTRIES} files`);
  if (directory.position + directory.size > directory.limit)
    throw damagedZip(source, "its directory extends beyond its end");
  return directory;
}

/** The zip64 directory; undefined in small files without one. */
async function findDirectory64(source: ByteSource, end: number): Promise<Directory | undefined> {
  if (end < locatorLength) return undefined;
  const locator = await readPiece(source, end - locatorLength, locatorLength);
  if (locator.readUInt32LE(0) !== 0x07064b50) return undefined;
  const limit = safe(source, locator.readBigUInt64LE(8));
  const record = await readPiece(source, limit, end64Length);
  if (record.readUInt32LE(0) !== 0x06064b50) throw damagedZip(source, "its directory is not where it should be");
  const [entries, size, position] = [32, 40, 48].map((at) => safe(source, record.readBigUInt64LE(at)));
  return { entries: entries as number, size: size as number, position: position as number, limit };
}

async function readDirectory(source: ByteSource, { entries, size, position }: Directory): Promise<ListedEntry[]> {
  const bytes = await readPiece(source, position, size);
  const listed: ListedEntry[] = [];
  let at = 0;
  for (let i = 0; i < entries; i++) {
    if (at + entryLength > size || bytes.readUInt32LE(at) !== 0x02014b50)
      throw damagedZip(source, "its directory is cut off");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((place) => bytes.readUInt16LE(at + place));
    const extra = at + entryLength + (nameLength as number);
    const next = extra + (extraLength as number) + (commentLength as number);
    if (next > size) throw damagedZip(source, "its directory is cut off");
    const name = readName(source, bytes.subarray(at + entryLength, extra));
    listed.push(
      readListed(source, name, bytes.subarray(at, next), bytes.subarray(extra, extra + (extraLength as number))),
    );
    at = next;
  }
  return listed;
}

function readListed(source: ByteSource, name: string, entry: Buffer, extra: Buffer): ListedEntry {
  const flags = entry.readUInt16LE(8);
  if (flags & 1) throw new DataError(`${source.path}: ${name} is encrypted; decrypt it first`);
  if (flags & ~allowedFlags) throw damagedZip(source, `${name} has flags 0x${flags.toString(16)}`);
  const method = entry.readUInt16LE(10);
  if (method !== 0) {
    throw new DataError(
      `${source.path}: ${name} is compressed (method ${method}); PyTorch stores plain bytes, so save it again`,
    );
  }
  const large = [24, 20, 42].map((at) => entry.readUInt32LE(at));
  const [size, packed, header] = resolve64(source, name, large, extra);
  if (size !== packed) throw damagedZip(source, `${name} is stored with two different sizes`);
  return { name, size: size as number, crc: entry.readUInt32LE(16), header: header as number };
}

/** Replaces fields of all ones by the entry's zip64 extra field, in this order. */
function resolve64(source: ByteSource, name: string, fields: readonly number[], extra: Buffer): readonly number[] {
  if (!fields.includes(0xffffffff)) return fields;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const wide = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
    let used = 0;
    return fields.map((field) => {
      if (field !== 0xffffffff) return field;
      if (used + 8 > wide.length) throw damagedZip(source, `the sizes of ${name} are missing`);
      used += 8;
      return safe(source, wide.readBigUInt64LE(used - 8));
    });
  }
  throw damagedZip(source, `the sizes of ${name} are missing`);
}

/** Offset of an entry's bytes, after its local header, which must agree with the directory. */
async function dataPosition(source: ByteSource, { name, header }: ListedEntry): Promise<number> {
  const nameLength = Buffer.byteLength(name);
  const bytes = await readPiece(source, header, headerLength + nameLength);
  const same =
    bytes.readUInt32LE(0) === 0x04034b50 &&
    (bytes.readUInt16LE(6) & 1) === 0 &&
    bytes.readUInt16LE(8) === 0 &&
    bytes.readUInt16LE(26) === nameLength &&
    bytes.toString("utf8", headerLength) === name;
  if (!same) throw damagedZip(source, `${name} is not where its directory says`);
  return header + headerLength + nameLength + bytes.readUInt16LE(28);
}

function readName(source: ByteSource, bytes: Uint8Array): string {
  let name: string;
  try {
    name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new DataError(`${source.path}: damaged: it contains a name that is not UTF-8`, { cause });
  }
  const parts = name.split("/");
  const plain = !name.includes("\\") && !name.includes("\0") && !name.includes(":");
  if (plain && parts.every((part) => part !== "" && part !== "." && part !== "..")) return name;
  throw new DataError(
    `${source.path}: refused the name ${JSON.stringify(name)}, which could refer to a file outside the archive`,
  );
}

function safe(source: ByteSource, value: bigint): number {
  if (value <= BigInt(source.size)) return Number(value);
  throw damagedZip(source, `a size or offset of ${value} exceeds its end`);
}

function damagedZip({ path }: ByteSource, detail: string): DataError {
  return new DataError(`${path}: damaged, or not a zip file as PyTorch writes it: ${detail}`);
}

/** A file to add to a zip file. */
export interface ZipContent {
  readonly name: string;
  readonly size: number;
  /** Called once, when the file is written; the memory may be reused for the next one. */
  bytes(): Promise<Uint8Array>;
}

interface Written {
  readonly name: Buffer;
  readonly size: number;
  readonly crc: number;
  readonly position: number;
}

const ALIGNMENT = 64;
/** 32-bit limit; larger files would need zip64, which no supported network reaches. */
const MAX_BYTES = 0xffffffff;
/** 1980-01-01, the format's first day, so that files do not depend on the clock. */
const DATE = 0x21;

/** Writes a zip file. Throws ConfigError if it would exceed 4 GiB. */
export async function writeZip(handle: FileHandle, contents: readonly ZipContent[]): Promise<void> {
  const written: Written[] = [];
  let position = 0;
  for (const content of contents) {
    const name = Buffer.from(content.name);
    const padding = paddingAt(position + headerLength + name.length);
    const start = position + headerLength + name.length + padding;
    if (start + content.size > MAX_BYTES)
      throw new ConfigError(`${content.name}: expected a file of at most 4 GiB; use another format`);
    const bytes = await content.bytes();
    // The local header already declares `size` bytes, and the next entry follows them.
    if (bytes.length !== content.size)
      throw new Error(`${content.name}: expected ${content.size} bytes, got ${bytes.length}`);
    const entry = { name, size: bytes.length, crc: await writeCounted(handle, bytes, start), position };
    await writeAll(handle, localHeader(entry, padding), position);
    written.push(entry);
    position = start + bytes.length;
  }
  await writeAll(handle, directory(written, position), position);
}

/** Smallest extra field: its four-byte header. */
function paddingAt(end: number): number {
  return 4 + ((ALIGNMENT - ((end + 4) % ALIGNMENT)) % ALIGNMENT);
}

/** Writes a chunk and computes its checksum concurrently. */
async function writeCounted(handle: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let crc = 0;
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    const chunk = bytes.subarray(offset, offset + chunkBytes);
    const writing = writeAll(handle, chunk, position + offset);
    crc = crc32(chunk, crc);
    await writing;
  }
  return crc;
}

/** Fields common to the local header and the directory: versions, flags, method, date, checksum, sizes, lengths. */
function common({ name, size, crc }: Written, extraLength: number): Buffer {
  const bytes = Buffer.alloc(26);
  bytes.writeUInt16LE(20, 0);
  bytes.writeUInt16LE(DATE, 8);
  bytes.writeUInt32LE(crc, 10);
  bytes.writeUInt32LE(size, 14);
  bytes.writeUInt32LE(size, 18);
  bytes.writeUInt16LE(name.length, 22);
  bytes.writeUInt16LE(extraLength, 24);
  return bytes;
}

function localHeader(entry: Written, padding: number): Buffer {
  // "FB" is PyTorch's identifier of padding.
  const extra = Buffer.alloc(padding, "Z");
  extra.write("FB");
  extra.writeUInt16LE(padding - 4, 2);
  return Buffer.concat([Buffer.from("PK\x03\x04"), common(entry, padding), entry.name, extra]);
}

function directory(written: readonly Written[], position: number): Buffer {
  const entries = written.map((entry) => {
    const bytes = Buffer.alloc(entryLength);
    bytes.write("PK\x01\x02");
    bytes.writeUInt16LE(20, 4);
    common(entry, 0).copy(bytes, 6);
    bytes.writeUInt32LE(entry.position, 42);
    return Buffer.concat([bytes, entry.name]);
  });
  const size = entries.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(endLength);
  end.write("PK\x05\x06");
  end.writeUInt16LE(written.length, 8);
  end.writeUInt16LE(written.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...entries, end]);
}
