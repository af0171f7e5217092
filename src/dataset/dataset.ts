/** Data sets: splits of labelled images, and sources that load them. */
import type { Image, PixelSize } from "../image/image.ts";
import type { Fitting } from "../image/prepare/fitter.ts";
import { averageMoments, type ColourMoments, momentsOf } from "../image/prepare/moments.ts";
import { classesAt, type LabelledImages, type LabelSet } from "./labelSets.ts";
import { evenlySpaced, type ImageLimit, limitedIndices } from "./limit.ts";

/** One part of a data set: labelled images, read by index. */
export interface Split {
  /** Number of images. */
  readonly length: number;
  /** Class of image `index`, or with `labelSets` the index of its set; 0 ≤ index < length. */
  label(index: number): number;
  /** All label sets of a multi-label data set. Absent if each image has one class. */
  readonly labelSets?: readonly LabelSet[] | undefined;
  /**
   * Image `index`. Its data is read-only; valid until the next call, or in shared memory until the second `prefetch`. Throws DataError if it is unreadable.
   */
  image(index: number): Image;
  /**
   * Starts reading these images in the background, so that `image` finds them in memory. Absent if all images are in memory. An unreadable image is an
   * error of `image`; the promise rejects with DataError if nothing can be read, as by the code of a caller's own split.
   */
  prefetch?(indices: Uint32Array): Promise<void>;
  /** File of image `index`, if each image has a file of its own. */
  path?(index: number): string;
  /** Precomputed network inputs. If present, images are not preprocessed. */
  readonly features?: Features | undefined;
}

/** Cached outputs of the frozen layers for a split's images: the input of the layers after them. */
export interface Features {
  /** Values per image. */
  readonly length: number;
  /** Starts reading the features of these images in an epoch, as `Split.prefetch`. */
  prefetch(indices: Uint32Array, epoch: number): Promise<void>;
  /** Writes the features of image `index` in an epoch to `target`, starting at `offset`. */
  write(index: number, epoch: number, target: Float32Array, offset: number): void;
}

/** Labelled images, with the statistics that preprocessing needs. */
export interface Dataset {
  /** Name, or absolute path of the folder. */
  readonly name: string;
  /** In the order of labels. */
  readonly classNames: readonly string[];
  readonly train: Split;
  /** Validation set; if absent, `test` is used. */
  readonly validation?: Split | undefined;
  /** Test set, for evaluating the trained network; the same object as `validation` if one set serves as both. */
  readonly test: Split;
  /** Channels per image: 1 for grey, 3 for colour. */
  readonly channels: 1 | 3;
  /** Size of every image; undefined if they differ. */
  readonly imageSize: PixelSize | undefined;
  /** Mean of all training pixels per channel, from 0 (black) to 1 (white). */
  readonly mean: readonly number[];
  /** Standard deviation of all training pixels per channel, on the same scale. */
  readonly deviation: readonly number[];
  /** Mean colour of the training images, and means of the products of channels. */
  moments(): ColourMoments;
  /** Folder that the data set was read from; its name if it is in memory. */
  readonly source: string;
  /** SHA-256 over the list of image files in the training and validation sets, before any limit. Absent if there are no image files. */
  readonly listed?: string | undefined;
  /** Closes open files, if there are any. */
  close?(): void;
}

