/** State of a pack in memory: the files of a listing it contains, and the places of their pixels. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, DataError, messageOf } from "../../errors.ts";
import type { ColourMoments } from "../../image/prepare/moments.ts";
import type { ImageListing } from "../folder/imageListing.ts";
import type { PackLine } from "./entries.ts";
import { openPack, type PackFiles } from "./files.ts";
import type { ImageJob } from "./imageJob.ts";

/** Distinct files of a listing, with their current metadata. */
export interface ListedFiles {
  readonly root: string;
  readonly paths: readonly string[];
  readonly positions: ReadonlyMap<string, number>;
  /** Size, time of content change and time of inode change: three numbers per file; zeros if the file is missing. */
  readonly stamps: Float64Array;
  /** Reasons for missing files. */
  readonly missing: ReadonlyMap<number, string>;
}

/** Marks a file of unknown content. */
const UNKNOWN = -1;
const STATS_AT_ONCE = 256;

/** Reads the metadata of all files. Throws the signal's reason if it is aborted. */
export async function lookAtFiles(listing: ImageListing, signal?: AbortSignal): Promise<ListedFiles> {
  const positions = new Map<string, number>();
  for (const { path } of [...listing.train, ...(listing.validation ?? []), ...listing.test]) {
    if (!positions.has(path)) positions.set(path, positions.size);
  }
  const paths = Array.from(positions.keys());
  const stamps = new Float64Array(3 * paths.length);
  const missing = new Map<number, string>();
  const look = async (path: string, position: number) => {
    try {
      const { size, mtimeMs, ctimeMs } = await stat(join(listing.root, path));
      stamps.set([size, mtimeMs, ctimeMs], 3 * position);
    } catch (error) {
      missing.set(position, codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error));
    }
  };
  for (let first = 0; first < paths.length; first += STATS_AT_ONCE) {
    signal?.throwIfAborted();
    await Promise.all(paths.slice(first, first + STATS_AT_ONCE).map((path, i) => look(path, first + i)));
  }
  return { root: listing.root, paths, positions, stamps, missing };
}

/** A pack open for filling. */
export interface PackState {
  readonly files: PackFiles;
  readonly table: PackTable;
  /** By position: index of the image in the table, or -1. */
  readonly contents: Int32Array;
  /** By position: errors of files without an image. */
  readonly errors: Map<number, string>;
}

/** Opens a pack with its results for unchanged files. Throws DataError if it is corrupt or cannot be written. */
export async function openState(folder: string, title: string, listed: ListedFiles): Promise<PackState> {
  const table = createPackTable();
  const contents = new Int32Array(listed.paths.length).fill(UNKNOWN);
  const errors = new Map(listed.missing);
  const onLine = (line: PackLine, part: number) => {
    const { sha256, picture, error } = line;
    const id = table.idOf(sha256) ?? (picture && table.add(sha256, line.size, { ...picture, part }));
    const position = listed.positions.get(line.path);
    if (position === undefined || listed.missing.has(position)) return;
    // The last line of a file counts.
    const isSame = isUnchanged(line, listed.stamps.subarray(3 * position, 3 * position + 3));
    contents[position] = isSame && id !== undefined ? id : UNKNOWN;
    errors.delete(position);
    if (isSame && error !== undefined) errors.set(position, error);
  };
  const files = await openPack(folder, title, onLine);
  return { files, table, contents, errors };
}

function isUnchanged({ size, mtimeMs, ctimeMs }: PackLine, stamp: Float64Array): boolean {
  return size === stamp[0] && mtimeMs === stamp[1] && ctimeMs === stamp[2];
}

/** Positions of files that the pack does not contain. */
export function unknownFiles({ contents, errors }: PackState): Uint32Array {
  const unknown: number[] = [];
  for (const [position, content] of contents.entries()) {
    if (content === UNKNOWN && !errors.has(position)) unknown.push(position);
  }
  return Uint32Array.from(unknown);
}

