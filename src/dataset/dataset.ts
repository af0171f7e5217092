import type { Image } from "../image/image.ts";

/** The training or the test part of a data set: pictures, each with a class. */
export interface Split {
  readonly length: number;
  /** Index of the class of picture `index`, 0 ≤ index < length. */
  label(index: number): number;
  /** Picture `index`; its data is valid until the next call and must not be written to. */
  image(index: number): Image;
  /**
   * Begins to read these pictures, so that `image` finds them in memory; where all are in memory, there is none. It does not reject: what
   * cannot be read, `image` says.
   */
  prefetch?(indices: Uint32Array): Promise<void>;
  /** The file of picture `index`, where each has its own. */
  path?(index: number): string;
}

/** Pictures in classes, with what a network must know about them. */
export interface Dataset {
  readonly name: string;
  /** By label. */
  readonly classNames: readonly string[];
  readonly train: Split;
  readonly test: Split;
  /** Of each picture: 1 grey, 3 colour. */
  readonly channels: 1 | 3;
  /** Mean of all training pixels, one a channel, on the scale of 0 (black) to 1 (white). */
  readonly mean: readonly number[];
  /** Standard deviation of all training pixels, one a channel, on the same scale. */
  readonly deviation: readonly number[];
  /** The folder where it was found. */
  readonly source: string;
}

/** Where to look for a data set. */
export interface DatasetOptions {
  /** Look here and nowhere else. */
  readonly dataDir?: string | undefined;
  /** Folder of downloads, a subfolder a data set. Default: `$XDG_CACHE_HOME/alexnet` or `~/.cache/alexnet`. */
  readonly cacheDir?: string | undefined;
  /** Download what is not on this machine. Default: true. */
  readonly download?: boolean | undefined;
  /** Bytes downloaded so far, out of `total`. */
  readonly onProgress?: ((bytes: number, total: number) => void) | undefined;
}

/** A data set that is known by its name. */
export interface NamedDataset {
  readonly name: string;
  /** One line: what it holds. */
  readonly description: string;
  /** Reads it, after a download if need be. Throws DataError if it cannot be had or is damaged. */
  load(options: DatasetOptions): Promise<Dataset>;
  /** The folder on this machine that `load` would read, or undefined; never downloads. */
  locate(options: DatasetOptions): Promise<string | undefined>;
}

/** The first `limit` pictures of a split, or all of them if there are fewer. */
export function limitSplit(split: Split, limit: number): Split {
  return { ...split, length: Math.min(limit, split.length) };
}
