/** Data sets: splits of labelled images, and sources that load them. */
import type { Image, PixelSize } from "../image/image.ts";
import type { Fitting } from "../image/prepare/fitter.ts";
import { averageMoments, type ColourMoments, momentsOf } from "../image/prepare/moments.ts";

/** The training or the test part of a data set: pictures, each with a class. */
export interface Split {
  readonly length: number;
  /** Index of the class of picture `index`, 0 ≤ index < length. */
  label(index: number): number;
  /** Picture `index`; its data is valid until the next call, or the second `prefetch` if it lies in shared memory, and must not be written to. */
  image(index: number): Image;
  /**
   * Begins to read these pictures, so that `image` finds them in memory; where all are in memory, there is none. It does not reject: what
   * cannot be read, `image` says.
   */
  prefetch?(indices: Uint32Array): Promise<void>;
  /** The file of picture `index`, where each has its own. */
  path?(index: number): string;
  /** What its pictures are to a network, where that is known before: then they are not prepared. */
  readonly features?: Features | undefined;
}

/** What frozen layers make of a split's pictures, computed ahead: the input of the layers behind them. */
export interface Features {
  /** Numbers of one picture. */
  readonly length: number;
  /** Begins to read those of pictures in an epoch, as `Split.prefetch`. */
  prefetch(indices: Uint32Array, epoch: number): Promise<void>;
  /** Writes those of picture `index` in an epoch into `target` from `offset` on. */
  write(index: number, epoch: number, target: Float32Array, offset: number): void;
}

/** Pictures in classes, with what a network must know about them. */
export interface Dataset {
  /** Its name, or the absolute path of its folder. */
  readonly name: string;
  /** By label. */
  readonly classNames: readonly string[];
  readonly train: Split;
  /** What training is watched by, if there is such a part; else that is `test`. */
  readonly validation?: Split | undefined;
  /** What the finished network is measured by. */
  readonly test: Split;
  /** Of each picture: 1 grey, 3 colour. */
  readonly channels: 1 | 3;
  /** Of every picture; undefined if they differ. */
  readonly imageSize: PixelSize | undefined;
  /** Mean of all training pixels, one a channel, on the scale of 0 (black) to 1 (white). */
  readonly mean: readonly number[];
  /** Standard deviation of all training pixels, one a channel, on the same scale. */
  readonly deviation: readonly number[];
  /** Means of the training pictures' colours and of their products. */
  moments(): ColourMoments;
  /** The folder where it was found. */
  readonly source: string;
  /** Of picture files: which there are in the training part and in that which training is watched by, before any limit; a SHA-256. */
  readonly listed?: string | undefined;
  /** Closes its files, if it keeps any open. */
  close?(): void;
}

/** Where to look for a data set, and how much of it is wanted. */
export interface DatasetOptions {
  /** Look here and nowhere else. */
  readonly dataDir?: string | undefined;
  /** Folder of downloads and of packed pictures, a subfolder a data set. Default: `$XDG_CACHE_HOME/alexnet` or `~/.cache/alexnet`. */
  readonly cacheDir?: string | undefined;
  /** Download what is not on this machine. Default: true. */
  readonly download?: boolean | undefined;
  /** Bytes downloaded so far, out of `total`. */
  readonly onProgress?: ((bytes: number, total: number) => void) | undefined;
  /** So many training or test pictures only: the first of those that come in no order, else some of each class. */
  readonly trainLimit?: number | undefined;
  readonly testLimit?: number | undefined;
  /** Aborted, it ends looking, downloading and packing: `load` throws its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of loading that are not given. */
export const loadDefaults = { validationShare: 0.2, maxBad: 0.01, seed: 0 } as const;

/** What a data set of picture files needs to know besides. */
export interface LoadOptions extends DatasetOptions {
  /** How the pictures will be fitted: no more of them is kept. Default: all of them. */
  readonly fitting?: Fitting | undefined;
  /** Share of the pictures that are held out, where no folder says which. Default 0.2. */
  readonly validationShare?: number | undefined;
  /** Of their choice. Default 0. */
  readonly seed?: number | undefined;
  /** All pictures as test pictures, where no folder says which. Default false. */
  readonly allAsTest?: boolean | undefined;
  /** Except where that listing, divided by share and seed, is this one (see `Dataset`): then it stays divided. */
  readonly trainedOn?: string | undefined;
  /** Share of pictures that may be damaged. Default 0.01. */
  readonly maxBad?: number | undefined;
  /** Pictures packed so far, out of `total`. */
  readonly onPacking?: ((done: number, total: number) => void) | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
}

/** Where a data set comes from: one that is known by its name, or a folder. */
export interface DatasetSource {
  readonly name: string;
  /** One line: what it holds. */
  readonly description: string;
  /** Of its pictures; those of a folder count as colour before they are read. */
  readonly channels: 1 | 3;
  /** Reads it, after a download if need be. Throws DataError if it cannot be had or is damaged. */
  load(options: LoadOptions): Promise<Dataset>;
  /** The folder on this machine that `load` would read, or undefined; never downloads. */
  locate(options: DatasetOptions): Promise<string | undefined>;
}

/** The first `limit` pictures of a split, or all of them if there are fewer or there is no limit. */
export function limitSplit(split: Split, limit: number | undefined): Split {
  return limit === undefined || limit >= split.length ? split : { ...split, length: limit };
}

/** The moments of a split that is in memory. */
export function splitMoments(split: Split, channels: 1 | 3): ColourMoments {
  function* each() {
    for (let i = 0; i < split.length; i++) yield momentsOf(split.image(i));
  }
  return averageMoments(each(), channels) ?? { mean: new Array(channels).fill(0), products: [] };
}

/** The split that training is evaluated on after each epoch: the validation set, or the test set where there is none. */
export function validationSplit({ validation, test }: Pick<Dataset, "validation" | "test">): Split {
  return validation ?? test;
}
