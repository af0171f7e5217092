/** The contents of a pack in memory: which files of a listing it knows, and where their pixels are. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, DataError, messageOf } from "../../errors.ts";
import type { ColourMoments } from "../../image/prepare/moments.ts";
import type { ImageListing } from "../folder/imageListing.ts";
import type { PackLine } from "./entries.ts";
import { openPack, type PackFiles } from "./files.ts";
import type { ImageJob } from "./imageJob.ts";

/** The files of a listing, each once, as they are on the disk now. */
export interface ListedFiles {
  readonly root: string;
  readonly paths: readonly string[];
  readonly positions: ReadonlyMap<string, number>;
  /** Size, time of change of content, and of anything: three numbers a file; zeros if it is not there. */
  readonly stamps: Float64Array;
  /** Why those are not there. */
  readonly missing: ReadonlyMap<number, string>;
}

/** Marks a file whose content is not known. */
const UNKNOWN = -1;
const STATS_AT_ONCE = 256;

/** Looks at all files. Throws the signal's reason if that is aborted. */
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

/** A pack that is open to be filled. */
export interface PackState {
  readonly files: PackFiles;
  readonly table: PackTable;
  /** By position: the number of its image in the table, or -1. */
  readonly contents: Int32Array;
  /** By position, of files without an image. */
  readonly errors: Map<number, string>;
}

/** Opens a pack, with what it knows of files that are as they were. Throws DataError if it is damaged or cannot be written. */
export async function openState(folder: string, title: string, listed: ListedFiles): Promise<PackState> {
  const table = createPackTable();
  const contents = new Int32Array(listed.paths.length).fill(UNKNOWN);
  const errors = new Map(listed.missing);
  const onLine = (line: PackLine, part: number) => {
    const { sha256, picture, error } = line;
    const id = table.idOf(sha256) ?? (picture && table.add(sha256, line.size, { ...picture, part }));
    const position = listed.positions.get(line.path);
    if (position === undefined || listed.missing.has(position)) return;
    // A later line of the same file counts, whatever an earlier one says.
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

/** Positions of the files of which nothing is known. */
export function unknownFiles({ contents, errors }: PackState): Uint32Array {
  const unknown: number[] = [];
  for (const [position, content] of contents.entries()) {
    if (content === UNKNOWN && !errors.has(position)) unknown.push(position);
  }
  return Uint32Array.from(unknown);
}

/** Jobs for the files at these positions. A content that the pack has need not be decoded again. */
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

/** The line for a file that was read, without what became of it. Throws DataError if there is no such file in the listing. */
export function stampOf(
  { paths, stamps }: ListedFiles,
  position: number,
): Pick<PackLine, "path" | "size" | "mtimeMs" | "ctimeMs"> {
  const path = paths[position];
  if (path === undefined) throw new DataError(`listing: no file ${position}`);
  const [size = 0, mtimeMs = 0, ctimeMs = 0] = stamps.subarray(3 * position);
  return { path, size, mtimeMs, ctimeMs };
}

/** An image as it lies in a pack. */
export interface StoredImage {
  /** Number of the part of the pack that has its pixels. */
  readonly part: number;
  /** In that part's pixels, in bytes. */
  readonly offset: number;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Checksum of its pixels, see `checksumOf`. */
  readonly checksum: number;
  /** Moments of its pixels. */
  readonly moments: ColourMoments;
}

/** Each content once, by number in the order it was added. */
interface PackTable {
  idOf(sha256: string): number | undefined;
  /** `fileBytes` is the size of a file with this content. */
  add(sha256: string, fileBytes: number, picture: StoredImage): number;
  get(id: number): StoredImage;
  /** The contents of files of these sizes: all that a file of such a size can be the same as. */
  contentsBySize(sizes: ReadonlySet<number>): ReadonlyMap<number, readonly string[]>;
}

/** Size of the file, part, offset, width, height, channels, checksum, three means, nine products. */
const ROW = 19;
const MOMENTS = 7;
/** More contents of one size than these are not worth comparing with. */
const MAX_SAME_SIZE = 32;

/** Creates an empty table. A million images are numbers in one array, not objects. */
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
