/** Common form of every distribution of CIFAR-10, and its checks. */
import { DataError } from "../../errors.ts";

/** By label. Source: Krizhevsky 2009, the data set's site. */
export const classNames: readonly string[] = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

/** Height and width of every picture. */
export const extent = 32;
/** Of a picture: 32 rows, 32 columns, red, green, blue. */
export const pictureBytes = 3 * extent * extent;
/** Of the training pictures: the training part is five files, the test part one. */
export const trainParts = 5;
/** Names of these files, without what the format adds: training files, then the test file. */
export const partNames: readonly string[] = [
  ...Array.from({ length: trainParts }, (_, i) => `data_batch_${i + 1}`),
  "test_batch",
];

/** The pictures of one file. */
export interface Cifar10Part {
  /** What errors call it. */
  readonly name: string;
  /** Picture after picture, each height × width × (red, green, blue). */
  readonly pixels: Uint8Array;
  /** One a picture. */
  readonly labels: Uint8Array;
}

/** All files, in their order. */
export interface Cifar10Parts {
  readonly train: readonly Cifar10Part[];
  readonly test: Cifar10Part;
}

/**
 * The parts, in the order of training files and test file, as training and test part.
 *
 * Throws DataError if one has fewer pictures than another: officially each has 10,000.
 */
export function checkedParts(parts: readonly Cifar10Part[]): Cifar10Parts {
  const length = Math.max(...parts.map(({ labels }) => labels.length));
  const short = parts.find(({ labels }) => labels.length < length);
  if (short) {
    throw new DataError(
      `${short.name}: expected ${length} pictures, as in the largest of its files, got ${short.labels.length}`,
    );
  }
  return { train: parts.slice(0, trainParts), test: parts[trainParts] as Cifar10Part };
}

/** Labels as bytes. Throws DataError, whose message begins with `name`, if one is not the number of a class. */
export function checkedLabels(name: string, labels: ArrayLike<unknown>): Uint8Array {
  return Uint8Array.from(labels, (label, index) => {
    if (typeof label === "number" && Number.isInteger(label) && label >= 0 && label < classNames.length) return label;
    throw new DataError(
      `${name}: label ${index}: expected 0 to ${classNames.length - 1}, got ${JSON.stringify(label)}`,
    );
  });
}
