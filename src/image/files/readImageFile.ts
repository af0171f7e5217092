/** Reads an image file, only as far as needed. */
import { type FileHandle, open } from "node:fs/promises";
import { DataError, messageOf, TruncatedImageError } from "../../errors.ts";
import { readFormats } from "./format.ts";
import { inspectImage } from "./inspect.ts";

/** Enough for the headers of most files, the preview inside a photo included. */
const START_BYTES = 1 << 16;
/** More than a picture of the most pixels takes without compression: 50 million of 4 samples of 16 bits. */
const MAX_FILE_BYTES = 2 ** 29;

/**
 * The bytes of an image file. What its start already tells to be no picture that is read, damaged or too large is refused
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
    `expected an image file of at most ${Math.floor(MAX_FILE_BYTES / 1e6)} MB, got one of ${megabytes} MB; make the picture smaller first`,
  );
}
