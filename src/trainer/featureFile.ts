/**
 * Rows of numbers that are computed once and kept on the disk, as a pack among the packed images: within one limit, the least recently used go
 * first, and they can be removed at any time. `rows.bin` has the rows, `rows.jsonl` one line: how many of them are there for
 * good. Two processes that do not see each other write the same numbers to the same places.
 */
import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { bytesOf } from "../checkpoint/safetensorsWriter.ts";
import { cacheFolder } from "../dataset/download/cacheFolder.ts";
import { writing } from "../dataset/pack/files.ts";
import { lockPack } from "../dataset/pack/lock.ts";
import { indexEnd, pixelsEnd } from "../dataset/pack/part.ts";
import { closePixels, noPixels, openPixels } from "../dataset/pack/pixels.ts";
import { createPackRoom, markUsed, packLimit } from "../dataset/pack/room.ts";
import { packSplit } from "../dataset/pack/split.ts";
import { DataError, messageOf } from "../errors.ts";

/** The rows to compute or read. */
export interface RowsRequest {
  /** Hexadecimal digits that stand for everything the rows follow from. */
  readonly key: string;
  /** Description for people. */
  readonly what: string;
  readonly rows: number;
  /** Numbers of a row. */
  readonly length: number;
  /** Computes rows, one after the other, from one on; each result is some rows, valid until the next is asked for. */
  readonly compute: (from: number) => AsyncIterable<Float32Array>;
  /** Default: as for packed images. */
  readonly cacheDir?: string | undefined;
  readonly limitBytes?: number | undefined;
  readonly onProgress?: ((rows: number, of: number) => void) | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows on the disk, open for reading. */
export interface Rows {
  /** Rows that were computed now; the others were there. */
  readonly computed: number;
  /** Begins to read some, so that `write` finds them in memory. It does not reject. */
  prefetch(rows: Uint32Array): Promise<void>;
  /** Writes a row into `target` from `offset` on. Throws DataError if it cannot be read. */
  write(row: number, target: Float32Array, offset: number): void;
  close(): Promise<void>;
}

/**
 * Computes what is not there yet. Whatever ends it, rows that were computed stay, but for those of the last two seconds.
 *
 * Throws DataError if there is no room; the signal's reason if that is aborted.
 */
export async function keepRows(request: RowsRequest): Promise<Rows> {
  const { key, what, rows, length, onProgress } = request;
  const folder = join(cacheFolder("packs", request), `features-${key}`);
  const unlock = await lockPack(folder, what, request);
  try {
    await markUsed(folder);
    const done = await storedRows(folder, request);
    onProgress?.(done, rows);
    if (done < rows) await fill(folder, done, request);
    return openRows(rowsFile(folder), rows, length, rows - done);
  } finally {
    await unlock();
  }
}

const rowsFile = (folder: string) => join(folder, `rows${pixelsEnd}`);
const doneFile = (folder: string) => join(folder, `rows${indexEnd}`);

const SYNC_MS = 2000;
const lineSchema = z.object({ format: z.literal(1), rows: z.int(), length: z.int(), done: z.int().nonnegative() });

/** Number of rows that are stored durably: 0 if the file is unusable. */
async function storedRows(folder: string, { rows, length }: RowsRequest): Promise<number> {
  try {
    const line = lineSchema.parse(JSON.parse(await readFile(doneFile(folder), "utf8")));
    const { size } = await stat(rowsFile(folder));
    return line.rows === rows && line.length === length && size >= 4 * length * line.done ? line.done : 0;
  } catch {
    return 0;
  }
}

async function fill(folder: string, from: number, request: RowsRequest): Promise<void> {
  const { rows, length, compute, onProgress, signal } = request;
  await makeRoom(folder, from, request);
  const handle = await writing(folder, () => open(rowsFile(folder), from === 0 ? "w" : "r+"));
  let done = from;
  let keptAt = performance.now();
  const keep = async () => {
    await keepDone(folder, handle, { rows, length, done });
    keptAt = performance.now();
  };
  try {
    for await (const values of compute(from)) {
      await writing(folder, () => writeAll(handle, bytesOf(values), 4 * length * done));
      done += values.length / length;
      onProgress?.(done, rows);
      if (signal?.aborted || performance.now() - keptAt > SYNC_MS) await keep();
      signal?.throwIfAborted();
    }
    await keep();
  } finally {
    await handle.close();
  }
}

/** The rows are on the disk before the line that counts them. */
async function keepDone(
  folder: string,
  handle: FileHandle,
  line: { readonly rows: number; readonly length: number; readonly done: number },
): Promise<void> {
  await writing(folder, () => handle.datasync());
  await writeFileDurably(doneFile(folder), `${JSON.stringify({ format: 1, ...line })}\n`);
}

/** All at once: how many bytes there will be is known. */
async function makeRoom(folder: string, done: number, { rows, length, limitBytes }: RowsRequest): Promise<void> {
  const held = 4 * length * done;
  try {
    const more = 4 * length * rows - held;
    await createPackRoom(folder, limitBytes ?? packLimit())({ held, more, done: 0, added: 0, left: 0 });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const bytes = (4 * length * rows) / 1e9;
    throw new DataError(
      `kept features: no room for ${rows} times ${length} numbers, ${bytes.toPrecision(3)} GB; take --kept-views 0, which keeps none, or fewer views: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** To the reader of packs, which reads ahead, a row is an image of n bytes and height 1. */
function openRows(path: string, rows: number, length: number, computed: number): Rows {
  const pixels = noPixels();
  openPixels(pixels, path);
  const bytes = 4 * length;
  function* images() {
    for (let i = 0; i < rows; i++) {
      const size = { part: 0, offset: i * bytes, width: bytes, height: 1, channels: 1 } as const;
      yield { path: "", label: 0, picture: { ...size, moments: { mean: [], products: [] } } };
    }
  }
  const split = packSplit({ pixels, root: "", length: rows, images: images() });
  return {
    computed,
    prefetch: async (wanted) => split.prefetch?.(wanted),
    write(row, target, offset) {
      bytesOf(target.subarray(offset, offset + length)).set(split.image(row).data);
    },
    close: () => closePixels(pixels),
  };
}
