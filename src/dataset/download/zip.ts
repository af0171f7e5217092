/** Reads zip archives strictly, one file at a time. Source: PKWARE, APPNOTE.TXT, as read by yauzl. */
import { isUtf8 } from "node:buffer";
import * as yauzl from "yauzl";
import { DataError, messageOf } from "../../errors.ts";
import { crc32 } from "../../image/files/crc32.ts";
import type { TarOptions, UseFile } from "./tar.ts";

/**
 * Reads files of a zip archive one at a time, and calls `use` with each file and its full name. Names inside the archive are unique and never lead out
 * of a folder; sizes and checksums are verified.
 *
 * Throws DataError naming the archive if it is unreadable, corrupt, encrypted, or compressed by another method than deflate.
 */
export async function eachZipFile(
  archive: string,
  { isWanted, maxBytes, signal }: TarOptions,
  use: UseFile,
): Promise<void> {
  const names = new Set<string>();
  try {
    const zip = await yauzl.openPromise(archive, { autoClose: false });
    try {
      for await (const entry of zip.eachEntry()) {
        signal?.throwIfAborted();
        const name = nameOf(entry);
        const { uncompressedSize } = entry;
        if (name.endsWith("/") || !isWanted(name)) continue;
        if (names.has(name)) throw new DataError(`${archive}: ${name}: expected once, got twice`);
        names.add(name);
        if (uncompressedSize > maxBytes)
          throw new DataError(`${archive}: ${name}: expected at most ${maxBytes} bytes, got ${uncompressedSize}`);
        if (!entry.canDecodeFileData())
          throw new DataError(
            `${archive}: ${name}: expected a file stored or compressed by deflate, got an encrypted one or another method; pack it again`,
          );
        await use(name, await contentOf(archive, zip, entry));
      }
    } finally {
      zip.close();
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DataError) throw error;
    throw new DataError(`${archive}: expected an intact zip file: ${messageOf(error)}`, { cause: error });
  }
}

/** Bit 11 of the flags: the name is UTF-8, otherwise in the code page 437 of the specification. */
const UTF8_FLAG = 0x800;

/**
 * Name of an entry. Names that are valid UTF-8 are read as such even without the flag, which macOS's Finder and older tools leave out: in code page 437
 * they would be sequences of line-drawing characters.
 */
function nameOf({ fileName, fileNameRaw, generalPurposeBitFlag, extraFields }: yauzl.Entry): string {
  if ((generalPurposeBitFlag & UTF8_FLAG) !== 0 || !isUtf8(fileNameRaw)) return fileName;
  return yauzl.getFileNameLowLevel(generalPurposeBitFlag | UTF8_FLAG, fileNameRaw, extraFields, false);
}

async function contentOf(archive: string, zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<Uint8Array> {
  const bytes = new Uint8Array(entry.uncompressedSize);
  let at = 0;
  // yauzl ends the stream with an error if it has more or fewer bytes.
  for await (const piece of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Uint8Array>) {
    bytes.set(piece, at);
    at += piece.length;
  }
  if (crc32(bytes) === entry.crc32) return bytes;
  throw new DataError(`${archive}: ${nameOf(entry)}: its checksum differs; copy or download the archive again`);
}
