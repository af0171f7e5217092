/** The lines of a pack's index. */
import type { FileHandle } from "node:fs/promises";
import * as z from "zod";
import { DataError } from "../../errors.ts";
import { checksumOf } from "./checksum.ts";

const imageSchema = z.strictObject({
  offset: z.int().nonnegative(),
  width: z.int().positive(),
  height: z.int().positive(),
  channels: z.union([z.literal(1), z.literal(3)]),
  /** Checksum of its pixels, see `checksumOf`. */
  checksum: z.int().nonnegative(),
  moments: z.strictObject({ mean: z.array(z.number()).readonly(), products: z.array(z.number()).readonly() }),
});

/**
 * Result of an image file: `size` and times are the file's when it was read, by which it is known to be unchanged. With neither `picture` nor
 * `error`, an earlier line has the image of the same content.
 */
const lineSchema = z.strictObject({
  path: z.string(),
  size: z.number(),
  mtimeMs: z.number(),
  ctimeMs: z.number(),
  sha256: z.string(),
  picture: imageSchema.optional(),
  error: z.string().optional(),
});
/** A line of the index: of an image, or of a file that cannot be read. */
export type PackLine = z.infer<typeof lineSchema>;

/** A line of the index as text: the checksum of its JSON in eight hexadecimal digits, and the JSON. */
export function encodeLine(line: PackLine): string {
  const json = JSON.stringify(line);
  return `${hexChecksum(json)} ${json}\n`;
}

function hexChecksum(text: string): string {
  return checksumOf(Buffer.from(text)).toString(16).padStart(8, "0");
}

const READ_BYTES = 1024 * 1024;

/**
 * Reads an index whose first line is `title`. Returns where the pixels end that its lines point to. A last line without its end was never finished.
 *
 * Throws DataError if a line cannot be read.
 */
export async function readIndex(index: FileHandle, title: string, onLine: (line: PackLine) => void): Promise<number> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let [pixelBytes, position, isTitle] = [0, 0, true];
  let rest = Buffer.alloc(0);
  for (;;) {
    const { bytesRead } = await index.read(buffer, 0, READ_BYTES, position);
    if (bytesRead === 0) return pixelBytes;
    position += bytesRead;
    const text = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, start)) {
      const line = text.toString("utf8", start, end);
      if (isTitle) checkTitle(line, title);
      else pixelBytes = Math.max(pixelBytes, readLine(line, onLine));
      isTitle = false;
      start = end + 1;
    }
    rest = text.subarray(start);
  }
}

function checkTitle(line: string, title: string): void {
  if (/^\{"format":[12],/.test(line)) throw new DataError("it is of an earlier version, without checksums");
  if (line !== title) throw new DataError(`its index begins with ${line.slice(0, 80)}, not ${title}`);
}

/** Returns where its pixels end. */
function readLine(text: string, onLine: (line: PackLine) => void): number {
  let line: PackLine;
  try {
    const [sum, json] = [text.slice(0, 8), text.slice(9)];
    if (sum !== hexChecksum(json)) throw new DataError(`expected checksum ${sum}, got ${hexChecksum(json)}`);
    line = lineSchema.parse(JSON.parse(json));
  } catch (cause) {
    throw new DataError(`a line of its index cannot be read: ${text.slice(0, 80)}`, { cause });
  }
  onLine(line);
  return line.picture ? line.picture.offset + line.picture.width * line.picture.height * line.picture.channels : 0;
}
