import { createHash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DataError, messageOf } from "../errors.ts";

/** What to download, and where to. */
export interface DownloadOptions {
  readonly url: string;
  /** Appears only when complete; its folder is made. */
  readonly path: string;
  /** Published checksum, in hexadecimal. */
  readonly md5: string;
  /** Give up after so long without a byte. */
  readonly timeoutSeconds: number;
  /** Called with the size of each piece that arrives. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Downloads a file: into a temporary file beside `path`, renamed once its checksum is right.
 *
 * Throws DataError naming the URL if there is no answer, another status than 200, a pause, a cut or a wrong checksum;
 * nothing is left behind then.
 */
export async function downloadFile(options: DownloadOptions): Promise<void> {
  const { url, path, md5 } = options;
  const temporary = `${path}.${process.pid}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const got = await receive(options, temporary);
    if (got !== md5) throw new DataError(`${url}: expected the MD5 checksum ${md5}, got ${got}`);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof DataError) throw error;
    // fetch says "fetch failed" or "terminated" and gives the reason as the cause.
    const cause = error instanceof Error && error.cause ? messageOf(error.cause) : "";
    throw new DataError(`${url}: ${cause || messageOf(error)}`, { cause: error });
  }
}

/** Returns the MD5 checksum of what was written. */
async function receive({ url, timeoutSeconds, onBytes }: DownloadOptions, path: string): Promise<string> {
  const abort = new AbortController();
  const stalled = new DataError(`${url}: no data for ${timeoutSeconds} s`);
  const timer = setTimeout(() => abort.abort(stalled), 1000 * timeoutSeconds);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (response.status !== 200 || !response.body) {
      abort.abort();
      throw new DataError(`${url}: expected status 200, got ${response.status} ${response.statusText}`);
    }
    const hash = createHash("md5");
    await writeFile(path, watch(response.body));
    return hash.digest("hex");

    async function* watch(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
      for await (const piece of pieces) {
        timer.refresh();
        hash.update(piece);
        onBytes(piece.length);
        yield piece;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
