/** Zip files of stored bytes, as PyTorch writes them; nothing is compressed. Source: PKWARE, APPNOTE.TXT, sections 4.3 and 4.5 (zip64). */
import type { FileHandle } from "node:fs/promises";
import { chunkBytes, writeAll } from "../../checkpoint/safetensorsWriter.ts";
import { ConfigError, DataError } from "../../errors.ts";
import { crc32 } from "../../image/files/crc32.ts";
import { type ByteSource, readPiece } from "./byteSource.ts";

/** A file in a zip file. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly crc: number;
  /** Of its bytes in the zip file. */
  readonly position: number;
}

interface Directory {
  readonly entries: number;
  readonly size: number;
  readonly position: number;
  /** Where it must have ended. */
  readonly limit: number;
}

interface ListedEntry {
  readonly name: string;
  readonly size: number;
  readonly crc: number;
  readonly header: number;
}

/** Bytes of the local header, the directory entry and the end record, without names, extra fields and comments. */
const [headerLength, entryLength, endLength] = [30, 46, 22];
const [end64Length, locatorLength] = [56, 20];
const MAX_COMMENT = 0xffff;
/** A network has some dozen tensors, and an optimizer's state a few times that. */
const MAX_ENTRIES = 10_000;
/** Bit 3: sizes and checksum stand behind the data; 11: the name is UTF-8. 1 and 2 say nothing of stored data. */
const allowedFlags = 0b1000_0000_1110;

/**
 * Lists the files, by name.
 *
 * Throws DataError unless each is stored, not encrypted, with a name that stays below the top, and lies in a place of its own before the directory.
 */
export async function readZip(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await findDirectory(source);
  const listed = await readDirectory(source, directory);
  const found = new Map<string, ZipEntry>();
  let end = 0;
  for (const entry of listed.toSorted((a, b) => a.header - b.header)) {
    if (entry.header < end) throw damagedZip(source, `${entry.name} lies over the file before it`);
    const position = await dataPosition(source, entry);
    end = position + entry.size;
    if (end > directory.position) throw damagedZip(source, `${entry.name} goes on into the directory`);
    if (found.has(entry.name)) throw damagedZip(source, `${entry.name} is in it twice`);
    found.set(entry.name, { name: entry.name, size: entry.size, crc: entry.crc, position });
  }
  return found;
}

/** Reads a file whole. Throws DataError if its checksum differs. */
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
  // A comment of just the length that is left stands behind it.
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
  if (directory.entries > MAX_ENTRIES) throw damagedZip(source, `more than ${MAX_ENTRIES} files in it`);
  if (directory.position + directory.size > directory.limit)
    throw damagedZip(source, "its directory goes beyond its end");
  return directory;
}

/** The directory as zip64 has it; undefined in small files that do without. */
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
  if (size !== packed) throw damagedZip(source, `${name} is stored, but of two sizes`);
  return { name, size: size as number, crc: entry.readUInt32LE(16), header: header as number };
}

/** Fields that are all ones stand in the zip64 part of what is extra, in this order. */
function resolve64(source: ByteSource, name: string, fields: readonly number[], extra: Buffer): readonly number[] {
  if (!fields.includes(0xffffffff)) return fields;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const wide = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
    let used = 0;
    return fields.map((field) => {
      if (field !== 0xffffffff) return field;
      if (used + 8 > wide.length) throw damagedZip(source, `${name} lacks its sizes`);
      used += 8;
      return safe(source, wide.readBigUInt64LE(used - 8));
    });
  }
  throw damagedZip(source, `${name} lacks its sizes`);
}

/** Where the bytes of an entry begin: behind its own header, which must say the same as the directory. */
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
    throw new DataError(`${source.path}: damaged: a name in it is not UTF-8`, { cause });
  }
  const parts = name.split("/");
  const plain = !name.includes("\\") && !name.includes("\0") && !name.includes(":");
  if (plain && parts.every((part) => part !== "" && part !== "." && part !== "..")) return name;
  throw new DataError(`${source.path}: the name ${JSON.stringify(name)} in it could lead out of a folder; refused`);
}

function safe(source: ByteSource, value: bigint): number {
  if (value <= BigInt(source.size)) return Number(value);
  throw damagedZip(source, `a size or place of ${value} is beyond its end`);
}

function damagedZip({ path }: ByteSource, detail: string): DataError {
  return new DataError(`${path}: damaged, or not a zip file as PyTorch writes it: ${detail}`);
}

/** A file to be put into a zip file. */
export interface ZipContent {
  readonly name: string;
  readonly size: number;
  /** Is asked for once, when its turn has come; the memory may be used again for the next. */
  bytes(): Promise<Uint8Array>;
}

interface Written {
  readonly name: Buffer;
  readonly size: number;
  readonly crc: number;
  readonly position: number;
}

const ALIGNMENT = 64;
/** What 32 bits count; larger files would need zip64, and no network here comes near. */
const MAX_BYTES = 0xffffffff;
/** 1980-01-01, the first day that the format knows: a file's bytes do not depend on the clock. */
const DATE = 0x21;

/** Throws ConfigError if the files come to more than 4 GiB. */
export async function writeZip(handle: FileHandle, contents: readonly ZipContent[]): Promise<void> {
  const written: Written[] = [];
  let position = 0;
  for (const content of contents) {
    const name = Buffer.from(content.name);
    const padding = paddingAt(position + headerLength + name.length);
    const start = position + headerLength + name.length + padding;
    if (start + content.size > MAX_BYTES)
      throw new ConfigError(`${content.name}: a file of more than 4 GiB; use another format`);
    const bytes = await content.bytes();
    // Of what was to come `size` bytes were announced, and the next file begins behind those.
    if (bytes.length !== content.size)
      throw new Error(`${content.name}: ${bytes.length} bytes, announced as ${content.size}`);
    const entry = { name, size: bytes.length, crc: await writeCounted(handle, bytes, start), position };
    await writeAll(handle, localHeader(entry, padding), position);
    written.push(entry);
    position = start + bytes.length;
  }
  await writeAll(handle, directory(written, position), position);
}

/** At least the four bytes that extra data begin with. */
function paddingAt(end: number): number {
  return 4 + ((ALIGNMENT - ((end + 4) % ALIGNMENT)) % ALIGNMENT);
}

/** The system writes a chunk while this thread counts it. Returns the checksum. */
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

/** What an entry's own header and the directory say alike: versions, flags, method, date, checksum, sizes, lengths. */
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
  // "FB" is what PyTorch calls its padding.
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
