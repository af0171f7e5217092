/** Reads an image file, only as far as necessary. */
import { type FileHandle, open } from "node:fs/promises";
import { DataError, messageOf, TruncatedImageError } from "../../errors.ts";
import { inspectBmp } from "./bmp.ts";
import { type ImageFormat, readFormats, recogniseFormat } from "./format.ts";
import { inspectGif } from "./gif.ts";
import { inspectHeif } from "./heif.ts";
import type { ImageFile } from "./imageFile.ts";
import { inspectJpeg } from "./jpeg.ts";
import { inspectPng } from "./png.ts";
import { checkLateTiff, inspectTiff } from "./tiff.ts";
import { directoryPlace } from "./tiffDirectory.ts";
import { inspectWebp } from "./webp.ts";

/** Enough for the headers of most files, including a photo's embedded preview. */
const START_BYTES = 1 << 16;
/** Above the uncompressed size of the largest image: 64 million pixels of 4 samples of 16 bits. */
const MAX_FILE_BYTES = 2 ** 29;

/**
 * Reads an image file. A file whose beginning shows that it is unsupported, damaged or too large is not read further. Throws DataError,
 * also for a missing or unreadable file; the message lacks the file's name.
 */
export async function readImageFile(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path);
    try {
      const start = await readStart(file);
      if (start.length < START_BYTES) return start;
      const stat = await file.stat();
      refuseByStart(start, stat.size);
      if (stat.isFile()) await refuseByLateHeader(file, start);
      return Buffer.concat([start, await file.readFile()]);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const reason = isMissing ? "there is no such file" : messageOf(error);
    throw new DataError(`expected a ${readFormats} image, but ${reason}`, { cause: error });
  }
}

/** Maximum size of an image from a stream, which is in memory twice for a moment. */
const MAX_STREAM_BYTES = 2 ** 28;

/** Reads an image from a stream, with the checks of `readImageFile`. Throws DataError; the message begins with `image: `. */
export async function readImageStream(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let [bytes, isChecked] = [0, false];
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (!isChecked && bytes >= START_BYTES) {
      refuse(() => refuseByStart(Buffer.concat(chunks), 0));
      isChecked = true;
    }
    if (bytes > MAX_STREAM_BYTES) {
      throw new DataError(`image: expected at most ${Math.floor(MAX_STREAM_BYTES / 1e6)} MB, got more; give a file`);
    }
  }
  return Buffer.concat(chunks);
}

function refuse(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    throw new DataError(`image: ${error.message}`, { cause: error });
  }
}

/** Reads the first bytes, or fewer if the file is shorter. A pipe may return them in pieces. */
async function readStart(file: FileHandle): Promise<Uint8Array> {
  const start = new Uint8Array(START_BYTES);
  for (let length = 0; length < START_BYTES; ) {
    const { bytesRead } = await file.read(start, length, START_BYTES - length);
    if (bytesRead === 0) return start.subarray(0, length);
    length += bytesRead;
  }
  return start;
}

/** Checks a header that lies after the start, as in most TIFF files, before everything before it is read. */
async function refuseByLateHeader(file: FileHandle, start: Uint8Array): Promise<void> {
  if (recogniseFormat(start) !== "TIFF") return;
  const late = new Uint8Array(START_BYTES);
  const { bytesRead } = await file.read(late, 0, START_BYTES, directoryPlace(start));
  ignoreTruncation(() => checkLateTiff(start, late.subarray(0, bytesRead)));
}

function ignoreTruncation(check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof TruncatedImageError)) throw error;
  }
}

function refuseByStart(start: Uint8Array, size: number): void {
  ignoreTruncation(() => inspectImage(start));
  if (size <= MAX_FILE_BYTES) return;
  const megabytes = Math.ceil(size / 1e6);
  throw new DataError(
    `expected an image file of at most ${Math.floor(MAX_FILE_BYTES / 1e6)} MB, got one of ${megabytes} MB; make the image smaller first`,
  );
}

const inspectors: Readonly<Record<ImageFormat, (bytes: Uint8Array) => ImageFile>> = {
  JPEG: inspectJpeg,
  PNG: inspectPng,
  WebP: inspectWebp,
  GIF: inspectGif,
  TIFF: inspectTiff,
  BMP: inspectBmp,
  AVIF: inspectHeif("AVIF"),
  HEIC: inspectHeif("HEIC"),
};

/**
 * Parses an image file by content: its header, and the part to decode. Decodes nothing, and needs no memory beyond the file. Bytes after
 * the end of the image are allowed, because cameras write them.
 *
 * Throws DataError for an unsupported format, for no or too many pixels, and for a damaged or incomplete file, which decoders do not detect
 * because they invent missing data or stop early. The message lacks the file's name, which the caller prepends.
 */
export function inspectImage(bytes: Uint8Array): ImageFile {
  const format = recogniseFormat(bytes);
  if (typeof format === "object") {
    throw new DataError(`expected a ${readFormats} image, got ${format.other}; give an image in one of these formats`);
  }
  return inspectors[format](bytes);
}
