/** Data sets from arrays in memory. */
import { ConfigError, DataError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import { imageOfPixels, kindOf, type RawImage, shown } from "../image/rawImage.ts";
import { arrayNameOf, isByteArray } from "../image/typedArray.ts";
import { type Dataset, loadDefaults, type Split } from "./dataset.ts";
import { heldInPart, heldOut } from "./holdOut.ts";
import { createLabelSetIndex, type LabelSet } from "./labelSets.ts";
import { asChecked, checkClassNames, checkedLabel, checkedSet, createMemoryDataset, explaining } from "./ownDataset.ts";
import { stratify } from "./stratify.ts";

/** Values of pixels: bytes from 0 (black) to 255 (white), or floats from 0 to 1, which are rounded to the nearest of 256 levels. */
export type Pixels = Uint8Array | Uint8ClampedArray | Float32Array | Float64Array;

/** Images and the label of each: a class by its index or by its name. */
export interface LabelledArrays {
  /**
   * One array with the pixels of all images after each other, or an array with an entry for each image: its pixels, or a `RawImage` such as
   * `ImageData`. Rows from the top, channels of a pixel side by side. Bytes are not copied: leave them as they are while the data set is in use.
   */
  readonly images: Pixels | readonly (Pixels | RawImage)[];
  /** Class of each image: its index, from 0, or its name; or a list of them for each image, which has several labels or none. */
  readonly labels: ArrayLike<number> | readonly string[] | readonly (readonly (number | string)[])[];
}

/** Options of a data set in memory. */
export interface MemoryOptions {
  /** Name in messages and in the configuration of a run. Default: `data`. */
  readonly name?: string;
  /** In the order of labels. Default: the names among the labels, sorted; for numbers, `0`, `1`, … up to the largest. */
  readonly classNames?: readonly string[];
  /**
   * Fraction of each class to hold out for validation if no validation set is given, rounded, but at least 1 of 2 or more images, as of an image folder.
   * 0 evaluates on the training set. Default 0.2.
   */
  readonly validationFraction?: number;
  /** Random seed that selects them. Default 0. */
  readonly seed?: number;
}

/** Options of a data set of arrays. */
export interface ArrayOptions extends MemoryOptions {
  /** Width of every image in pixels; required for pixels without a size of their own. */
  readonly width?: number;
  /** Height of every image in pixels; required for pixels without a size of their own. */
  readonly height?: number;
  /** 1: grey. 2: grey and alpha. 3: RGB. 4: RGBA. Default: from the number of values. */
  readonly channels?: number;
  /** Validation set. Default: held out of the images. */
  readonly validation?: LabelledArrays;
  /** Test set. Default: the validation set. */
  readonly test?: LabelledArrays;
}

/**
 * Creates a data set from arrays in memory.
 *
 * Shapes: images [N, height, width, channels], labels [N]. Units: bytes from 0 to 255, floats from 0 to 1.
 *
 * Throws DataError, naming the image, for arrays whose lengths do not match, an unknown label, or a value that is not finite or out of range; ConfigError
 * for fewer than two classes, two of one name, or a `validationFraction` that is not from 0 to below 1.
 */
export function fromArrays(
  images: LabelledArrays["images"],
  labels: LabelledArrays["labels"],
  options: ArrayOptions = {},
): Dataset {
  const { name = "data" } = options;
  const parts = {
    training: { images, labels },
    ...(options.validation && { validation: options.validation }),
    ...(options.test && { test: options.test }),
  };
  const classNames = options.classNames ?? classNamesOf(Object.values(parts).map((part) => part.labels));
  checkClassNames(name, classNames);
  const isMultiLabel = Array.from<unknown>(labels).some(Array.isArray);
  const index = isMultiLabel ? createLabelSetIndex() : undefined;
  const partOf = (what: keyof typeof parts): Part | undefined => {
    const part = parts[what];
    if (!part) return undefined;
    const at = `${name}: ${what}`;
    const own = index ? setsOf(at, part.labels, classNames).map(index.indexOf) : labelsOf(at, part.labels, classNames);
    return {
      images: imagesOf(at, part, options),
      labels: Uint32Array.from(own),
      ...(index && { labelSets: index.sets }),
    };
  };
  const [training, validation, test] = [partOf("training") as Part, partOf("validation"), partOf("test")];
  const [train, held] = validation ? [training, validation] : holdOut(training, classNames, options);
  const splitOf = (part: Part | undefined) => part && splitOfPart(part, classNames.length);
  return createMemoryDataset({
    name,
    classNames,
    train: splitOfPart(train, classNames.length),
    validation: splitOf(held),
    test: splitOf(test),
  });
}

/** Images and labels, checked. */
interface Part {
  readonly images: readonly Image[];
  readonly labels: Uint32Array;
  readonly labelSets?: readonly LabelSet[];
}

function splitOfPart({ images, labels, labelSets }: Part, classes: number): Split {
  const split = {
    ...(labelSets ? { labelSets } : {}),
    length: images.length,
    label: (index: number) => labels[index] as number,
    image: (index: number) => images[index] as Image,
  };
  return asChecked(split, classes);
}

/** Every image of a part, its values checked. */
function imagesOf(name: string, { images, labels }: LabelledArrays, options: ArrayOptions): readonly Image[] {
  const count = labels.length;
  const list = Array.isArray(images)
    ? (images as readonly (Pixels | RawImage)[])
    : pieces(name, images as Pixels, count);
  if (list.length !== count) {
    throw new DataError(`${name}: expected one label for each image, got ${list.length} images and ${count} labels`);
  }
  return list.map((image, i) =>
    explaining(
      () => `${name} image ${i}`,
      () => imageOfPixels(arrayNameOf(image) === undefined ? image : sized(image as Pixels, options)),
    ),
  );
}

/** One array of all images, in as many equal pieces as there are labels. */
function pieces(name: string, images: Pixels, count: number): readonly Pixels[] {
  if (arrayNameOf(images) === undefined) {
    throw new DataError(`${name}: images: expected a typed array or an array of images, got ${kindOf(images)}`);
  }
  if (count === 0 && images.length === 0) return [];
  const length = images.length / count;
  if (Number.isInteger(length))
    return Array.from({ length: count }, (_, i) => images.subarray(i * length, (i + 1) * length));
  throw new DataError(
    `${name}: expected the same number of values for each of ${count} labels, got ${images.length} values`,
  );
}

function sized(pixels: Pixels, { width, height, channels }: ArrayOptions): RawImage {
  if (width === undefined || height === undefined) {
    throw new DataError("expected the size of the images; give width and height, or images as { width, height, data }");
  }
  return { width, height, channels, data: levelsOf(pixels) };
}

/** Levels of 8 bits. */
function levelsOf(pixels: Pixels): Uint8Array | Uint8ClampedArray {
  if (isByteArray(pixels)) return pixels;
  const type = arrayNameOf(pixels);
  if (type !== "Float32Array" && type !== "Float64Array") {
    throw new DataError(
      `expected a Uint8Array of levels from 0 to 255, or a Float32Array of values from 0 to 1, got ${type}`,
    );
  }
  return Uint8Array.from(pixels, (value, i) => {
    if (value >= 0 && value <= 1) return Math.round(255 * value);
    throw new DataError(
      `expected values from 0 (black) to 1 (white), got ${value} at ${i}; divide levels by 255, and leave normalization to the recipe`,
    );
  });
}

/** The class names that labels say. */
function classNamesOf(all: readonly LabelledArrays["labels"][]): readonly string[] {
  const names = new Set<string>();
  let largest = -1;
  for (const label of all.flatMap((labels) => Array.from<unknown>(labels).flat())) {
    if (typeof label === "string") names.add(label);
    // Others are refused by `labelsOf`; far beyond a real number of classes, names for all would only take memory.
    else if (Number.isInteger(label) && (label as number) < MOST_CLASSES) largest = Math.max(largest, label as number);
  }
  return names.size > 0 ? [...names].sort() : Array.from({ length: largest + 1 }, (_, c) => String(c));
}

/** The most classes that are named after their numbers. */
const MOST_CLASSES = 100_000;

function labelsOf(name: string, labels: ArrayLike<unknown>, classNames: readonly string[]): Uint32Array {
  const indexOf = labelIndex(classNames);
  return Uint32Array.from({ length: labels.length }, (_, i) =>
    explaining(
      () => `${name} image ${i}`,
      () => indexOf(labels[i]),
    ),
  );
}

/** Index of a class by its name or index. */
function labelIndex(classNames: readonly string[]): (label: unknown) => number {
  const indices = new Map(classNames.map((className, c) => [className, c]));
  return (label) => {
    if (typeof label !== "string") return checkedLabel(label, classNames.length);
    const index = indices.get(label);
    if (index !== undefined) return index;
    throw new DataError(`label: expected one of ${classNames.join(", ")}, got "${label}"`);
  };
}

/** Label sets of images, each a list of names or indices. */
function setsOf(name: string, labels: ArrayLike<unknown>, classNames: readonly string[]): readonly LabelSet[] {
  const indexOf = labelIndex(classNames);
  return Array.from(labels, (own, i) => {
    const at = `${name} image ${i}`;
    const list: unknown = Array.isArray(own)
      ? explaining(
          () => at,
          () => own.map(indexOf),
        )
      : own;
    return checkedSet(at, list, classNames.length);
  });
}

/** Splits a part into training and validation images, by `heldOut`; undefined if none are held out. */
function holdOut(
  { images, labels, labelSets }: Part,
  classNames: readonly string[],
  { validationFraction: fraction = loadDefaults.validationShare, seed = loadDefaults.seed }: MemoryOptions,
): readonly [train: Part, validation: Part | undefined] {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new ConfigError(
      `validationFraction: expected a number from 0 up to, not including, 1, got ${shown(fraction)}`,
    );
  }
  const held = heldIndices({ labels, labelSets }, classNames, fraction, seed);
  const some = (isHeld: boolean): Part => ({
    ...(labelSets ? { labelSets } : {}),
    images: images.filter((_, i) => held.has(i) === isHeld),
    labels: labels.filter((_, i) => held.has(i) === isHeld),
  });
  return [some(false), held.size > 0 ? some(true) : undefined];
}

function heldIndices(
  { labels, labelSets }: { readonly labels: Uint32Array; readonly labelSets: readonly LabelSet[] | undefined },
  classNames: readonly string[],
  fraction: number,
  seed: number,
): ReadonlySet<number> {
  if (fraction === 0) return new Set();
  if (!labelSets) return heldOut(labels, classNames, fraction, seed);
  const sets = Array.from(labels, (label) => labelSets[label] as LabelSet);
  return heldInPart(stratify(sets, [fraction, 1 - fraction], seed), fraction);
}
