/** CIFAR-10's official binary files, unpacked or in their archive. */
import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import { readTarGz } from "../download/tar.ts";
import {
  type Cifar10Part,
  type Cifar10Parts,
  checkedLabels,
  checkedParts,
  extent,
  partNames,
  pictureBytes,
} from "./cifar10Parts.ts";

/** The official archive. Source: the data set's site, www.cs.toronto.edu/~kriz/cifar.html; the checksum too. */
export const archiveName = "cifar-10-binary.tar.gz";

/** The files in it: training files, then the test file. */
export const binaryNames: readonly string[] = partNames.map((name) => `${name}.bin`);

/** Label, then 32×32 red, 32×32 green, 32×32 blue. Source: the data set's site, "Binary version". */
const recordBytes = 1 + pictureBytes;
const planeBytes = extent * extent;
/** Of every official file. */
const maxRecords = 10000;

/** Reads the six files from a folder. Throws DataError naming the file that cannot be read or is not such a file. */
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

/** Reads them from the archive, without unpacking it on disk. Throws DataError naming it, and the file in it. */
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

/** Takes over `bytes`: its planes become interleaved pixels where they are, which saves 184 MB. */
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
  const planes = new Uint8Array(pictureBytes);
  for (let record = 0; record < count; record++) {
    const start = record * recordBytes + 1;
    planes.set(bytes.subarray(start, start + pictureBytes));
    // Pictures move towards the front, where labels were: never over a record that is still to be read.
    let target = record * pictureBytes;
    for (let pixel = 0; pixel < planeBytes; pixel++) {
      for (let place = pixel; place < pictureBytes; place += planeBytes) bytes[target++] = planes[place] as number;
    }
  }
  return { name, pixels: bytes.subarray(0, count * pictureBytes), labels };
}
