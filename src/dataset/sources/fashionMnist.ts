/** Fashion-MNIST as a data set: location, download, and its idx files. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DataError, messageOf } from "../../errors.ts";
import {
  type Dataset,
  type DatasetOptions,
  type DatasetSource,
  limitSplit,
  type Split,
  splitMoments,
} from "../dataset.ts";
import { cacheFolder } from "../download/cacheFolder.ts";
import { downloadFile } from "../download/download.ts";

const classNames: readonly string[] = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** Mean and deviation of the 47,040,000 training pixels / 255; a test computes them from the files. */
const mean = 0.2860405969887955;
const deviation = 0.35302424451492237;

/** Height and width of every image. */
const extent = 28;

/** Fashion-MNIST. Source: Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking". */
export const fashionMnist: DatasetSource = {
  name: "fashion-mnist",
  description: "60,000 training and 10,000 test pictures of clothes, 28×28, grey, in 10 classes (Zalando, 2017)",
  channels: 1,
  load: loadFashionMnist,
  locate: async (options) => (await findFiles(options))?.folder,
};

/**
 * Reads Fashion-MNIST from `dataDir` if given, else from the system's folder, else from the user's cache, into which it is
 * downloaded first if it is nowhere.
 *
 * Throws DataError with the remedy if it cannot be had, or naming the file that is damaged or does not fit the others.
 */
export async function loadFashionMnist(options: FashionMnistOptions = {}): Promise<Dataset> {
  const { folder, paths } = await obtainFiles(options);
  const [train, test] = await Promise.all([
    readSplit(paths.trainImages, paths.trainLabels),
    readSplit(paths.testImages, paths.testLabels),
  ]);
  const training = limitSplit(train, options.trainLimit, "training");
  return {
    name: fashionMnist.name,
    classNames,
    train: training,
    test: limitSplit(test, options.testLimit, "test"),
    channels: 1,
    imageSize: { width: extent, height: extent },
    mean: [mean],
    deviation: [deviation],
    moments: () => splitMoments(training, 1),
    source: folder,
  };
}

/** Throws DataError if a file is damaged or the two do not fit together. */
async function readSplit(imageFile: string, labelFile: string): Promise<Split> {
  const [images, labels] = await Promise.all([readIdx(imageFile, 3), readIdx(labelFile, 1)]);
  const [length = 0, height, width] = images.shape;
  if (height !== extent || width !== extent) {
    throw new DataError(`${imageFile}: expected pictures of ${extent}×${extent}, got ${height}×${width}`);
  }
  if (labels.data.length !== length) {
    throw new DataError(
      `${labelFile}: expected ${length} labels, one for each picture of ${imageFile}, got ${labels.data.length}`,
    );
  }
  const wrong = labels.data.findIndex((label) => label >= classNames.length);
  if (wrong >= 0) {
    throw new DataError(
      `${labelFile}: label ${wrong}: expected 0 to ${classNames.length - 1}, got ${labels.data[wrong]}`,
    );
  }
  const size = extent * extent;
  return {
    length,
    label: (index) => labels.data[index] as number,
    image: (index) => ({
      width: extent,
      height: extent,
      channels: 1,
      data: images.data.subarray(index * size, (index + 1) * size),
    }),
  };
}

/** The folder of Debian's package dataset-fashion-mnist. */
const systemFolder = "/usr/share/datasets/fashion-mnist";

/** The official site. Source: github.com/zalandoresearch/fashion-mnist, README; the checksums too. */
const officialSite = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";

