/** Folders of pictures made for tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FolderScan } from "../src/dataset/folder/folderScan.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { writeFiles } from "./writeFiles.ts";

/** Files by their paths, as for `writeFiles`. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Makes a folder of files, and takes it away after `use`. */
export async function withFolder<T>(files: Files, use: (root: string) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), "alexnet-pictures-"));
  try {
    await writeFiles(root, Object.entries(files));
    return await use(root);
  } finally {
    await rm(root, { recursive: true });
  }
}

/** A small grey PNG whose bytes are another for each number. */
export function picture(number: number, [width, height]: readonly [number, number] = [16, 16]): Promise<Uint8Array> {
  const data = new Uint8Array(width * height);
  for (let i = 0; i < 4; i++) data[i] = (number >>> (8 * i)) & 255;
  return encodePng({ width, height, channels: 1, data });
}

/** The pictures of a scan by part and class, as `part:class`. */
export function pathsOf({ parts }: FolderScan): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    parts.flatMap(({ name: part, classes }) =>
      classes.map(({ name, images }) => [`${part}:${name}`, images.map(({ path }) => path)]),
    ),
  );
}
