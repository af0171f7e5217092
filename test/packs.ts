/** A folder of 20 made pictures, and its packs. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Packed, type PackOptions, packListing } from "../src/dataset/pack/pack.ts";
import type { Fitting } from "../src/image/prepare/fitter.ts";
import { digestOf, listingOf, noise, writePicture } from "./packPictures.ts";

export const fitting: Fitting = {
  size: [24, 24],
  channels: 3,
  fit: { kind: "crop", shorterSide: 28 },
  resize: "bilinear",
};
export const count = 20;
/** Of the files; their sizes differ, a third is grey. */
export const names: readonly string[] = Array.from({ length: count }, (_, i) => `${i % 2 ? "b" : "a"}/${i}.png`);

export interface PackTrial {
  readonly packed: Packed;
  readonly digest: string;
  /** Files that it had to look into. */
  readonly read: number | undefined;
  readonly messages: readonly string[];
}

export interface PictureFolder {
  readonly root: string;
  readonly cacheDir: string;
  /** Packs these files, or all. */
  pack(paths?: readonly string[], options?: Partial<PackOptions>): Promise<PackTrial>;
  /** Packs all, and reads no image yet. */
  open(options?: Partial<PackOptions>): Promise<Packed>;
  /** The digest of a pack where there was none before. */
  fresh(paths?: readonly string[]): Promise<string>;
  /** The folder of the one pack. */
  packFolder(): Promise<string>;
  /** Its files whose names end so, the earliest first. */
  packFiles(end: ".bin" | ".jsonl"): Promise<readonly string[]>;
  remove(): Promise<void>;
}

export async function makePictureFolder(): Promise<PictureFolder> {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-pack-"));
  const [root, cacheDir] = [join(folder, "pictures"), join(folder, "cache")];
  for (const [i, path] of names.entries()) await writePicture(root, path, noise(i, 14 + i, 40 - i, i % 3 ? 3 : 1));
  const packFolder = async () => {
    const [name, ...more] = await readdir(join(cacheDir, "packs"));
    assert.ok(name !== undefined && more.length === 0);
    return join(cacheDir, "packs", name);
  };
  const pack = (paths = names, options: Partial<PackOptions> = {}) => tryPacking(root, paths, { cacheDir, ...options });
  return {
    root,
    cacheDir,
    pack,
    open: (options = {}) => packListing(listingOf(root, names), { fitting, threads: 1, cacheDir, ...options }),
    async fresh(paths) {
      const other = join(folder, "fresh");
      const { packed, digest } = await pack(paths, { cacheDir: other });
      await packed.close();
      await rm(other, { recursive: true });
      return digest;
    },
    packFolder,
    async packFiles(end) {
      const pack = await packFolder();
      const names = (await readdir(pack)).filter((name) => name.endsWith(end));
      return names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).map((name) => join(pack, name));
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

async function tryPacking(root: string, paths: readonly string[], options: Partial<PackOptions>): Promise<PackTrial> {
  let read: number | undefined;
  const messages: string[] = [];
  const packed = await packListing(listingOf(root, paths), {
    fitting,
    threads: 1,
    onProgress: (done, total) => {
      read ??= total - done;
    },
    onMessage: (message) => messages.push(message),
    ...options,
  });
  return { packed, digest: digestOf(packed.train, packed.test), read, messages };
}
