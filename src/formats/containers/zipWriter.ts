/** Writes zip files as PyTorch does: bytes as they are, each file's at a multiple of 64. Source: PKWARE, APPNOTE.TXT, section 4.3. */
import type { FileHandle } from "node:fs/promises";
import { chunkBytes, writeAll } from "../../checkpoint/safetensorsWriter.ts";
import { ConfigError } from "../../errors.ts";
import { crc32 } from "../../image/files/crc32.ts";
import { endLength, entryLength, headerLength } from "./zipLayout.ts";

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
