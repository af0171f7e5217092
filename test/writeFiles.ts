/** Writes files into a folder by their paths. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A file's path within a folder, and its content. A path that ends in `/` is an empty folder. */
export type NamedFile = readonly [path: string, content: string | Uint8Array];

/** Writes files into a folder; it and those they lie in are made. */
export async function writeFiles(folder: string, files: Iterable<NamedFile>): Promise<void> {
  for (const [path, content] of files) {
    const place = join(folder, path);
    await mkdir(path.endsWith("/") ? place : dirname(place), { recursive: true });
    if (!path.endsWith("/")) await writeFile(place, content);
  }
}
