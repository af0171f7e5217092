/** Data sets of the caller's own: checked at every access, and completed with the statistics of their pixels. */
import { ConfigError, DataError, messageOf } from "../errors.ts";
import { type Image, isSameSize, type PixelSize } from "../image/image.ts";
import { averageMoments, type ColourMoments, deviationOf, momentsOf } from "../image/prepare/moments.ts";
import { imageOfPixels, type RawImage, shown } from "../image/rawImage.ts";
import { type Dataset, type Split, sampledImages } from "./dataset.ts";
import type { LabelSet } from "./labelSets.ts";
import { evenlySpaced } from "./limit.ts";

/** A part of a caller's data set: images by their position, each with a label. Any error that its functions throw becomes a DataError with that `cause`. */
export interface OwnSplit {
  /** Number of images. */
  readonly length: number;
  /** Index of the class of image `index`, or with `labelSets` of its set, 0 ≤ index < length. */
  label(index: number): number;
  /** For images with several labels or none: label sets, each the indices of its classes. Default: each image has one class. */
  readonly labelSets?: readonly LabelSet[] | undefined;
  /** Image `index`, of 1 to 4 channels; its data is read before the next call. */
  image(index: number): RawImage;
  /** Starts loading these images, so that `image` finds them in memory; awaited before `image` is called. Absent if all images are in memory. */
  prefetch?(indices: Uint32Array): Promise<void>;
  /** File of image `index`, for lists of predictions. */
  path?(index: number): string;
}

/** Images in classes, as a caller has them. */
export interface OwnDataset {
  /** Name in messages and in the configuration of a run. Default: `data`. */
  readonly name?: string;
  /** In the order of labels; at least two, all different. */
  readonly classNames: readonly string[];
  readonly train: OwnSplit;
  /** Validation set, evaluated after each epoch. Default: the test set. */
  readonly validation?: OwnSplit | undefined;
  /** Test set. Default: the validation set, or the training set if there is neither. */
  readonly test?: OwnSplit | undefined;
}

/** Maximum number of images that mean and deviation are computed from. */
const STATISTICS_IMAGES = 10_000;

/**
 * Completes a data set of the caller's own with the channels, size, mean and deviation of its training images: of all, or of 10,000 evenly spaced
 * ones. Every label and image is checked when it is read; an error names the data set, the part and the position.
 *
 * Throws ConfigError for fewer than two classes or two of one name, DataError for an empty training set, an unusable image, or an error of the caller's
 * code, which is its `cause`. Labels, and images outside that sample, throw DataError when they are read.
 */
export async function createDataset(own: OwnDataset): Promise<Dataset> {
  const checked = checkedParts(own);
  const statistics = startStatistics();
  for await (const image of sampledImages(checked.train, STATISTICS_IMAGES)) statistics.add(image);
  return { ...checked, source: checked.name, ...statistics.result() };
}

/** `createDataset` for images that are all in memory: nothing is awaited. */
export function createMemoryDataset(own: OwnDataset): Dataset {
  const checked = checkedParts(own);
  const statistics = startStatistics();
  for (const index of evenlySpaced(STATISTICS_IMAGES, checked.train.length)) statistics.add(checked.train.image(index));
  return { ...checked, source: checked.name, ...statistics.result() };
}

type Parts = Pick<Dataset, "name" | "classNames" | "train" | "validation" | "test">;

function checkedParts({ name = "data", classNames, ...own }: OwnDataset): Parts {
  checkClassNames(name, classNames);
  const part = (what: string, split: OwnSplit | undefined) =>
    split && split.length !== 0 ? checkedSplit(`${name}: ${what}`, split, classNames.length) : undefined;
  const train = part("training", own.train);
  if (!train) throw new DataError(`${name}: expected training images, got none`);
  const validation = part("validation", own.validation);
  const test = (own.test === own.validation ? validation : part("test", own.test)) ?? validation ?? train;
  return { name, classNames, train, validation, test };
}

/** Throws ConfigError unless there are at least two class names, all different. */
export function checkClassNames(name: string, classNames: readonly string[]): void {
  if (classNames.length < 2) throw new ConfigError(`${name}: expected at least 2 classes, got ${classNames.length}`);
  const seen = new Set<string>();
  const twice = classNames.find((className) => seen.size === seen.add(className).size);
  if (twice !== undefined)
    throw new ConfigError(`${name}: class "${twice}" is there twice; give each class its own name`);
}

