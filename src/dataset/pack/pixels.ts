/** The pixels of a pack, as they are read. */
import { closeSync, openSync, read, readSync, rmSync } from "node:fs";
import { DataError, messageOf } from "../../errors.ts";
import { checksumOf } from "./checksum.ts";

/** Suffixes of a part's two files: the pixels', and the lines'. */
export const pixelsEnd = ".bin";
export const indexEnd = ".jsonl";

/** The pixels of a pack, part by part, open for reading: they can be read even if their files are removed. */
export interface PackPixels {
  readonly paths: string[];
  /** None once they are closed. */
  readonly descriptors: number[];
  /** Reads that are under way. */
  readonly reads: Set<Promise<void>>;
}

/** Without a part. */
export function noPixels(): PackPixels {
  return { paths: [], descriptors: [], reads: new Set() };
}

/** A descriptor that the system treats as no file. */
const CLOSED = -1;

/** Opens another part. Throws DataError if there is no such file. */
export function openPixels({ paths, descriptors }: PackPixels, path: string): void {
  try {
    descriptors.push(openSync(path, "r"));
    paths.push(path);
  } catch (cause) {
    throw new DataError(`${path}: the pack cannot be read: ${messageOf(cause)}; run again to make it again`, { cause });
  }
}

/** Waits for the reads under way. */
export async function closePixels({ reads, descriptors }: PackPixels): Promise<void> {
  while (reads.size > 0) await Promise.all(reads);
  for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
}

/** Position of an image's pixels. */
export interface Place {
  readonly part: number;
  readonly offset: number;
}

/** The file of an image's pixels. */
export function pathOf({ paths }: PackPixels, { part }: Place): string {
  return paths[part] ?? "";
}

/** True until they are closed. */
export function areOpen({ descriptors }: PackPixels): boolean {
  return descriptors.length > 0;
}

/** Without a checksum, nothing is verified. */
function isIntact(bytes: Uint8Array, checksum: number | undefined): boolean {
  return checksum === undefined || checksumOf(bytes) === checksum;
}

/** Reads an image's pixels. Throws DataError if they are not there, or not those of the checksum: then the next run makes them again. */
export function readImage(
  { paths, descriptors }: PackPixels,
  { part, offset }: Place,
  checksum: number | undefined,
  target: Uint8Array,
): void {
  const [path = "", descriptor] = [paths[part], descriptors[part] ?? CLOSED];
  if (descriptors.length === 0) throw new DataError(`${path}: used after close(); open the data set again`);
  let done = 0;
  try {
    while (done < target.length) {
      const bytes = readSync(descriptor, target, done, target.length - done, offset + done);
      if (bytes === 0) break;
      done += bytes;
    }
  } catch (cause) {
    if (descriptor !== CLOSED) forgetPart(path);
    throw new DataError(`${path}: the pack cannot be read: ${messageOf(cause)}; run again to make it again`, { cause });
  }
  if (done === target.length && isIntact(target, checksum)) return;
  forgetPart(path);
  throw new DataError(
    done === target.length
      ? `${path}: expected checksum ${checksum} of the ${done} bytes at ${offset}, got ${checksumOf(target)}: the file is damaged; run again to make it again`
      : `${path}: expected ${target.length} bytes of an image at ${offset}, got ${done}: the file was cut short; run again to make it again`,
  );
}

/** Removes a part, so that its images are packed again. What is open stays open. */
function forgetPart(path: string): void {
  const name = path.slice(0, -pixelsEnd.length);
  try {
    for (const end of [indexEnd, pixelsEnd]) rmSync(name + end, { force: true });
  } catch {
    // A folder that cannot be written to: the error that follows says what is wrong.
  }
}

/** Begins to read an image's pixels; true if all bytes came in one go, and are those of the checksum. */
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
