/** Small data sets in one file: images of one size with their labels, read without a decoder. */
import { DataError, messageOf } from "../errors.ts";
import { sizeOf } from "../shape.ts";
import { fromArrays } from "./arrays.ts";
import type { Dataset, Split } from "./dataset.ts";

/** Description at the start of a sample file. */
interface SampleHeader {
  readonly name: string;
  readonly classNames: readonly string[];
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Number of training and test images. */
  readonly train: number;
  readonly test: number;
}

const LENGTH_BYTES = 4;
/** A label is one byte. */
const MAX_CLASSES = 256;

/**
 * Encodes the first images of a data set: the length of the header, the header as JSON, then labels and levels of the training images, and those of
 * the test images. Throws DataError for images of several sizes or labels, and for labels that do not fit into a byte.
 */
export function encodeSample(dataset: Dataset, images: { readonly train: number; readonly test: number }): Uint8Array {
  const { name, classNames, imageSize, channels } = dataset;
  if (!imageSize) throw new DataError(`${name}: expected images of one size for a sample`);
  if (dataset.train.labelSets) throw new DataError(`${name}: expected one class per image for a sample`);
  if (classNames.length > MAX_CLASSES) {
    throw new DataError(`${name}: expected at most ${MAX_CLASSES} classes for a sample, got ${classNames.length}`);
  }
  const header: SampleHeader = { name, classNames, ...imageSize, channels, ...images };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const pixels = sizeOf([imageSize.width, imageSize.height, channels]);
  const bytes = new Uint8Array(LENGTH_BYTES + text.length + (images.train + images.test) * (1 + pixels));
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, LENGTH_BYTES);
  let end = LENGTH_BYTES + text.length;
  const add = (split: Split, count: number) => {
    for (let i = 0; i < count; i++) bytes[end + i] = split.label(i);
    for (let i = 0; i < count; i++) bytes.set(split.image(i).data, end + count + i * pixels);
    end += count * (1 + pixels);
  };
  add(dataset.train, images.train);
  add(dataset.test, images.test);
  return bytes;
}

/** Reads a sample file as a data set. Throws DataError if it is corrupt. */
export function decodeSample(bytes: Uint8Array): Dataset {
  const { header, start } = headerOf(bytes);
  const { name, classNames, width, height, channels, train, test } = header;
  const pixels = sizeOf([width, height, channels]);
  const expected = start + (train + test) * (1 + pixels);
  if (bytes.length !== expected) throw new DataError(`sample: expected ${expected} bytes, got ${bytes.length}`);
  const partAt = (at: number, count: number) => ({
    labels: bytes.subarray(at, at + count),
    images: bytes.subarray(at + count, at + count * (1 + pixels)),
  });
  const training = partAt(start, train);
  const validation = partAt(start + train * (1 + pixels), test);
  return fromArrays(training.images, training.labels, { name, classNames, width, height, channels, validation });
}

function headerOf(bytes: Uint8Array): { readonly header: SampleHeader; readonly start: number } {
  try {
    const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
    const start = LENGTH_BYTES + length;
    return { header: JSON.parse(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, start))), start };
  } catch (cause) {
    throw new DataError(`sample: not a sample file: ${messageOf(cause)}`, { cause });
  }
}
