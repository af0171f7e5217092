/**
 * Rows of numbers that are computed once and kept on the disk. They lie where packed pictures lie, as a pack: in one bound with those, the ones used
 * longest ago go first, and they can be removed at any time. `rows.bin` has the rows, `rows.sums` a checksum of each, `rows.jsonl` one line: how
 * many of them are there for good. Two processes that do not see each other write the same numbers to the same places.
 */

import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { formatBytes } from "../bytes.ts";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { bytesOf } from "../checkpoint/safetensorsWriter.ts";
import { cacheFolder } from "../dataset/download/cacheFolder.ts";
import { checksumOf } from "../dataset/pack/checksum.ts";
import { writing } from "../dataset/pack/files.ts";
import { lockPack } from "../dataset/pack/lock.ts";
import { closePixels, indexEnd, noPixels, openPixels, pixelsEnd } from "../dataset/pack/pixels.ts";
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
    const { done, sums } = await storedRows(folder, request);
    onProgress?.(done, rows);
    if (done < rows) await fill(folder, done, sums, request);
    return openRows(rowsFile(folder), sums, length, rows - done);
  } finally {
    await unlock();
  }
}

const rowsFile = (folder: string) => join(folder, `rows${pixelsEnd}`);
const sumsFile = (folder: string) => join(folder, "rows.sums");
const doneFile = (folder: string) => join(folder, `rows${indexEnd}`);

const SYNC_MS = 2000;
const lineSchema = z.object({ format: z.literal(2), rows: z.int(), length: z.int(), done: z.int().nonnegative() });

interface StoredRows {
  /** Rows that are there for good. */
  readonly done: number;
  /** Checksums of all rows; 0 of those that are not there. */
  readonly sums: Uint32Array;
}

/** None if what is there cannot be used, which is said. */
async function storedRows(folder: string, { rows, length, what, onMessage }: RowsRequest): Promise<StoredRows> {
  const sums = new Uint32Array(rows);
  const text = await readFile(doneFile(folder), "utf8").catch(() => undefined);
  if (text === undefined) return { done: 0, sums };
  try {
    const line = lineSchema.parse(JSON.parse(text));
    const [{ size }, bytes] = await Promise.all([stat(rowsFile(folder)), readFile(sumsFile(folder))]);
    if (line.rows === rows && line.length === length && size >= 4 * length * line.done && bytes.length === 4 * rows) {
      bytesOf(sums).set(bytes);
      return { done: line.done, sums };
    }
  } catch {
    // Of an earlier version, or damaged.
  }
  onMessage?.(`${what}: what is kept in ${folder} cannot be used; computing it again`);
  return { done: 0, sums };
}

async function fill(folder: string, from: number, sums: Uint32Array, request: RowsRequest): Promise<void> {
  const { rows, length, compute, onProgress, signal } = request;
  await makeRoom(folder, from, request);
  const handle = await writing(folder, () => open(rowsFile(folder), from === 0 ? "w" : "r+"));
  let done = from;
  let keptAt = performance.now();
  const keep = async () => {
    await keepDone(folder, handle, sums, { rows, length, done });
    keptAt = performance.now();
  };
  try {
    for await (const values of compute(from)) {
      await writing(folder, () => writeAll(handle, bytesOf(values), 4 * length * done));
      for (let start = 0; start < values.length; start += length) {
        sums[done++] = checksumOf(bytesOf(values.subarray(start, start + length)));
      }
      onProgress?.(done, rows);
      if (signal?.aborted || performance.now() - keptAt > SYNC_MS) await keep();
      signal?.throwIfAborted();
    }
    await keep();
  } finally {
    await handle.close();
  }
}

/** The rows and their checksums are on the disk before the line that counts them. */
async function keepDone(
  folder: string,
  handle: FileHandle,
  sums: Uint32Array,
  line: { readonly rows: number; readonly length: number; readonly done: number },
): Promise<void> {
  await writing(folder, () => handle.datasync());
  await writeFileDurably(sumsFile(folder), bytesOf(sums));
  await writeFileDurably(doneFile(folder), `${JSON.stringify({ format: 2, ...line })}\n`);
}

/** All at once: how many bytes there will be is known. */
async function makeRoom(folder: string, done: number, { rows, length, limitBytes }: RowsRequest): Promise<void> {
  const held = 4 * length * done;
  try {
    const more = 4 * length * rows - held;
    await createPackRoom(folder, limitBytes ?? packLimit())({ held, more, done: 0, added: 0, left: 0 });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const bytes = formatBytes(4 * length * rows);
    throw new DataError(
      `kept features: no room for ${rows} times ${length} numbers, ${bytes}; take --kept-views 0, which keeps none, or fewer views: ${messageOf(error)}`,
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

/** Read as a pack: a row is an image of its bytes, one high. */
function openRows(path: string, sums: Uint32Array, length: number, computed: number): Rows {
  const pixels = noPixels();
  openPixels(pixels, path);
  const bytes = 4 * length;
  function* images() {
    for (const [i, checksum] of sums.entries()) {
      const size = { part: 0, offset: i * bytes, width: bytes, height: 1, channels: 1, checksum } as const;
      yield { path: "", label: 0, picture: { ...size, moments: { mean: [], products: [] } } };
    }
  }
  const split = packSplit({ pixels, root: "", length: sums.length, images: images() });
  return {
    computed,
    prefetch: async (wanted) => split.prefetch?.(wanted),
    write(row, target, offset) {
      bytesOf(target.subarray(offset, offset + length)).set(split.image(row).data);
    },
    close: () => closePixels(pixels),
  };
}
