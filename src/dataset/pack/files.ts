/**
 * Files of a pack. A pack consists of parts: `NAME.bin` with consecutive images, and `NAME.jsonl` with a line for the pack's contents and then one
 * per image file. Images and lines have checksums. Each process that adds images creates a part of its own, which no other process writes. So
 * processes that write at the same time without seeing each other's lock (from two containers, say) cannot corrupt each other's parts. Pixels
 * reach the disk before their lines; pixels without lines, after a crash, are ignored.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, DataError, messageOf } from "../../errors.ts";
import { encodeLine, type PackLine, readIndex } from "./entries.ts";
import { createPart, type OwnPart } from "./part.ts";
import { closePixels, indexEnd, noPixels, openPixels, type PackPixels, pixelsEnd } from "./pixels.ts";

/** A pack open for writing. */
export interface PackFiles {
  /** Pixels of all parts by number, open for reading until the caller closes them. */
  readonly pixels: PackPixels;
  /** Size of all pixels in bytes. */
  readonly pixelBytes: number;
  /** Returns the offset of the appended pixels. */
  appendPixels(pixels: Uint8Array): Promise<{ readonly part: number; readonly offset: number }>;
  /** Appends a line; it is written some time after its pixels. */
  appendLine(line: PackLine): Promise<void>;
  /** Flushes all appended data to disk. */
  finish(): Promise<void>;
  /** Flushes, and closes the files for writing. */
  close(): Promise<void>;
}

/** Maximum number of parts, one per time that images were added; a pack with more is rebuilt. */
const MAX_PARTS = 100;

/** Removes all parts. A process that has them open can still read them, and its writes are lost. */
export async function removePackFiles(folder: string): Promise<void> {
  await writing(folder, async () => {
    const names = (await readdir(folder)).filter((name) => name.endsWith(pixelsEnd) || name.endsWith(indexEnd));
    for (const name of names) await rm(join(folder, name), { force: true });
  });
}

/** Names of a pack's parts, the earliest first. They begin with numbers; two parts created at the same time have the same number. */
async function partNames(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(indexEnd));
  const parts = names.map((name) => name.slice(0, -indexEnd.length));
  return parts.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1));
}

/**
 * Opens a pack for adding images, or creates it. `onLine` is called with each existing line and the number of its part. `title`, the first line of
 * each part, describes the pack's contents.
 *
 * Throws DataError if the pack is corrupt, has too many parts or other contents, or cannot be written.
 */
export async function openPack(
  folder: string,
  title: string,
  onLine: (line: PackLine, part: number) => void,
): Promise<PackFiles> {
  return writing(folder, async () => {
    await mkdir(folder, { recursive: true });
    const names = await partNames(folder);
    if (names.length >= MAX_PARTS) throw new DataError(`it has ${names.length} parts`);
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

/** Opens a part's pixels, and returns their size in bytes. Throws DataError if its lines point beyond them. */
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
  /** Created when there is something to write. */
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

/** Throws DataError naming the folder if the system refuses to write to it. */
export async function writing<T>(folder: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof Error && "syscall" in cause)) throw cause;
    const remedy = noSpace.has(codeOf(cause)) ? "; free some space; packed images are kept" : "";
    throw new DataError(`${folder}: the pack cannot be written: ${messageOf(cause)}${remedy}`, { cause });
  }
}