/**
 * The same data set, its labels and images checked when they are read; an empty validation or test set is one left out.
 *
 * Throws ConfigError for fewer than two classes or two of one name, DataError for an empty training set.
 */
export function checkedDataset(dataset: Dataset): Dataset {
  return { ...dataset, ...checkedParts(dataset) };
}

/** Number of classes of each split that is checked already: a second check would only repeat work, and the name in messages. */
const checkedFor = new WeakMap<OwnSplit, number>();

/**
 * A split whose labels and images are checked when they are read; `name` begins each message. Throws DataError for a length that is not a whole number.
 */
export function checkedSplit(name: string, split: OwnSplit, classes: number): Split {
  if (checkedFor.get(split) === classes) return split as Split;
  const { length, path } = split;
  const labelSets = split.labelSets?.map((set, i) => checkedSet(`${name} label set ${i}`, set, classes));
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new DataError(`${name}: length: expected a whole number of images, got ${shown(length)}`);
  }
  const at = <T>(index: number, read: () => T) => explaining(() => `${name} image ${index}`, read);
  const checked: Split = {
    length,
    label: (index) => at(index, () => checkedLabel(split.label(index), labelSets?.length ?? classes)),
    ...(labelSets ? { labelSets } : {}),
    image: (index) => at(index, () => imageOfPixels(split.image(index))),
    ...(split.prefetch ? { prefetch: (indices) => prefetched(name, split, indices) } : {}),
    ...(path ? { path: (index) => path(index) } : {}),
  };
  return asChecked(checked, classes);
}

/** Marks a split whose labels and images have been checked for this number of classes. */
export function asChecked(split: Split, classes: number): Split {
  checkedFor.set(split, classes);
  return split;
}

/** Returns the label. Throws DataError unless it is a whole number from 0 to `classes` − 1. */
export function checkedLabel(label: unknown, classes: number): number {
  if (Number.isInteger(label) && (label as number) >= 0 && (label as number) < classes) return label as number;
  throw new DataError(`label: expected a whole number from 0 to ${classes - 1}, got ${shown(label)}`);
}

/** Returns the set in ascending order. Throws DataError unless it contains different indices of classes. */
export function checkedSet(name: string, set: unknown, classes: number): LabelSet {
  if (!Array.isArray(set)) throw new DataError(`${name}: expected a list of classes, got ${shown(set)}`);
  const labels = set.map((label) =>
    explaining(
      () => name,
      () => checkedLabel(label, classes),
    ),
  );
  const twice = labels.find((label, i) => labels.indexOf(label) < i);
  if (twice !== undefined) throw new DataError(`${name}: expected each class once, got ${twice} twice`);
  return labels.sort((a, b) => a - b);
}

async function prefetched(name: string, split: OwnSplit, indices: Uint32Array): Promise<void> {
  try {
    await split.prefetch?.(indices);
  } catch (cause) {
    throw explained(`${name} images`, cause);
  }
}

/** Reads a caller's values. Throws any error as a DataError whose message begins with the name; the error is its `cause`. */
export function explaining<T>(nameOf: () => string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw explained(nameOf(), cause);
  }
}

function explained(name: string, cause: unknown): DataError {
  return new DataError(`${name}: ${messageOf(cause)}`, { cause });
}

type Statistics = Pick<Dataset, "channels" | "imageSize" | "mean" | "deviation" | "moments">;

function startStatistics(): { add(image: Image): void; result(): Statistics } {
  const all: ColourMoments[] = [];
  let channels: 1 | 3 = 1;
  let size: PixelSize | undefined;
  let isOneSize = true;
  return {
    add(image) {
      all.push(momentsOf(image));
      if (image.channels === 3) channels = 3;
      size ??= { width: image.width, height: image.height };
      isOneSize &&= isSameSize(size, image);
    },
    result() {
      const moments = averageMoments(all, channels) ?? { mean: [], products: [] };
      return {
        channels,
        imageSize: isOneSize ? size : undefined,
        mean: moments.mean,
        deviation: deviationOf(moments),
        moments: () => moments,
      };
    },
  };
}
