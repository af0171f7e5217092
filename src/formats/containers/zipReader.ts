/**
 * Reads zip files that hold plain bytes, as PyTorch writes them: stored, never compressed, so that nothing unpacks to more than the file is.
 *
 * Source: PKWARE, APPNOTE.TXT, sections 4.3 and 4.5 (zip64).
 */
import { DataError } from "../../errors.ts";
import { crc32 } from "../../image/files/crc32.ts";
import { type ByteSource, readPiece } from "./byteSource.ts";
import { endLength, entryLength, headerLength } from "./zipLayout.ts";

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

const end64Length = 56;
const locatorLength = 20;
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
