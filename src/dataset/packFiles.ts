/**
 * The two files of a pack: `pixels.bin`, pictures after each other, and `index.jsonl`, a line for what the pack is of and then one for each
 * picture file. Both only grow. Pixels are on the disk before the lines that point to them, so whatever a process that dies leaves behind them is
 * cut off.
 */
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { codeOf, DataError, messageOf } from "../errors.ts";

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
export type PackLine = z.infer<typeof lineSchema>;

export interface PackFiles {
  /** Bytes of all pixels. */
  readonly pixelBytes: number;
  /** Returns where they begin. */
  appendPixels(pixels: Uint8Array): Promise<number>;
  /** A line is written some time after its pixels. */
  appendLine(line: PackLine): Promise<void>;
  /** Writes all that was appended, for good. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

export function pixelsFile(folder: string): string {
  return join(folder, "pixels.bin");
}

export function indexFile(folder: string): string {
  return join(folder, "index.jsonl");
}

/** Removes both files. Who has them open can go on reading. */
export async function removePackFiles(folder: string): Promise<void> {
  await writing(folder, async () => {
    for (const file of [indexFile(folder), pixelsFile(folder)]) await rm(file, { force: true });
  });
}

/**
 * Opens a pack to be added to, or makes it; `onLine` gets what it has. `title` is its first line: what it is of.
 *
 * Throws DataError if it is damaged or of something else, or cannot be written.
 */
export async function openPack(folder: string, title: string, onLine: (line: PackLine) => void): Promise<PackFiles> {
  return writing(folder, async () => {
    await mkdir(folder, { recursive: true });
    const index = await open(indexFile(folder), "a+");
    const pixels = await open(pixelsFile(folder), "a+").catch(async (error: unknown) => {
      await index.close();
      throw error;
    });
    try {
      const indexed = await readIndex(index, title, onLine);
      const { size } = await pixels.stat();
      if (size < indexed.pixelBytes) {
        throw new DataError(`${pixelsFile(folder)}: expected ${indexed.pixelBytes} bytes, got ${size}`);
      }
      await pixels.truncate(indexed.pixelBytes);
      await index.truncate(indexed.indexBytes);
      if (indexed.indexBytes === 0) await index.appendFile(`${title}\n`);
      return packFiles(folder, index, pixels, indexed.pixelBytes);
    } catch (error) {
      await Promise.all([index.close(), pixels.close()]);
      throw error;
    }
  });
}

const READ_BYTES = 1024 * 1024;

/** How long both files are as far as they belong together. A last line without its end was never finished. */
async function readIndex(index: FileHandle, title: string, onLine: (line: PackLine) => void) {
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

/** Pixels or milliseconds after which what was appended is made to stay. */
const SYNC_BYTES = 64e6;
const SYNC_MS = 2000;

function packFiles(folder: string, index: FileHandle, pixels: FileHandle, start: number): PackFiles {
  let end = start;
  let lines: string[] = [];
  let [syncedEnd, syncedAt] = [start, performance.now()];
  let syncing: Promise<void> = Promise.resolve();
  const sync = async (text: string) => {
    await pixels.datasync();
    await index.appendFile(text);
    await index.datasync();
  };
  /** Begins when the last one is done; meanwhile more can be appended. */
  const beginSync = async () => {
    await syncing;
    const text = lines.join("");
    [lines, syncedEnd, syncedAt] = [[], end, performance.now()];
    syncing = sync(text);
    syncing.catch(() => {}); // whoever waits for it next is told
  };
  return {
    get pixelBytes() {
      return end;
    },
    async appendPixels(data) {
      const offset = end;
      await writing(folder, () => pixels.appendFile(data));
      end += data.length;
      return offset;
    },
    async appendLine(line) {
      lines.push(`${JSON.stringify(line)}\n`);
      const isDue = end - syncedEnd >= SYNC_BYTES || performance.now() - syncedAt >= SYNC_MS;
      if (isDue) await writing(folder, beginSync);
    },
    async finish() {
      await writing(folder, async () => {
        await beginSync();
        await syncing;
      });
    },
    async close() {
      await syncing.catch(() => {});
      await Promise.all([index.close(), pixels.close()]);
    },
  };
}

const noSpace: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** Throws DataError naming the folder if the system refuses to write there. */
export async function writing<T>(folder: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof Error && "syscall" in cause)) throw cause;
    const remedy = noSpace.has(codeOf(cause)) ? "; free some space: what is packed already stays" : "";
    throw new DataError(`${folder}: the pack cannot be written: ${messageOf(cause)}${remedy}`, { cause });
  }
}
