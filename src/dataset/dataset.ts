/** Data sets: splits of labelled images, and sources that load them. */
import type { Image, PixelSize } from "../image/image.ts";
import type { Fitting } from "../image/prepare/fitter.ts";
import { averageMoments, type ColourMoments, momentsOf } from "../image/prepare/moments.ts";
import { type ImageLimit, limitedIndices } from "./limit.ts";

/** The training or the test part of a data set: images, each with a class. */
export interface Split {
  readonly length: number;
  /** Index of the class of image `index`, 0 ≤ index < length. */
  label(index: number): number;
  /** Image `index`; its data is valid until the next call, or the second `prefetch` if it lies in shared memory, and must not be written to. */
  image(index: number): Image;
  /**
   * Begins to read these images, so that `image` finds them in memory; where all are in memory, there is none. It does not reject: what
   * cannot be read, `image` says.
   */
  prefetch?(indices: Uint32Array): Promise<void>;
  /** The file of image `index`, where each has its own. */
  path?(index: number): string;
  /** Computed network inputs of its images, if known in advance: then images are not prepared. */
  readonly features?: Features | undefined;
}

/** The frozen layers' outputs for a split's images, computed ahead: the input of the layers after them. */
export interface Features {
  /** Numbers of one image. */
  readonly length: number;
  /** Begins to read those of images in an epoch, as `Split.prefetch`. */
  prefetch(indices: Uint32Array, epoch: number): Promise<void>;
  /** Writes those of image `index` in an epoch into `target` from `offset` on. */
  write(index: number, epoch: number, target: Float32Array, offset: number): void;
}

/** Images in classes, with what a network must know about them. */
export interface Dataset {
  /** Its name, or the absolute path of its folder. */
  readonly name: string;
  /** By label. */
  readonly classNames: readonly string[];
  readonly train: Split;
  /** The validation set, if there is one; else `test` is used. */
  readonly validation?: Split | undefined;
  /** The test set, on which the finished network is measured. */
  readonly test: Split;
  /** Channels of each image: 1 grey, 3 colour. */
  readonly channels: 1 | 3;
  /** Size of every image; undefined if they differ. */
  readonly imageSize: PixelSize | undefined;
  /** Mean of all training pixels, one a channel, on the scale of 0 (black) to 1 (white). */
  readonly mean: readonly number[];
  /** Standard deviation of all training pixels, one a channel, on the same scale. */
  readonly deviation: readonly number[];
  /** Means of the training images' colours and of their products. */
  moments(): ColourMoments;
  /** The folder where it was found. */
  readonly source: string;
  /** SHA-256 over the list of image files in the training and validation sets, before any limit. Absent if there are no image files. */
  readonly listed?: string | undefined;
  /** Closes its files, if it keeps any open. */
  close?(): void;
}

/** Location of a data set, and limits on its size. */
export interface DatasetOptions {
  /** Look here and nowhere else. */
  readonly dataDir?: string | undefined;
  /** Folder of downloads and of packed images, a subfolder a data set. Default: `$XDG_CACHE_HOME/alexnet` or `~/.cache/alexnet`. */
  readonly cacheDir?: string | undefined;
  /** Download what is not on this machine. Default: true. */
  readonly download?: boolean | undefined;
  /** Bytes downloaded so far, out of `total`. */
  readonly onProgress?: ((bytes: number, total: number) => void) | undefined;
  /** At most n training images, or test and validation images each (see `limitedIndices`). */
  readonly trainLimit?: ImageLimit | undefined;
  readonly testLimit?: ImageLimit | undefined;
  /** Aborted, it ends looking, downloading and packing: `load` throws its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Parts of a data set. */
export const splitNames = ["test", "validation", "train"] as const;

/** One of the parts, as `--split` names it. */
export type SplitName = (typeof splitNames)[number];

/** Defaults of `LoadOptions`. */
export const loadDefaults = { validationShare: 0.2, maxBad: 0.01, seed: 0 } as const;

/** Further options of a data set of image files. */
export interface LoadOptions extends DatasetOptions {
  /** The fit of the images: no more of them is kept. Default: all of them. */
  readonly fitting?: Fitting | undefined;
  /** Share of the images that are held out, where no folder says which. Default 0.2. */
  readonly validationShare?: number | undefined;
  /** Seed of their choice. Default 0. */
  readonly seed?: number | undefined;
  /** All images as test images, where no folder says which. Default false. */
  readonly allAsTest?: boolean | undefined;
  /** Part to load with `allAsTest` from a folder with folders for parts; the others may be left out. Default `test`. */
  readonly part?: "train" | "validation" | "test" | undefined;
  /** Except where that listing, divided by share and seed, is this one (see `Dataset`): then it stays divided. */
  readonly trainedOn?: string | undefined;
  /** Share of images that may be damaged. Default 0.01. */
  readonly maxBad?: number | undefined;
  /** Images packed so far, out of `total`. */
  readonly onPacking?: ((done: number, total: number) => void) | undefined;
  /** Called with facts and warnings for people. */
  readonly onMessage?: ((message: string) => void) | undefined;
}

/** Source of a data set: a named one, or a folder. */
export interface DatasetSource {
  readonly name: string;
  /** One line: what it holds. */
  readonly description: string;
  /** Channels of its images; those of a folder count as colour before they are read. */
  readonly channels: 1 | 3;
  /** Reads it, after a download if need be. Throws DataError if it cannot be had or is damaged. */
  load(options: LoadOptions): Promise<Dataset>;
  /** The folder on this machine that `load` would read, or undefined; never downloads. */
  locate(options: DatasetOptions): Promise<string | undefined>;
}

/** The images of a split in random order that are within a limit. Throws as `limitedIndices`. */
export function limitSplit(split: Split, limit: ImageLimit | undefined, what = "training"): Split {
  const indices = limitedIndices(split, limit, "random", what);
  const { length } = indices;
  if (length === 0 || indices[length - 1] === length - 1) return { ...split, length };
  const at = (index: number) => indices[index] as number;
  const { path, prefetch } = split;
  return {
    length,
    label: (index) => split.label(at(index)),
    image: (index) => split.image(at(index)),
    ...(path ? { path: (index) => path(at(index)) } : {}),
    ...(prefetch ? { prefetch: (wanted) => prefetch(wanted.map(at)) } : {}),
  };
}

/** Numbers of images by label. */
export function countsByLabel({ length, label }: Pick<Split, "length" | "label">, classes: number): readonly number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < length; i++) counts[label(i)] = (counts[label(i)] as number) + 1;
  return counts;
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
