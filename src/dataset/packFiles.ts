/**
 * The two files of a pack: `pixels.bin`, pictures after each other, and `index.jsonl`, a line for what the pack is of and then one for each
 * picture file. Both only grow. Pixels are on the disk before the lines that point to them, so whatever a process that dies leaves behind them is
 * cut off.
 */
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, DataError, messageOf } from "../errors.ts";
import { type PackLine, readIndex } from "./packIndex.ts";

/** A pack that is being written. */
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

/** The path of a pack's pixels. */
export function pixelsFile(folder: string): string {
  return join(folder, "pixels.bin");
}

/** The path of its index. */
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

/** Pixels or milliseconds after which what was appended is made to stay. */
const SYNC_BYTES = 64e6;
const SYNC_MS = 2000;

function packFiles(folder: string, index: FileHandle, pixels: FileHandle, start: number): PackFiles {
  let end = start;
  const lines = createLines(index, pixels, start);
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
      lines.add(`${JSON.stringify(line)}\n`);
      if (lines.areDue(end)) await writing(folder, () => lines.beginSync(end));
    },
    async finish() {
      await writing(folder, async () => {
        await lines.beginSync(end);
        await lines.synced();
      });
    },
    async close() {
      await lines.synced().catch(() => {});
      await Promise.all([index.close(), pixels.close()]);
    },
  };
}

/** Lines whose pixels may not be on the disk yet. */
interface Lines {
  add(line: string): void;
  /** `end` is where all pixels end now. */
  areDue(end: number): boolean;
  /** Waits only until the last sync is done: while this one goes on, more can be appended. After one that failed, all fail. */
  beginSync(end: number): Promise<void>;
  synced(): Promise<void>;
}

function createLines(index: FileHandle, pixels: FileHandle, start: number): Lines {
  let waiting: string[] = [];
  let [syncedEnd, syncedAt] = [start, performance.now()];
  let syncing: Promise<void> = Promise.resolve();
  const sync = async (text: string) => {
    await pixels.datasync();
    await index.appendFile(text);
    await index.datasync();
  };
  return {
    add: (line) => {
      waiting.push(line);
    },
    areDue: (end) => end - syncedEnd >= SYNC_BYTES || performance.now() - syncedAt >= SYNC_MS,
    async beginSync(end) {
      await syncing;
      const text = waiting.join("");
      [waiting, syncedEnd, syncedAt] = [[], end, performance.now()];
      syncing = sync(text);
      syncing.catch(() => {}); // whoever waits for it next is told
    },
    synced: () => syncing,
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
