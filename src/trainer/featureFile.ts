/**
 * Rows of numbers that are computed once and cached on disk. They are stored as a pack in the cache of packed images and count towards its limit; the
 * least recently used packs are removed first, at any time. `rows.bin` contains the rows, `rows.sums` a checksum of each, `rows.jsonl` one line with
 * the number of rows on disk. Two processes unaware of each other write the same numbers to the same positions.
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
  /** Hexadecimal digest of everything that determines the rows. */
  readonly key: string;
  /** Description for messages. */
  readonly what: string;
  readonly rows: number;
  /** Number of values in a row. */
  readonly length: number;
  /** Computes the rows from index `from` on, in order; each result is a number of whole rows, valid until the next is requested. */
  readonly compute: (from: number) => AsyncIterable<Float32Array>;
  /** Limit of the cache. Default: that of packed images. */
  readonly cacheDir?: string | undefined;
  readonly limitBytes?: number | undefined;
  readonly onProgress?: ((rows: number, of: number) => void) | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows on disk, open for reading. */
export interface Rows {
  /** Number of rows computed by this call; the others were on disk. */
  readonly computed: number;
  /** Begins to read some rows, so that `write` finds them in memory. Never rejects. */
  prefetch(rows: Uint32Array): Promise<void>;
  /** Writes a row into `target` from `offset` on. Throws DataError if it cannot be read. */
  write(row: number, target: Float32Array, offset: number): void;
  close(): Promise<void>;
}

/**
 * Computes the missing rows. If it is interrupted, computed rows stay on disk, except those of the last two seconds.
 *
 * Throws DataError if there is no disk space; the signal's reason if that is aborted.
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
  /** Number of rows on disk. */
  readonly done: number;
  /** Checksums of all rows; 0 for missing rows. */
  readonly sums: Uint32Array;
}

/** Reads the stored rows; none, with a message, if they are unusable. */
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
    // Unreadable, or written by an earlier version.
  }
  onMessage?.(`${what}: the cache in ${folder} is unusable; computing it again`);
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

/** Writes the rows and their checksums to disk before the line that counts them. */
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

/** Reserves all bytes at once, since their number is known. */
async function makeRoom(folder: string, done: number, { rows, length, limitBytes }: RowsRequest): Promise<void> {
  const held = 4 * length * done;
  try {
    const more = 4 * length * rows - held;
    await createPackRoom(folder, limitBytes ?? packLimit())({ held, more, done: 0, added: 0, left: 0 });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const bytes = formatBytes(4 * length * rows);
    throw new DataError(
      `feature cache: no disk space for ${rows} rows of ${length} numbers (${bytes}); use fewer --kept-views, or 0 for no cache: ${messageOf(error)}`,
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

/** Opens the rows as a pack: a row is an image of its bytes, of height 1. */
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