/** Jobs for the files at these positions. Contents already in the pack are not decoded again. */
export function* jobsFor(
  positions: Uint32Array,
  { root, paths, stamps }: ListedFiles,
  table: PackTable,
): Generator<ImageJob> {
  const sizes = new Set(Array.from(positions, (position) => stamps[3 * position] as number));
  const contents = table.contentsBySize(sizes);
  for (const position of positions) {
    const bytes = stamps[3 * position] as number;
    yield { path: join(root, paths[position] as string), bytes, known: contents.get(bytes) };
  }
}

/** Path and metadata for a file's line, without its result. Throws DataError if the listing does not contain the file. */
export function stampOf(
  { paths, stamps }: ListedFiles,
  position: number,
): Pick<PackLine, "path" | "size" | "mtimeMs" | "ctimeMs"> {
  const path = paths[position];
  if (path === undefined) throw new DataError(`listing: no file ${position}`);
  const [size = 0, mtimeMs = 0, ctimeMs = 0] = stamps.subarray(3 * position);
  return { path, size, mtimeMs, ctimeMs };
}

/** An image stored in a pack. */
export interface StoredImage {
  /** Index of the part that contains its pixels. */
  readonly part: number;
  /** Offset in that part's pixels, in bytes. */
  readonly offset: number;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Checksum of its pixels, see `checksumOf`. */
  readonly checksum: number;
  /** Moments of its pixels. */
  readonly moments: ColourMoments;
}

/** Distinct contents, numbered in the order of addition. */
interface PackTable {
  idOf(sha256: string): number | undefined;
  /** `fileBytes` is the size of a file with this content. */
  add(sha256: string, fileBytes: number, image: StoredImage): number;
  get(id: number): StoredImage;
  /** Hashes of contents with these file sizes: candidates for a file of such a size. */
  contentsBySize(sizes: ReadonlySet<number>): ReadonlyMap<number, readonly string[]>;
}

/** Columns: file size, part, offset, width, height, channels, checksum, three means, nine products. */
const ROW = 19;
const MOMENTS = 7;
/** Maximum number of contents of one size to compare with. */
const MAX_SAME_SIZE = 32;

/** Creates an empty table. One numeric array stores a million images compactly. */
function createPackTable(): PackTable {
  const ids = new Map<string, number>();
  let rows = new Float64Array(ROW * 1024);
  return {
    idOf: (sha256) => ids.get(sha256),
    add(sha256, fileBytes, { part, offset, width, height, channels, checksum, moments }) {
      const id = ids.size;
      const at = id * ROW;
      if (at === rows.length) {
        const larger = new Float64Array(2 * rows.length);
        larger.set(rows);
        rows = larger;
      }
      rows.set([fileBytes, part, offset, width, height, channels, checksum], at);
      rows.set(moments.mean, at + MOMENTS);
      rows.set(moments.products, at + MOMENTS + channels);
      ids.set(sha256, id);
      return id;
    },
    get: (id) => storedImageOf(rows.subarray(id * ROW, (id + 1) * ROW)),
    contentsBySize(sizes) {
      const found = new Map<number, string[]>();
      for (const [sha256, id] of ids) {
        const size = rows[id * ROW] as number;
        if (!sizes.has(size)) continue;
        const same = found.get(size) ?? [];
        if (same.length < MAX_SAME_SIZE) same.push(sha256);
        found.set(size, same);
      }
      return found;
    },
  };
}

function storedImageOf(row: Float64Array): StoredImage {
  const [, part = 0, offset = 0, width = 0, height = 0, ofThree, checksum = 0] = row;
  const channels = ofThree === 3 ? 3 : 1;
  const products = MOMENTS + channels;
  const mean = Array.from(row.subarray(MOMENTS, products));
  return {
    part,
    offset,
    width,
    height,
    channels,
    checksum,
    moments: { mean, products: Array.from(row.subarray(products, products + channels ** 2)) },
  };
}
