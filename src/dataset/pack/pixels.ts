/** Reading the pixels of a pack. */
import { closeSync, openSync, read, readSync, rmSync } from "node:fs";
import { DataError, messageOf } from "../../errors.ts";
import { checksumOf } from "./checksum.ts";

/** Suffixes of a part's files: pixels and lines. */
export const pixelsEnd = ".bin";
export const indexEnd = ".jsonl";

/** Pixels of a pack's parts, open for reading; readable even after their files are removed. */
export interface PackPixels {
  readonly paths: string[];
  /** Empty after closing. */
  readonly descriptors: number[];
  /** Reads in progress. */
  readonly reads: Set<Promise<void>>;
}

/** Pixels without any part. */
export function noPixels(): PackPixels {
  return { paths: [], descriptors: [], reads: new Set() };
}

/** An invalid file descriptor. */
const CLOSED = -1;

/** Opens another part. Throws DataError if the file does not exist. */
export function openPixels({ paths, descriptors }: PackPixels, path: string): void {
  try {
    descriptors.push(openSync(path, "r"));
    paths.push(path);
  } catch (cause) {
    throw new DataError(`${path}: the pack cannot be read: ${messageOf(cause)}; run again to rebuild it`, { cause });
  }
}

/** Closes the files after the reads in progress. */
export async function closePixels({ reads, descriptors }: PackPixels): Promise<void> {
  while (reads.size > 0) await Promise.all(reads);
  for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
}

/** Position of an image's pixels. */
export interface Place {
  readonly part: number;
  readonly offset: number;
}

/** File that contains an image's pixels. */
export function pathOf({ paths }: PackPixels, { part }: Place): string {
  return paths[part] ?? "";
}

/** True until the pixels are closed. */
export function areOpen({ descriptors }: PackPixels): boolean {
  return descriptors.length > 0;
}

/** True without a checksum. */
function isIntact(bytes: Uint8Array, checksum: number | undefined): boolean {
  return checksum === undefined || checksumOf(bytes) === checksum;
}

/** Reads an image's pixels. Throws DataError if they are missing or corrupt; the next run then packs them again. */
export function readImage(
  { paths, descriptors }: PackPixels,
  { part, offset }: Place,
  checksum: number | undefined,
  target: Uint8Array,
): void {
  const [path = "", descriptor] = [paths[part], descriptors[part] ?? CLOSED];
  if (descriptors.length === 0) throw new DataError(`${path}: used after close(); load the data set again`);
  let done = 0;
  try {
    while (done < target.length) {
      const bytes = readSync(descriptor, target, done, target.length - done, offset + done);
      if (bytes === 0) break;
      done += bytes;
    }
  } catch (cause) {
    if (descriptor !== CLOSED) forgetPart(path);
    throw new DataError(`${path}: the pack cannot be read: ${messageOf(cause)}; run again to rebuild it`, { cause });
  }
  if (done === target.length && isIntact(target, checksum)) return;
  forgetPart(path);
  throw new DataError(
    done === target.length
      ? `${path}: expected checksum ${checksum} of the ${done} bytes at ${offset}, got ${checksumOf(target)}: the file is corrupt; run again to rebuild it`
      : `${path}: expected ${target.length} bytes of an image at ${offset}, got ${done}: the file is truncated; run again to rebuild it`,
  );
}

/** Removes a part, so that its images are packed again. Open files stay readable. */
function forgetPart(path: string): void {
  const name = path.slice(0, -pixelsEnd.length);
  try {
    for (const end of [indexEnd, pixelsEnd]) rmSync(name + end, { force: true });
  } catch {
    // The folder is read-only: the caller's error explains the problem.
  }
}

/** Reads an image's pixels asynchronously. Resolves with true if a single read returned all bytes and their checksum is right. */
export function startReading(
  { descriptors }: PackPixels,
  { part, offset }: Place,
  checksum: number | undefined,
  target: Uint8Array,
): Promise<boolean> {
  return new Promise((resolve) => {
    read(descriptors[part] ?? CLOSED, target, 0, target.length, offset, (error, bytes) =>
      resolve(!error && bytes === target.length && isIntact(target, checksum)),
    );
  });
}
