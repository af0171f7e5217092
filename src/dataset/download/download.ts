/** Downloads with progress, checksum and resume; a file is either complete or absent. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import type { DatasetOptions } from "../dataset.ts";
import { claimPartial, existingBytes } from "./partialFile.ts";

/** A published checksum, whole, in hexadecimal. */
export type Checksum = { readonly md5: string } | { readonly sha256: string };

/** Source and target of a download. */
export type DownloadOptions = Checksum & {
  readonly url: string;
  /** Appears only when complete; its folder is made. */
  readonly path: string;
  /** Give up after so long without a byte. */
  readonly timeoutSeconds: number;
  /** Called with the size of each piece that arrives; first with that of what an earlier attempt left, if it is used. */
  readonly onBytes: (bytes: number) => void;
  /** Aborted, it ends the download; what has been received stays. */
  readonly signal?: AbortSignal | undefined;
};

/** A published file. */
export type Archive = Checksum & {
  readonly url: string;
  /** For the progress. */
  readonly bytes: number;
};

/** Give up after so long without a byte. */
const archiveTimeoutSeconds = 30;

/** Downloads an archive as `downloadFile` does, and tells how far that is. */
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

/** A checksum's name, Node.js's name for its algorithm, and its expected value. */
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
 * Reads a file and compares its checksum.
 *
 * Throws DataError naming the file if it cannot be read or has another one.
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

/** The bytes received so far: `hash` is that of the `length` bytes in `path`. */
interface Received {
  path: string;
  readonly algorithm: string;
  hash: Hash;
  length: number;
}

/**
 * Downloads a file: into a partial file beside `path`, renamed once its checksum is right. After a cut or a pause the partial
 * file stays, and the next attempt goes on from there if the server can (HTTP ranges), or else starts anew.
 *
 * Throws DataError naming the URL if there is no answer, another status than 200 (206 for the rest), a pause, a cut or a
 * wrong checksum; after a wrong checksum nothing is left behind. Throws the signal's reason if that is aborted.
 */
export async function downloadFile(options: DownloadOptions): Promise<void> {
  const { url, path, onBytes } = options;
  const { title, algorithm, digest: expected } = expectedOf(options);
  const partial: Received = { path: "", algorithm, hash: createHash(algorithm), length: 0 };
  try {
    await mkdir(dirname(path), { recursive: true });
    partial.path = await claimPartial(path, expected);
    for await (const piece of existingBytes(partial.path)) add(partial, piece);
    // Complete if a process ended just before it renamed the file.
    if (partial.length > 0 && digest(partial) === expected) onBytes(partial.length);
    else await receive(options, partial);
    const got = digest(partial);
    if (got !== expected) {
      await discard(partial);
      throw new DataError(`${url}: expected the ${title} checksum ${expected}, got ${got}`);
    }
    await rename(partial.path, path);
  } catch (error) {
    if (partial.path !== "" && partial.length === 0) await rm(partial.path, { force: true });
    options.signal?.throwIfAborted();
    throw explained(url, error, partial);
  }
}

/** Adds to `partial` what is missing, or starts it anew. */
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

/** Asks for what follows `partial`. If the server does not send that, `partial` is emptied and the whole is asked for. */
async function request(url: string, partial: Received, abort: AbortController): Promise<AsyncIterable<Uint8Array>> {
  const { length } = partial;
  const { signal } = abort;
  // The checksum is that of the file as it is: no compression on the way. fetch itself asks for that with a range.
  const headers = length > 0 ? { Range: `bytes=${length}-` } : { "Accept-Encoding": "identity" };
  const response = await fetch(url, { signal, headers });
  const { status, body } = response;
  if (length > 0) {
    const isRest = status === 206 && response.headers.get("Content-Range")?.startsWith(`bytes ${length}-`);
    if (isRest && body) return body;
    // 416: the server's file ends before.
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
  // fetch says "fetch failed" or "terminated" and gives the reason as the cause.
  const reason = error instanceof Error && error.cause ? messageOf(error.cause) : "";
  const message = error instanceof DataError ? error.message : `${url}: ${reason || messageOf(error)}`;
  const kept = length > 0 ? ` (${length} bytes are kept; another attempt goes on from there)` : "";
  return new DataError(message + kept, { cause: error });
}
