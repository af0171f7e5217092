/** A split whose images lie in the pixels of a pack. */
import { join } from "node:path";
import type { Image } from "../../image/image.ts";
import type { Split } from "../dataset.ts";
import type { Mender } from "./mend.ts";
import { areOpen, type PackPixels, type Place, readImage, startReading } from "./pixels.ts";
import type { StoredImage } from "./state.ts";

/** An image of a split. */
export interface PackedImage {
  /** Relative to the root. */
  readonly path: string;
  readonly label: number;
  readonly picture: StoredImage;
}

/** Numbers of a split's images, one an image. */
interface Columns {
  readonly part: Uint16Array;
  readonly offset: Float64Array;
  readonly width: Uint32Array;
  readonly height: Uint32Array;
  readonly channels: Uint8Array;
  readonly checksum: Uint32Array;
  /** 1 once its pixels were those of its checksum: later epochs read what was verified, and do without. */
  readonly isVerified: Uint8Array;
  readonly label: Int32Array;
  readonly path: string[];
}

/** Selection of a pack's images for a split. */
export interface PackSplitOptions {
  readonly pixels: PackPixels;
  /** The folder of the image files. */
  readonly root: string;
  readonly length: number;
  /** Read once, at the beginning. */
  readonly images: Iterable<PackedImage>;
  /** Called for images that are read ahead and damaged. Default: they stay damaged. */
  readonly mend?: Mender | undefined;
}

/** `image` of the split throws DataError if the pixels are not there, or damaged. */
export function packSplit({ pixels, root, length, images, mend }: PackSplitOptions): Split {
  const columns = columnsOf(length, images);
  const ahead = [createReadAhead(pixels, columns, mend), createReadAhead(pixels, columns, mend)] as const;
  let turn = 0;
  let memory = new Uint8Array(0);
  const readNow = (index: number) => {
    const bytes = byteLength(columns, index);
    if (memory.length < bytes) memory = new Uint8Array(bytes);
    readImage(pixels, placeOf(columns, index), checksumToVerify(columns, index), memory.subarray(0, bytes));
    columns.isVerified[index] = 1;
    return memory.subarray(0, bytes);
  };
  return {
    length,
    label: (index) => columns.label[index] as number,
    path: (index) => join(root, columns.path[index] as string),
    image(index): Image {
      const data = ahead[turn]?.find(index) ?? ahead[1 - turn]?.find(index) ?? readNow(index);
      return {
        width: columns.width[index] as number,
        height: columns.height[index] as number,
        channels: columns.channels[index] === 3 ? 3 : 1,
        data,
      };
    },
    prefetch(indices) {
      turn = 1 - turn;
      return (ahead[turn] as ReadAhead).start(indices);
    },
  };
}

function columnsOf(length: number, images: Iterable<PackedImage>): Columns {
  const columns: Columns = {
    part: new Uint16Array(length),
    offset: new Float64Array(length),
    width: new Uint32Array(length),
    height: new Uint32Array(length),
    channels: new Uint8Array(length),
    checksum: new Uint32Array(length),
    isVerified: new Uint8Array(length),
    label: new Int32Array(length),
    path: [],
  };
  let i = 0;
  for (const { path, label, picture } of images) {
    columns.part[i] = picture.part;
    columns.offset[i] = picture.offset;
    columns.width[i] = picture.width;
    columns.height[i] = picture.height;
    columns.channels[i] = picture.channels;
    columns.checksum[i] = picture.checksum;
    columns.label[i] = label;
    columns.path.push(path);
    i++;
  }
  return columns;
}

function byteLength({ width, height, channels }: Columns, index: number): number {
  return (width[index] as number) * (height[index] as number) * (channels[index] as number);
}

function checksumToVerify({ checksum, isVerified }: Columns, index: number): number | undefined {
  return isVerified[index] === 1 ? undefined : checksum[index];
}

function placeOf({ part, offset }: Columns, index: number): Place {
  return { part: part[index] as number, offset: offset[index] as number };
}

/** Buffer that images are read into in the background. */
interface ReadAhead {
  /** Resolves when these are there, or cannot be read: `find` does not have them, and reading them now throws the reason. */
  start(indices: Uint32Array): Promise<void>;
  find(index: number): Uint8Array | undefined;
}

function createReadAhead(pixels: PackPixels, columns: Columns, mend: Mender | undefined): ReadAhead {
  const places = new Map<number, number>();
  // Shared, so that the threads of a preparation can read it.
  let memory = new Uint8Array(new SharedArrayBuffer(0));
  let last: Promise<void> = Promise.resolve();
  const readOrMend = async (index: number, target: Uint8Array) => {
    const place = placeOf(columns, index);
    if (await startReading(pixels, place, checksumToVerify(columns, index), target)) {
      columns.isVerified[index] = 1;
      return true;
    }
    const [file, checksum] = [columns.path[index] as string, columns.checksum[index] as number];
    const mended = areOpen(pixels) ? await mend?.({ ...place, file, checksum }) : undefined;
    if (mended) target.set(mended);
    return mended !== undefined;
  };
  /** Beside each other: the system's threads take them one by one, whatever this one is doing. */
  const readAll = async (indices: Uint32Array) => {
    const { starts, bytes } = sideBySide(columns, indices);
    if (memory.length < bytes) memory = new Uint8Array(new SharedArrayBuffer(bytes));
    const reads = Array.from(starts, async ([index, start]) => {
      const target = memory.subarray(start, start + byteLength(columns, index));
      if (await readOrMend(index, target)) places.set(index, start);
    });
    await Promise.all(reads);
  };
  return {
    start(indices) {
      places.clear();
      const wanted = indices.slice();
      // One after the other, as they share the memory.
      const reading = last.then(() => {
        places.clear();
        return readAll(wanted);
      });
      last = reading;
      pixels.reads.add(reading);
      return reading.finally(() => pixels.reads.delete(reading));
    },
    find(index) {
      const start = places.get(index);
      return start === undefined ? undefined : memory.subarray(start, start + byteLength(columns, index));
    },
  };
}

/** Position of each of these images in memory of this many bytes. */
function sideBySide(columns: Columns, indices: Uint32Array) {
  const starts = new Map<number, number>();
  let bytes = 0;
  for (const index of indices) {
    if (starts.has(index)) continue;
    starts.set(index, bytes);
    // In whole words, of which checksums are.
    bytes += Math.ceil(byteLength(columns, index) / 4) * 4;
  }
  return { starts, bytes };
}