/** The four files; `md5` and `bytes` are those of the official .gz file. */
const files = {
  trainImages: { name: "train-images-idx3-ubyte", md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d", bytes: 26421880 },
  trainLabels: { name: "train-labels-idx1-ubyte", md5: "25c81989df183df01b3e8a0aad5dffbe", bytes: 29515 },
  testImages: { name: "t10k-images-idx3-ubyte", md5: "bef4ecab320f06d8554ea6380940ec79", bytes: 4422102 },
  testLabels: { name: "t10k-labels-idx1-ubyte", md5: "bb300cfdad3c16e7a12a480ee83cd310", bytes: 5148 },
} as const;

type Role = keyof typeof files;
const roles = Object.keys(files) as readonly Role[];
const timeoutSeconds = 30;

/** `DatasetOptions`, and where the files come from: other than the default for mirrors and tests. */
interface FashionMnistOptions extends DatasetOptions {
  readonly systemDir?: string | undefined;
  readonly baseUrl?: string | undefined;
}

/** The four idx files, plain or gzipped, in one folder. */
export interface FashionMnistFiles {
  readonly folder: string;
  /** Full paths. */
  readonly paths: Readonly<Record<Role, string>>;
}

/** The files in the first folder that has all four, or undefined. */
async function findFiles(options: FashionMnistOptions): Promise<FashionMnistFiles | undefined> {
  for (const folder of searchedFolders(options)) {
    const paths = await listFiles(folder);
    if (isComplete(paths)) return { folder, paths };
  }
  return undefined;
}

/**
 * The files where they are, or else in the user's cache, downloaded.
 *
 * Throws DataError, with the remedy, if they cannot be had.
 */
async function obtainFiles(options: FashionMnistOptions): Promise<FashionMnistFiles> {
  const found = await findFiles(options);
  if (found) return found;
  const { dataDir } = options;
  if (dataDir !== undefined) {
    const missing = missingFiles(await listFiles(dataDir)).map((role) => `${files[role].name}[.gz]`);
    throw new DataError(`${dataDir}: expected the four files of Fashion-MNIST, missing ${missing.join(", ")}`);
  }
  try {
    if (options.download === false) throw new DataError("downloading is switched off");
    return await downloadFiles(cacheFolder("fashion-mnist", options), options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new DataError(
      `fashion-mnist: not found in ${searchedFolders(options).join(" or ")}, and not downloaded (${messageOf(error)}); ` +
        "install the Debian package dataset-fashion-mnist, or give the folder of its four idx files with --data-dir",
      { cause: error },
    );
  }
}

function searchedFolders({ dataDir, systemDir = systemFolder, cacheDir }: FashionMnistOptions): readonly string[] {
  return dataDir === undefined ? [systemDir, cacheFolder("fashion-mnist", { cacheDir })] : [dataDir];
}

/** The paths of those of the four files that are in the folder. */
async function listFiles(folder: string): Promise<Partial<Record<Role, string>>> {
  const present = new Set<string>(await readdir(folder).catch(() => []));
  const paths: Partial<Record<Role, string>> = {};
  for (const role of roles) {
    const { name } = files[role];
    const found = [name, `${name}.gz`].find((candidate) => present.has(candidate));
    if (found !== undefined) paths[role] = join(folder, found);
  }
  return paths;
}

function missingFiles(paths: Partial<Record<Role, string>>): readonly Role[] {
  return roles.filter((role) => paths[role] === undefined);
}

function isComplete(paths: Partial<Record<Role, string>>): paths is Record<Role, string> {
  return missingFiles(paths).length === 0;
}

/** Downloads into `folder` what it lacks. */
async function downloadFiles(folder: string, options: FashionMnistOptions): Promise<FashionMnistFiles> {
  const { baseUrl = officialSite, onProgress, signal } = options;
  const paths = await listFiles(folder);
  const missing = missingFiles(paths);
  const total = missing.reduce((sum, role) => sum + files[role].bytes, 0);
  let received = 0;
  const onBytes = (bytes: number) => {
    received += bytes;
    onProgress?.(received, total);
  };
  for (const role of missing) {
    const { name, md5 } = files[role];
    const path = join(folder, `${name}.gz`);
    await downloadFile({ url: `${baseUrl}/${name}.gz`, path, md5, timeoutSeconds, onBytes, signal });
    paths[role] = path;
  }
  return { folder, paths: paths as Record<Role, string> };
}

/** An array of bytes from an idx file. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** In row order. */
  readonly data: Uint8Array;
}

/**
 * Reads an idx file of bytes with `rank` axes, gzipped or plain, whichever its content says.
 *
 * Throws DataError naming the file if it cannot be read, is damaged, or is not such an array.
 */
export async function readIdx(path: string, rank: number): Promise<IdxArray> {
  try {
    const bytes = await readFile(path);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return parseIdx(path, isGzip ? await unzip(path, bytes) : bytes, rank);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${path}: cannot be read (${messageOf(error)})`, { cause: error });
  }
}

async function unzip(path: string, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(bytes, { chunkSize: 1 << 20 });
  } catch (error) {
    throw new DataError(`${path}: expected an intact gzip file, got a damaged one (${messageOf(error)})`, {
      cause: error,
    });
  }
}

/**
 * An idx file: two zeros, the element type (8: bytes), the number of axes, their extents (32 bits, big end first), the data.
 *
 * Throws DataError, whose message begins with `name`. Source: LeCun, Cortes, Burges, "The MNIST database", file formats.
 */
export function parseIdx(name: string, bytes: Uint8Array, rank: number): IdxArray {
  const headerLength = 4 + 4 * rank;
  if (bytes.length < headerLength) {
    throw new DataError(
      `${name}: expected an idx file with a header of ${headerLength} bytes, got ${bytes.length} bytes`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [magic, expected] = [view.getUint32(0), 0x0800 + rank];
  if (magic !== expected) throw new DataError(`${name}: expected the idx magic ${hex(expected)}, got ${hex(magic)}`);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const length = shape.reduce((product, extent) => product * extent, 1);
  const got = bytes.length - headerLength;
  if (length === 0) throw new DataError(`${name}: expected at least one element, got the shape ${shape.join("×")}`);
  if (got !== length) {
    throw new DataError(`${name}: expected ${length} bytes of data for the shape ${shape.join("×")}, got ${got}`);
  }
  return { shape, data: bytes.subarray(headerLength) };
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