/** Location of a data set, and limits on its size. */
export interface DatasetOptions {
  /** The only folder to search. */
  readonly dataDir?: string | undefined;
  /** Cache of downloads and packed images, with a subfolder per data set. Default: `$XDG_CACHE_HOME/alexnet` or `~/.cache/alexnet`. */
  readonly cacheDir?: string | undefined;
  /** Download the data set if it is not on this machine. Default: true. */
  readonly download?: boolean | undefined;
  /** Called with the number of bytes downloaded so far, out of `total`. */
  readonly onProgress?: ((bytes: number, total: number) => void) | undefined;
  /** Maximum number of training images, or of test and validation images each (see `limitedIndices`). */
  readonly trainLimit?: ImageLimit | undefined;
  readonly testLimit?: ImageLimit | undefined;
  /** Stops searching, downloading and packing; `load` then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Parts of a data set. */
export const splitNames = ["test", "validation", "train"] as const;

/** Name of a part, as in `--split`. */
export type SplitName = (typeof splitNames)[number];

/** Defaults of `LoadOptions`. */
export const loadDefaults = { validationShare: 0.2, maxBad: 0.01, seed: 0 } as const;

/** Orders of classes: by code point, or with the numbers in names as numbers. */
export const classOrders = ["text", "natural"] as const;

/** Name of an order of classes. */
export type ClassOrder = (typeof classOrders)[number];

/** Labels and classes of an image folder. */
export interface LayoutOptions {
  /** Table of labels: CSV, TSV or JSON lines, in the working directory or in the folder. Default: class folders, or Hugging Face's metadata files. */
  readonly labels?: string | undefined;
  /** Column of image files, relative to the folder or the table, with or without extension. Default: the column that names images. */
  readonly imageColumn?: string | undefined;
  /** Column of labels. Default: the column called `label`, or similar, or the only one left. */
  readonly labelColumn?: string | undefined;
  /** Column of splits: `train`, `val` or `test`. Default: the column called `split`, or similar, if there is one. */
  readonly splitColumn?: string | undefined;
  /** Separator of the labels in a cell, for images with several labels or none. Default: each cell is one label. */
  readonly labelSeparator?: string | undefined;
  /** Columns of 0 and 1, one for each label. Default: all others, if there is no column of labels and they contain only 0 and 1. */
  readonly labelColumns?: readonly string[] | undefined;
  /** Column of groups, such as patients: the images of a group stay together in every split that is made. Default: none. */
  readonly groupColumn?: string | undefined;
  /** Number of folds of the training images, 2 or more; images of the validation part are among them. Default: none. */
  readonly folds?: number | undefined;
  /** The fold to hold out for validation, from 1. Required with `folds`. */
  readonly fold?: number | undefined;
  /** File with one class name per line, in the order of labels. Default: the classes of the images, sorted. */
  readonly classes?: string | undefined;
  /** Default: `text`. */
  readonly classOrder?: ClassOrder | undefined;
}

/** Further options of a data set of image files. */
export interface LoadOptions extends DatasetOptions, LayoutOptions {
  /** Fitting of images to the network's input; packed images contain no more than it needs. Default: whole images. */
  readonly fitting?: Fitting | undefined;
  /** Fraction of images to hold out if the folder has no val/ or test/. Default: 0.2. */
  readonly validationShare?: number | undefined;
  /** Random seed of that split. Default: 0. */
  readonly seed?: number | undefined;
  /** Use all images as test images if the folder has no folders for parts. Default: false. */
  readonly allAsTest?: boolean | undefined;
  /** Part to load with `allAsTest` from a folder with folders for parts; the others may be left out. Default: `test`. */
  readonly part?: "train" | "validation" | "test" | undefined;
  /** Listing digest of a network's training data (see `Dataset`). A folder with this digest is split as for training despite `allAsTest`. */
  readonly trainedOn?: string | undefined;
  /** Maximum fraction of unreadable images. Default: 0.01. */
  readonly maxBad?: number | undefined;
  /** Called with the number of images packed so far, out of `total`. */
  readonly onPacking?: ((done: number, total: number) => void) | undefined;
  /** Called with facts and warnings for people. */
  readonly onMessage?: ((message: string) => void) | undefined;
}

/** Source of a data set: a named one, or a folder. */
export interface DatasetSource {
  readonly name: string;
  /** One line. */
  readonly description: string;
  /** Channels of the images; 3 for a folder, whose images have not been read. */
  readonly channels: 1 | 3;
  /** Loads the data set, after downloading it if necessary. Throws DataError if it is unavailable or unreadable. */
  load(options: LoadOptions): Promise<Dataset>;
  /** Folder on this machine that `load` would read; undefined if there is none. Never downloads. */
  locate(options: DatasetOptions): Promise<string | undefined>;
}

/** Limits a split whose images are in random order. Throws like `limitedIndices`. */
export function limitSplit(split: Split, limit: ImageLimit | undefined, what = "training"): Split {
  const indices = limitedIndices(split, limit, "random", what);
  const { length } = indices;
  return length === 0 || indices[length - 1] === length - 1 ? { ...split, length } : pickImages(split, indices);
}

/** Some images of a split, in this order. */
export function pickImages(split: Split, indices: Uint32Array): Split {
  const at = (index: number) => indices[index] as number;
  const { path, prefetch, labelSets, features } = split;
  return {
    length: indices.length,
    label: (index) => split.label(at(index)),
    image: (index) => split.image(at(index)),
    ...(features ? { features: pickFeatures(features, at) } : {}),
    ...(labelSets ? { labelSets } : {}),
    ...(path ? { path: (index) => path(at(index)) } : {}),
    ...(prefetch ? { prefetch: (wanted) => prefetch(wanted.map(at)) } : {}),
  };
}

/** Features of the chosen images. */
function pickFeatures(features: Features, at: (index: number) => number): Features {
  return {
    length: features.length,
    prefetch: (indices, epoch) => features.prefetch(indices.map(at), epoch),
    write: (index, epoch, target, offset) => features.write(at(index), epoch, target, offset),
  };
}

/** Number of images of each class. */
export function countsByLabel(images: LabelledImages, classes: number): readonly number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < images.length; i++) {
    for (const label of classesAt(images, i)) counts[label] = (counts[label] as number) + 1;
  }
  return counts;
}

/** Colour moments of a split in memory. */
export function splitMoments(split: Split, channels: 1 | 3): ColourMoments {
  function* each() {
    for (let i = 0; i < split.length; i++) yield momentsOf(split.image(i));
  }
  return averageMoments(each(), channels) ?? { mean: new Array(channels).fill(0), products: [] };
}

/** Number of images that `sampledImages` loads at a time. */
const SAMPLED_AT_A_TIME = 64;

/** Evenly spaced images of a split, at most `most`; each is valid until the next. */
export async function* sampledImages(split: Split, most: number): AsyncGenerator<Image> {
  const indices = evenlySpaced(most, split.length);
  for (let start = 0; start < indices.length; start += SAMPLED_AT_A_TIME) {
    const wanted = indices.slice(start, start + SAMPLED_AT_A_TIME);
    await split.prefetch?.(wanted);
    for (const index of wanted) yield split.image(index);
  }
}

/** Split that is evaluated after each epoch of training: the validation set, or the test set if there is none. */
export function validationSplit({ validation, test }: Pick<Dataset, "validation" | "test">): Split {
  return validation ?? test;
}
