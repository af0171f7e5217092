/** Reads an image file, only as far as needed. */
import { type FileHandle, open } from "node:fs/promises";
import { DataError, messageOf, TruncatedImageError } from "../../errors.ts";
import { type ImageFormat, readFormats, recogniseFormat } from "./format.ts";
import { inspectGif } from "./gif.ts";
import type { ImageFile } from "./imageFile.ts";
import { inspectJpeg } from "./jpeg.ts";
import { inspectPng } from "./png.ts";
import { inspectWebp } from "./webp.ts";

/** Enough for the headers of most files, the preview inside a photo included. */
const START_BYTES = 1 << 16;
/** More than an image of the most pixels takes without compression: 50 million of 4 samples of 16 bits. */
const MAX_FILE_BYTES = 2 ** 29;

/**
 * The bytes of an image file. What its start already tells to be no image that is read, damaged or too large is refused
 * without reading on. Throws DataError, also for a file that is missing or unreadable; the message lacks the file's name.
 */
export async function readImageFile(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path);
    try {
      const start = await readStart(file);
      if (start.length < START_BYTES) return start;
      refuseByStart(start, (await file.stat()).size);
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

/** The first bytes, fewer if the file has no more. A pipe gives them piece by piece. */
async function readStart(file: FileHandle): Promise<Uint8Array> {
  const start = new Uint8Array(START_BYTES);
  for (let length = 0; length < START_BYTES; ) {
    const { bytesRead } = await file.read(start, length, START_BYTES - length);
    if (bytesRead === 0) return start.subarray(0, length);
    length += bytesRead;
  }
  return start;
}

function refuseByStart(start: Uint8Array, size: number): void {
  try {
    inspectImage(start);
  } catch (error) {
    if (!(error instanceof TruncatedImageError)) throw error;
  }
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
};

/**
 * Inspects an image file by its content: its header, and the part to decode. Nothing is decoded, and memory is that
 * of the file. Bytes behind the end of the image are allowed, as cameras write them.
 *
 * Throws DataError if the format is not one that is read, if the image has no pixels or too many, or if the file is damaged
 * or not whole, which decoders do not notice: they invent what is missing, or do not read that far. The message lacks the
 * file's name, which the caller puts in front.
 */
export function inspectImage(bytes: Uint8Array): ImageFile {
  const format = recogniseFormat(bytes);
  if (typeof format === "object") {
    throw new DataError(`expected a ${readFormats} image, got ${format.other}; give an image in one of these formats`);
  }
  return inspectors[format](bytes);
}
