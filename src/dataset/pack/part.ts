/** The part of a pack that this process writes. */
import { type FileHandle, open } from "node:fs/promises";
import { indexEnd, openPixels, type PackPixels, pixelsEnd } from "./pixels.ts";

/** Pixels or milliseconds after which what was appended is made to stay. */
const SYNC_BYTES = 64e6;
const SYNC_MS = 2000;

/** Its files, open for writing. */
export interface OwnPart {
  readonly pixels: FileHandle;
  readonly index: FileHandle;
  readonly lines: Lines;
}

/** Makes the files of a part, which nobody else has made. Its pixels come last among those open for reading. */
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

/** Lines whose pixels may not be on the disk yet. */
interface Lines {
  add(line: string): void;
  /** `end` is where all pixels end now. */
  areDue(end: number): boolean;
  /** Waits only until the last sync is done: while this one goes on, more can be appended. After one that failed, all fail. */
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
      syncing.catch(() => {}); // whoever waits for it next is told
    },
    synced: () => syncing,
  };
}
