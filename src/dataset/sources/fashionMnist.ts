/** Fashion-MNIST as a data set: location, download, and its IDX files. */

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { constants, gunzip, gunzipSync } from "node:zlib";
import { formatBytes } from "../../bytes.ts";
import { codeOf, DataError, messageOf } from "../../errors.ts";
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
  description: "60,000 training and 10,000 test images of clothes, 28×28, grey, in 10 classes (Zalando, 2017)",
  channels: 1,
  load: loadFashionMnist,
  locate: async (options) => (await findFiles(options))?.folder,
};

/**
 * Reads Fashion-MNIST from `dataDir` if given; otherwise from the system's folder, or the user's cache, after a download if necessary.
 *
 * Throws DataError with the remedy if the data set is unavailable, or naming the file that is corrupt or does not match the others.
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

/** Throws DataError if a file is corrupt or the two do not match. */
async function readSplit(imageFile: string, labelFile: string): Promise<Split> {
  const [images, labels] = await Promise.all([readIdx(imageFile, 3), readIdx(labelFile, 1)]);
  const [length = 0, height, width] = images.shape;
  if (height !== extent || width !== extent) {
    throw new DataError(`${imageFile}: expected images of ${extent}×${extent}, got ${height}×${width}`);
  }
  if (labels.data.length !== length) {
    throw new DataError(
      `${labelFile}: expected ${length} labels, one per image of ${imageFile}, got ${labels.data.length}`,
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

/** Folder of Debian's package dataset-fashion-mnist. */
const systemFolder = "/usr/share/datasets/fashion-mnist";

/** Official site. Source of URL and checksums: github.com/zalandoresearch/fashion-mnist, README. */
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

/** `DatasetOptions`, and the source of the files; tests and mirrors replace it. */
interface FashionMnistOptions extends DatasetOptions {
  readonly systemDir?: string | undefined;
  readonly baseUrl?: string | undefined;
}

/** The four IDX files, plain or gzipped, in one folder. */
export interface FashionMnistFiles {
  readonly folder: string;
  /** Full paths. */
  readonly paths: Readonly<Record<Role, string>>;
}

/** Files in the first folder that has all four, or undefined. */
async function findFiles(options: FashionMnistOptions): Promise<FashionMnistFiles | undefined> {
  for (const folder of searchedFolders(options)) {
    const paths = await listFiles(folder);
    if (isComplete(paths)) return { folder, paths };
  }
  return undefined;
}

/**
 * Finds the files, or downloads them to the user's cache.
 *
 * Throws DataError, with the remedy, if they are unavailable.
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
        "install the Debian package dataset-fashion-mnist, or pass the folder of its four IDX files with --data-dir",
      { cause: error },
    );
  }
}

function searchedFolders({ dataDir, systemDir = systemFolder, cacheDir }: FashionMnistOptions): readonly string[] {
  return dataDir === undefined ? [systemDir, cacheFolder("fashion-mnist", { cacheDir })] : [dataDir];
}

/** Paths of the files that are in the folder. */
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

/** Downloads the missing files to `folder`. */
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

/** Array of bytes from an IDX file. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** In row-major order. */
  readonly data: Uint8Array;
}

/**
 * Reads an IDX file of bytes with `rank` axes. Detects gzip from the content.
 *
 * Throws DataError naming the file if it is unreadable, corrupt, or not such an array.
 */
export async function readIdx(path: string, rank: number): Promise<IdxArray> {
  try {
    const { size } = await stat(path);
    if (size > MAX_IDX_BYTES) throw tooLong(path);
    const bytes = await readFile(path);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return parseIdx(path, isGzip ? await unzip(path, bytes, rank) : bytes, rank);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${path}: cannot be read (${messageOf(error)})`, { cause: error });
  }
}

/** Five times the largest file of the data set; the memory of a file, packed or not, is bounded by it. */
const MAX_IDX_BYTES = 2 ** 28;

function tooLong(path: string): DataError {
  return new DataError(`${path}: expected at most ${formatBytes(MAX_IDX_BYTES)} of data, got more; get the file again`);
}

/** Packed bytes that contain the header of any intact file. */
const START_BYTES = 4096;

/** Unpacks as many bytes as the header says, and no more: a small file can unpack to gigabytes. */
async function unzip(path: string, bytes: Uint8Array, rank: number): Promise<Uint8Array> {
  try {
    const start = gunzipSync(bytes.subarray(0, START_BYTES), { finishFlush: constants.Z_SYNC_FLUSH });
    const { length, headerLength } = idxHeader(path, start, rank);
    const maxOutputLength = headerLength + length;
    if (maxOutputLength > MAX_IDX_BYTES) throw tooLong(path);
    return await promisify(gunzip)(bytes, { chunkSize: 1 << 20, maxOutputLength });
  } catch (error) {
    if (error instanceof DataError) throw error;
    if (codeOf(error) === "ERR_BUFFER_TOO_LARGE") throw tooLong(path);
    throw new DataError(`${path}: expected an intact gzip file, got a corrupt one (${messageOf(error)})`, {
      cause: error,
    });
  }
}

/**
 * Parses an IDX file: two zeros, the element type (8: bytes), the number of axes, their lengths (32 bits, big-endian), the data.
 *
 * Throws DataError with a message that begins with `name`. Source: LeCun, Cortes, Burges, "The MNIST database", file formats.
 */
export function parseIdx(name: string, bytes: Uint8Array, rank: number): IdxArray {
  const { shape, length, headerLength } = idxHeader(name, bytes, rank);
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

/** Header of an IDX file: the shape, its number of elements, and the bytes of the header itself. */
function idxHeader(name: string, bytes: Uint8Array, rank: number) {
  const headerLength = 4 + 4 * rank;
  if (bytes.length < headerLength) {
    throw new DataError(
      `${name}: expected an IDX file with a header of ${headerLength} bytes, got ${bytes.length} bytes`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [magic, expected] = [view.getUint32(0), 0x0800 + rank];
  if (magic !== expected) throw new DataError(`${name}: expected the IDX magic ${hex(expected)}, got ${hex(magic)}`);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { shape, length: shape.reduce((product, extent) => product * extent, 1), headerLength };
}
