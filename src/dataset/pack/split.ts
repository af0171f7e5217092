/** A split whose images are stored in a pack. */
import { join } from "node:path";
import type { Image } from "../../image/image.ts";
import type { Split } from "../dataset.ts";
import type { LabelSet } from "../labelSets.ts";
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

/** Properties of a split's images, one array element per image. */
interface Columns {
  readonly part: Uint16Array;
  readonly offset: Float64Array;
  readonly width: Uint32Array;
  readonly height: Uint32Array;
  readonly channels: Uint8Array;
  readonly checksum: Uint32Array;
  /** 1 after the checksum of the image's pixels was verified; later epochs skip verification. */
  readonly isVerified: Uint8Array;
  readonly label: Int32Array;
  readonly path: string[];
}

/** Images of a pack that form a split. */
export interface PackSplitOptions {
  readonly pixels: PackPixels;
  /** Folder of the image files. */
  readonly root: string;
  readonly length: number;
  /** Iterated once, at the start. */
  readonly images: Iterable<PackedImage>;
  /** All label sets, if images may have several labels or none. */
  readonly labelSets?: readonly LabelSet[] | undefined;
  /** Called for corrupt images found while reading ahead. Default: no repair. */
  readonly mend?: Mender | undefined;
}

/** Creates a split. Its `image` throws DataError if pixels are missing or corrupt. */
export function packSplit({ pixels, root, length, images, labelSets, mend }: PackSplitOptions): Split {
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
    ...(labelSets ? { labelSets } : {}),
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

/** Buffer for images read in the background. */
interface ReadAhead {
  /** Resolves when these images are in the buffer or have failed; a failed one is read again synchronously, which throws the error. */
  start(indices: Uint32Array): Promise<void>;
  find(index: number): Uint8Array | undefined;
}

function createReadAhead(pixels: PackPixels, columns: Columns, mend: Mender | undefined): ReadAhead {
  const places = new Map<number, number>();
  // Shared memory, so that preparation threads can read it.
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
  /** Concurrent: the system's threads read them while this thread does other work. */
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
      // Sequential, since they share memory.
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

/** Places these images consecutively in memory. */
function sideBySide(columns: Columns, indices: Uint32Array) {
  const starts = new Map<number, number>();
  let bytes = 0;
  for (const index of indices) {
    if (starts.has(index)) continue;
    starts.set(index, bytes);
    // Aligned to whole words, as checksums require.
    bytes += Math.ceil(byteLength(columns, index) / 4) * 4;
  }
  return { starts, bytes };
}
