/** The pixels of a pack, as they are read. */
import { closeSync, openSync, read, readSync } from "node:fs";
import { DataError, messageOf } from "../../errors.ts";

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
    throw new DataError(`${path}: the pack cannot be read: ${messageOf(cause)}; run again to make it anew`, { cause });
  }
}

/** Waits for what is being read. */
export async function closePixels({ reads, descriptors }: PackPixels): Promise<void> {
  while (reads.size > 0) await Promise.all(reads);
  for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
}

/** Position of an image's pixels. */
export interface Place {
  readonly part: number;
  readonly offset: number;
}

/** Reads an image's pixels. Throws DataError if they are not there or the pack is closed. */
export function readImage({ paths, descriptors }: PackPixels, { part, offset }: Place, target: Uint8Array): void {
  const [path, descriptor] = [paths[part], descriptors[part] ?? CLOSED];
  if (path !== undefined && descriptors.length === 0)
    throw new DataError(`${path}: used after close(); open the data set again`);
  let done = 0;
  try {
    while (done < target.length) {
      const bytes = readSync(descriptor, target, done, target.length - done, offset + done);
      if (bytes === 0) break;
      done += bytes;
    }
  } catch (cause) {
    throw new DataError(`${path}: the pack cannot be read: ${messageOf(cause)}; run again to make it anew`, { cause });
  }
  if (done === target.length) return;
  throw new DataError(
    `${path}: expected ${target.length} bytes of a picture at ${offset}, got ${done}: the pack was cut short; run again to make it anew`,
  );
}

/** Begins to read an image's pixels; whether all bytes came, and in one go. */
export function startReading(
  { descriptors }: PackPixels,
  { part, offset }: Place,
  target: Uint8Array,
): Promise<boolean> {
  return new Promise((resolve) => {
    read(descriptors[part] ?? CLOSED, target, 0, target.length, offset, (error, bytes) =>
      resolve(!error && bytes === target.length),
    );
  });
}
