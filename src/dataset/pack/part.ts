/** The part of a pack that this process writes. */
import { type FileHandle, open } from "node:fs/promises";
import { indexEnd, openPixels, type PackPixels, pixelsEnd } from "./pixels.ts";

/** Pixel bytes or milliseconds after which appended data is flushed to disk. */
const SYNC_BYTES = 16e6;
const SYNC_MS = 2000;

/** Files of a part, open for writing. */
export interface OwnPart {
  readonly pixels: FileHandle;
  readonly index: FileHandle;
  readonly lines: Lines;
}

/** Creates the files of a new part. Its pixels become the last of those open for reading. */
export async function createPart(path: string, title: string, pixels: PackPixels): Promise<OwnPart> {
  const own = await open(path + pixelsEnd, "ax");
  let index: FileHandle | undefined;
  try {
    openPixels(pixels, path + pixelsEnd);
    index = await open(path + indexEnd, "ax");
    await index.appendFile(`${title}\n`);
    return { pixels: own, index, lines: createLines(index, own) };
  } catch (error) {
    await Promise.all([own.close(), index?.close()]);
    throw error;
  }
}

/** Lines waiting until their pixels are on the disk. */
interface Lines {
  add(line: string): void;
  /** `end` is the new end of all pixels. */
  areDue(end: number): boolean;
  /** Waits for the previous flush only, so that more can be appended during this one. After a failed flush, all later ones fail. */
  beginSync(end: number): Promise<void>;
  synced(): Promise<void>;
}

function createLines(index: FileHandle, pixels: FileHandle): Lines {
  let waiting: string[] = [];
  let [syncedEnd, syncedAt] = [0, performance.now()];
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
      syncing.catch(() => {}); // The next flush reports it.
    },
    synced: () => syncing,
  };
}
