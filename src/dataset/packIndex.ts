/** The lines of a pack's index. */
import type { FileHandle } from "node:fs/promises";
import { z } from "zod";
import { DataError } from "../errors.ts";

const pictureSchema = z.strictObject({
  offset: z.int().nonnegative(),
  width: z.int().positive(),
  height: z.int().positive(),
  channels: z.union([z.literal(1), z.literal(3)]),
  moments: z.strictObject({ mean: z.array(z.number()).readonly(), products: z.array(z.number()).readonly() }),
});

/** What became of a picture file: `size` and times are the file's when it was read, by which it is known to be unchanged. */
const lineSchema = z.strictObject({
  path: z.string(),
  size: z.number(),
  mtimeMs: z.number(),
  ctimeMs: z.number(),
  sha256: z.string(),
  picture: pictureSchema.optional(),
  error: z.string().optional(),
});
/** A line of the index: of a picture, or of a file that cannot be read. */
export type PackLine = z.infer<typeof lineSchema>;

const READ_BYTES = 1024 * 1024;

/**
 * Reads an index whose first line is `title`. Returns how long both files are as far as they belong together: a last line without its end was
 * never finished.
 *
 * Throws DataError if a line cannot be read.
 */
export async function readIndex(index: FileHandle, title: string, onLine: (line: PackLine) => void) {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let [pixelBytes, indexBytes, position] = [0, 0, 0];
  let rest = Buffer.alloc(0);
  for (;;) {
    const { bytesRead } = await index.read(buffer, 0, READ_BYTES, position);
    if (bytesRead === 0) return { pixelBytes, indexBytes };
    position += bytesRead;
    const text = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, start)) {
      const line = text.toString("utf8", start, end);
      if (indexBytes === 0) checkTitle(line, title);
      else pixelBytes = Math.max(pixelBytes, readLine(line, onLine));
      indexBytes += end + 1 - start;
      start = end + 1;
    }
    rest = text.subarray(start);
  }
}

function checkTitle(line: string, title: string): void {
  if (line !== title) throw new DataError(`its index begins with ${line.slice(0, 80)}, not ${title}`);
}

/** Returns where its pixels end. */
function readLine(text: string, onLine: (line: PackLine) => void): number {
  let line: PackLine;
  try {
    line = lineSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new DataError(`a line of its index cannot be read: ${text.slice(0, 80)}`, { cause });
  }
  onLine(line);
  return line.picture ? line.picture.offset + line.picture.width * line.picture.height * line.picture.channels : 0;
}
