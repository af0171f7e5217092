/** Downloads with progress, checksum and resume; a file is either complete or absent. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import { moveOver } from "../../inUse.ts";
import type { DatasetOptions } from "../dataset.ts";
import { claimPartial, existingBytes } from "./partialFile.ts";

/** Published checksum of the complete file, in hexadecimal. */
export type Checksum = { readonly md5: string } | { readonly sha256: string };

/** Source and target of a download. */
export type DownloadOptions = Checksum & {
  readonly url: string;
  /** Appears only when complete; its folder is created. */
  readonly path: string;
  /** Maximum number of seconds without data. */
  readonly timeoutSeconds: number;
  /** Called with the size of each chunk received. The first call counts the bytes kept from an earlier attempt, if they are used. */
  readonly onBytes: (bytes: number) => void;
  /** Aborts the download; received bytes are kept. */
  readonly signal?: AbortSignal | undefined;
};

/** A published file. */
export type Archive = Checksum & {
  readonly url: string;
  /** Size in bytes, for progress. */
  readonly bytes: number;
};

/** Maximum number of seconds without data. */
const archiveTimeoutSeconds = 30;

/** Downloads an archive like `downloadFile`, and reports progress. */
export async function downloadArchive(
  path: string,
  { bytes: total, ...archive }: Archive,
  { onProgress, signal }: Pick<DatasetOptions, "onProgress" | "signal">,
): Promise<void> {
  let received = 0;
  const onBytes = (bytes: number) => {
    received += bytes;
    onProgress?.(received, total);
  };
  await downloadFile({ ...archive, path, timeoutSeconds: archiveTimeoutSeconds, onBytes, signal });
}

/** A checksum's name, Node.js's name of its algorithm, and its expected value. */
interface Expected {
  readonly title: string;
  readonly algorithm: string;
  readonly digest: string;
}

function expectedOf(checksum: Checksum): Expected {
  return "md5" in checksum
    ? { title: "MD5", algorithm: "md5", digest: checksum.md5 }
    : { title: "SHA-256", algorithm: "sha256", digest: checksum.sha256 };
}

/**
 * Compares a file's checksum.
 *
 * Throws DataError naming the file if it is unreadable or its checksum differs.
 */
export async function checkFile(path: string, checksum: Checksum): Promise<void> {
  const { title, algorithm, digest: expected } = expectedOf(checksum);
  const hash = createHash(algorithm);
  try {
    for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  } catch (cause) {
    throw new DataError(`${path}: cannot be read: ${messageOf(cause)}`, { cause });
  }
  const got = hash.digest("hex");
  if (got !== expected) throw new DataError(`${path}: expected the ${title} checksum ${expected}, got ${got}`);
}

/** Bytes received so far: `length` bytes in the file `path`, with their hash. */
interface Received {
  path: string;
  readonly algorithm: string;
  hash: Hash;
  length: number;
}

/**
 * Downloads a file to a partial file next to `path`, which is renamed once its checksum is verified. An interrupted download keeps the
 * partial file. The next attempt resumes from it if the server supports HTTP ranges, and starts again otherwise.
 *
 * Throws DataError naming the URL if the server does not answer, stalls, disconnects, or returns a status other than 200 (206 for the rest). A file
 * with a wrong checksum is an error too, and is removed. Throws the signal's reason if it is aborted.
 */
export async function downloadFile(options: DownloadOptions): Promise<void> {
  const { url, path, onBytes } = options;
  const { title, algorithm, digest: expected } = expectedOf(options);
  const partial: Received = { path: "", algorithm, hash: createHash(algorithm), length: 0 };
  try {
    await mkdir(dirname(path), { recursive: true });
    partial.path = await claimPartial(path, expected);
    for await (const piece of existingBytes(partial.path)) add(partial, piece);
    // The file is complete if a process ended just before renaming it.
    if (partial.length > 0 && digest(partial) === expected) onBytes(partial.length);
    else await receive(options, partial);
    const got = digest(partial);
    if (got !== expected) {
      await discard(partial);
      throw new DataError(`${url}: expected the ${title} checksum ${expected}, got ${got}`);
    }
    await moveOver(partial.path, path);
  } catch (error) {
    if (partial.path !== "" && partial.length === 0) await rm(partial.path, { force: true });
    options.signal?.throwIfAborted();
    throw explained(url, error, partial);
  }
}

/** Appends the missing bytes to `partial`, or downloads it again from the start. */
async function receive({ url, timeoutSeconds, onBytes, signal }: DownloadOptions, partial: Received): Promise<void> {
  const abort = new AbortController();
  const stalled = new DataError(`${url}: no data for ${timeoutSeconds} s`);
  const timer = setTimeout(() => abort.abort(stalled), 1000 * timeoutSeconds);
  const onAbort = () => abort.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  try {
    signal?.throwIfAborted();
    const body = await request(url, partial, abort);
    if (partial.length > 0) onBytes(partial.length);
    await writeFile(partial.path, watch(body), { flag: partial.length > 0 ? "a" : "w" });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }

  async function* watch(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      timer.refresh();
      add(partial, piece);
      onBytes(piece.length);
      yield piece;
    }
  }
}

/** Requests the bytes after `partial`. If the server does not send them, `partial` is emptied and the whole file is requested. */
async function request(url: string, partial: Received, abort: AbortController): Promise<AsyncIterable<Uint8Array>> {
  const { length } = partial;
  const { signal } = abort;
  // The checksum is that of the uncompressed file. With a range, fetch itself asks for no compression.
  const headers = length > 0 ? { Range: `bytes=${length}-` } : { "Accept-Encoding": "identity" };
  const response = await fetch(url, { signal, headers });
  const { status, body } = response;
  if (length > 0) {
    const isRest = status === 206 && response.headers.get("Content-Range")?.startsWith(`bytes ${length}-`);
    if (isRest && body) return body;
    // 416: the server's file is shorter.
    const isMisplaced = status === 206 || status === 416;
    if (status === 200 || isMisplaced) await discard(partial);
    if (isMisplaced) {
      await body?.cancel();
      return request(url, partial, abort);
    }
  }
  if (status === 200 && body) return body;
  abort.abort();
  const expected = length > 0 ? "status 206 or 200" : "status 200";
  throw new DataError(`${url}: expected ${expected}, got ${status} ${response.statusText}`);
}

function add(partial: Received, piece: Uint8Array): void {
  partial.hash.update(piece);
  partial.length += piece.length;
}

function digest({ hash }: Received): string {
  return hash.copy().digest("hex");
}

async function discard(partial: Received): Promise<void> {
  await rm(partial.path, { force: true });
  partial.hash = createHash(partial.algorithm);
  partial.length = 0;
}

function explained(url: string, error: unknown, { length }: Received): DataError {
  // fetch reports "fetch failed" or "terminated"; the reason is the cause.
  const reason = error instanceof Error && error.cause ? messageOf(error.cause) : "";
  const message = error instanceof DataError ? error.message : `${url}: ${reason || messageOf(error)}`;
  const kept = length > 0 ? ` (${length} bytes are kept; run again to resume)` : "";
  return new DataError(message + kept, { cause: error });
}
