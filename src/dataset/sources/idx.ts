/** Strict reader of the idx file format. */
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DataError, messageOf } from "../../errors.ts";

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
