/**
 * The files of a pack. It has parts: `NAME.bin`, images after each other, and `NAME.jsonl`, a line for what the pack is of and then one for each image
 * file. Images and lines have checksums. Every process that adds something makes a part of its own, and nobody else writes to that: so whichever processes write at once, without seeing each
 * other's lock (from two containers, say), a line points to nothing but what its own process wrote. Pixels are on the disk before their lines are; what a
 * process that dies leaves after them counts for nothing.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, DataError, messageOf } from "../../errors.ts";
import { encodeLine, type PackLine, readIndex } from "./entries.ts";
import { createPart, type OwnPart } from "./part.ts";
import { closePixels, indexEnd, noPixels, openPixels, type PackPixels, pixelsEnd } from "./pixels.ts";

/** A pack that is being written. */
export interface PackFiles {
  /** Pixels of all parts by their numbers, open for reading until the caller closes them. */
  readonly pixels: PackPixels;
  /** Bytes of all pixels. */
  readonly pixelBytes: number;
  /** Returns where they begin. */
  appendPixels(pixels: Uint8Array): Promise<{ readonly part: number; readonly offset: number }>;
  /** A line is written some time after its pixels. */
  appendLine(line: PackLine): Promise<void>;
  /** Writes all that was appended, for good. */
  finish(): Promise<void>;
  /** Ends writing. */
  close(): Promise<void>;
}

/** Largest number of parts, one for each time that images were added; a pack with more is made again. */
const MAX_PARTS = 100;

/** Removes all parts. Who has them open can go on reading, and writing what nobody will find. */
export async function removePackFiles(folder: string): Promise<void> {
  await writing(folder, async () => {
    const names = (await readdir(folder)).filter((name) => name.endsWith(pixelsEnd) || name.endsWith(indexEnd));
    for (const name of names) await rm(join(folder, name), { force: true });
  });
}

/** The names of a pack's parts, the earliest first: they begin with numbers, and two that were made at once have the same. */
async function partNames(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(indexEnd));
  const parts = names.map((name) => name.slice(0, -indexEnd.length));
  return parts.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1));
}

/**
 * Opens a pack to be added to, or makes it; `onLine` gets what it has, with the number of the part. `title` is the first line of each part: what the
 * pack is of.
 *
 * Throws DataError if it is damaged, in too many parts or of something else, or cannot be written.
 */
export async function openPack(
  folder: string,
  title: string,
  onLine: (line: PackLine, part: number) => void,
): Promise<PackFiles> {
  return writing(folder, async () => {
    await mkdir(folder, { recursive: true });
    const names = await partNames(folder);
    if (names.length >= MAX_PARTS) throw new DataError(`it is in ${names.length} parts`);
    const pixels = noPixels();
    try {
      let pixelBytes = 0;
      for (const [part, name] of names.entries()) {
        pixelBytes += await readPart(join(folder, name), title, pixels, (line) => onLine(line, part));
      }
      const next = Number.parseInt(names.at(-1) ?? "0", 10) + 1;
      return packFiles(folder, `${next}-${randomUUID()}`, title, pixels, pixelBytes);
    } catch (error) {
      await closePixels(pixels);
      throw error;
    }
  });
}

/** Opens its pixels, and returns how many bytes they are. Throws DataError if its lines point beyond them. */
async function readPart(
  path: string,
  title: string,
  pixels: PackPixels,
  onLine: (line: PackLine) => void,
): Promise<number> {
  const index = await open(path + indexEnd);
  try {
    const expected = await readIndex(index, title, onLine);
    const found = await stat(path + pixelsEnd).catch(() => undefined);
    if (!found || found.size < expected)
      throw new DataError(`${path}${pixelsEnd}: expected ${expected} bytes, got ${found?.size ?? "no such file"}`);
    openPixels(pixels, path + pixelsEnd);
    return found.size;
  } finally {
    await index.close();
  }
}

function packFiles(folder: string, name: string, title: string, pixels: PackPixels, before: number): PackFiles {
  let end = 0;
  const part = pixels.paths.length;
  let creating: Promise<OwnPart> | undefined;
  /** Made when there is something to write. */
  const own = () => {
    creating ??= createPart(join(folder, name), title, pixels);
    return creating;
  };
  return {
    pixels,
    get pixelBytes() {
      return before + end;
    },
    async appendPixels(data) {
      const offset = end;
      await writing(folder, async () => (await own()).pixels.appendFile(data));
      end += data.length;
      return { part, offset };
    },
    async appendLine(line) {
      await writing(folder, async () => {
        const { lines } = await own();
        lines.add(encodeLine(line));
        if (lines.areDue(end)) await lines.beginSync(end);
      });
    },
    async finish() {
      await writing(folder, async () => {
        const lines = (await creating)?.lines;
        await lines?.beginSync(end);
        await lines?.synced();
      });
    },
    async close() {
      const made = await creating?.catch(() => undefined);
      await made?.lines.synced().catch(() => {});
      await Promise.all([made?.index.close(), made?.pixels.close()]);
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
