/**
 * Cache of an image folder's images, decoded once and stored as raw bytes, from which batches are built without decoding. An image is stored fitted,
 * or unchanged if that is smaller.
 */
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { codeOf, DataError, messageOf } from "../../errors.ts";
import { isSameSize, type PixelSize } from "../../image/image.ts";
import { type Fitting, keepingOf, storageKey } from "../../image/prepare/fitter.ts";
import { averageMoments, type ColourMoments } from "../../image/prepare/moments.ts";
import { loadDefaults, type Split } from "../dataset.ts";
import { cacheFolder } from "../download/cacheFolder.ts";
import type { ImageListing, ListedImage } from "../folder/imageListing.ts";
import { removePackFiles } from "./files.ts";
import type { ImageOutcome } from "./imageJob.ts";
import { createImageWorkers } from "./imageWorkers.ts";
import { lockPack } from "./lock.ts";
import { createMender, type Mender } from "./mend.ts";
import { closePixels, type PackPixels } from "./pixels.ts";
import { createPackRoom, markUsed, type PackProgress, packLimit } from "./room.ts";
import { type PackedImage, packSplit } from "./split.ts";
import { jobsFor, type ListedFiles, lookAtFiles, openState, type PackState, stampOf, unknownFiles } from "./state.ts";

/** Options of packing. */
export interface PackOptions {
  readonly fitting: Fitting;
  /** Default: `$XDG_CACHE_HOME/alexnet` or `~/.cache/alexnet`. */
  readonly cacheDir?: string | undefined;
  /** Maximum size of all packs in bytes. Default: `ALEXNET_PACK_LIMIT` in GB, or 100 GB. */
  readonly limitBytes?: number | undefined;
  /** Default: one per core. */
  readonly threads?: number | undefined;
  /** Maximum fraction of unreadable files. Default: 0.01. */
  readonly maxBad?: number | undefined;
  /** Stops packing; images packed so far are kept. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of files processed so far, out of `total`. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Called with messages for people, for example that another process packs the same folder. */
  readonly onMessage?: ((message: string) => void) | undefined;
}

/** An unreadable file, left out. */
export interface BadImage {
  readonly path: string;
  readonly reason: string;
}

/** Packed images of a listing. */
export interface Packed {
  readonly train: Split;
  readonly validation?: Split;
  readonly test: Split;
  /** 3 if any image is in colour, else 1. */
  readonly channels: 1 | 3;
  /** Size of all stored images; undefined if sizes differ. */
  readonly imageSize: PixelSize | undefined;
  /** Moments of the stored training images; undefined if there are none. */
  readonly moments: ColourMoments | undefined;
  /** Unreadable files, which no split contains. */
  readonly bad: readonly BadImage[];
  /** Closes the files; no image can be read after this. */
  close(): Promise<void>;
}

const FORMAT = 3;
/** Folder name shared with earlier versions, so that this version's pack replaces theirs. */
const FOLDER_FORMAT = 2;

/**
 * Packs the images of a listing; reads only new and changed files.
 *
 * Throws DataError if too many files are unreadable, or there is no room. Throws the signal's reason if it is aborted.
 */
export async function packListing(listing: ImageListing, options: PackOptions): Promise<Packed> {
  const root = await realpath(listing.root).catch((cause: unknown) => {
    throw new DataError(`${listing.root}: cannot be read: ${messageOf(cause)}`, { cause });
  });
  const fitting = keepingOf(options.fitting);
  const titleOf = (format: number) => JSON.stringify({ format, root, fitting: storageKey(fitting) });
  const title = titleOf(FORMAT);
  const key = createHash("sha256").update(titleOf(FOLDER_FORMAT)).digest("hex").slice(0, 16);
  const folder = join(cacheFolder("packs", options), key);
  const unlock = await lockPack(folder, listing.root, options);
  try {
    await markUsed(folder);
    const listed = await lookAtFiles(listing, options.signal);
    const state = await openOrRenew(folder, title, listed, options);
    try {
      const makeRoom = createPackRoom(folder, options.limitBytes ?? packLimit());
      await fillPack(state, listed, { ...options, fitting, makeRoom });
      const bad = badImages(listed, state, options.maxBad ?? loadDefaults.maxBad);
      const mend = createMender(state.files.pixels, root, fitting, options.onMessage);
      return packedOf(listing, listed, state, bad, mend);
    } catch (error) {
      await closePixels(state.files.pixels);
      throw error;
    } finally {
      await state.files.close();
    }
  } finally {
    await unlock();
  }
}

async function openOrRenew(
  folder: string,
  title: string,
  listed: ListedFiles,
  { onMessage }: PackOptions,
): Promise<PackState> {
  try {
    return await openState(folder, title, listed);
  } catch (error) {
    // A folder that cannot be written cannot be rebuilt either.
    if (!(error instanceof DataError) || codeOf(error.cause) !== "") throw error;
    onMessage?.(`${folder}: unusable pack (${error.message}); rebuilding it`);
    await removePackFiles(folder);
    return openState(folder, title, listed);
  }
}

const NAMED_FILES = 5;

/** Throws DataError if they exceed the maximum fraction. */
function badImages({ root, paths }: ListedFiles, { errors }: PackState, maxFraction: number): readonly BadImage[] {
  const bad = Array.from(errors, ([position, reason]) => ({ path: paths[position] as string, reason }));
  bad.sort((a, b) => (a.path < b.path ? -1 : 1));
  if (bad.length <= maxFraction * paths.length) return bad;
  const percent = (fraction: number) => `${Number((100 * fraction).toPrecision(3))} %`;
  const named = bad.slice(0, NAMED_FILES).map(({ path, reason }) => `\n  ${path}: ${reason}`);
  throw new DataError(
    `${root}: expected at most ${percent(maxFraction)} unreadable images, got ${bad.length} of ${paths.length} (${percent(bad.length / paths.length)}); ` +
      `list all with \`alexnet check ${root}\` and replace or remove them, or raise --max-bad; the first are:${named.join("")}`,
  );
}

function packedOf(
  listing: ImageListing,
  listed: ListedFiles,
  state: PackState,
  bad: readonly BadImage[],
  mend: Mender,
): Packed {
  const { pixels } = state.files;
  const { labelSets } = listing;
  const idOf = ({ path }: ListedImage) => state.contents[listed.positions.get(path) as number] as number;
  const splitOf = (images: readonly ListedImage[]) => {
    const good = images.filter((image) => idOf(image) >= 0);
    const packed = packedImages(good, idOf, state);
    return packSplit({ pixels, root: listing.root, length: good.length, images: packed, labelSets, mend });
  };
  const { train, validation, test } = listing;
  const stored = state.contents.filter((id) => id >= 0);
  let imageSize: PixelSize | undefined;
  let [isOneSize, channels]: [boolean, 1 | 3] = [true, 1];
  for (const id of stored) {
    const image = state.table.get(id);
    imageSize ??= { width: image.width, height: image.height };
    isOneSize &&= isSameSize(imageSize, image);
    if (image.channels === 3) channels = 3;
  }
  const validationSplit = validation && splitOf(validation);
  return {
    train: splitOf(train),
    ...(validationSplit && { validation: validationSplit }),
    test: validationSplit && validation === test ? validationSplit : splitOf(test),
    channels,
    imageSize: isOneSize ? imageSize : undefined,
    moments: averageMoments(trainingMoments(train.map(idOf), state), channels),
    bad,
    close: closerOf(pixels),
  };
}

/** A function of its own, so that its closure does not keep the tables of the splits alive. */
function closerOf(pixels: PackPixels): () => Promise<void> {
  return () => closePixels(pixels);
}

function* packedImages(
  images: readonly ListedImage[],
  idOf: (image: ListedImage) => number,
  { table }: PackState,
): Generator<PackedImage> {
  for (const image of images) yield { path: image.path, label: image.label, picture: table.get(idOf(image)) };
}

function* trainingMoments(ids: readonly number[], { table }: PackState): Generator<ColourMoments> {
  for (const id of ids) if (id >= 0) yield table.get(id).moments;
}

/** Options of filling a pack. */
export interface FillOptions {
  readonly fitting: Fitting;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called before the pack grows. */
  readonly makeRoom: (progress: PackProgress) => Promise<void>;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Reads all files that the pack does not contain. If it fails or is aborted, the files read so far are kept.
 *
 * Throws DataError if there is no room or a thread dies, and the signal's reason if it is aborted.
 */
async function fillPack(state: PackState, listed: ListedFiles, options: FillOptions): Promise<void> {
  const positions = unknownFiles(state);
  const total = listed.paths.length;
  options.onProgress?.(total - positions.length, total);
  if (positions.length === 0) return state.files.finish();
  const threads = Math.min(options.threads ?? availableParallelism(), positions.length);
  const workers = createImageWorkers({ fitting: options.fitting, threads });
  const before = state.files.pixelBytes;
  let done = 0;
  try {
    for await (const { index, outcome } of workers.run(jobsFor(positions, listed, state.table), options.signal)) {
      const left = positions.length - done;
      const added = state.files.pixelBytes - before;
      const makeRoom = (more: number) => options.makeRoom({ held: before + added, more, done, added, left });
      await take(state, listed, positions[index] as number, outcome, makeRoom);
      done++;
      options.onProgress?.(total - positions.length + done, total);
    }
    await state.files.finish();
  } catch (error) {
    // Reports the first error, not a later failure to save the rest.
    await state.files.finish().catch(() => {});
    throw error;
  } finally {
    await workers.close();
  }
}

/** Records the result of a file. */
async function take(
  { files, table, contents, errors }: PackState,
  listed: ListedFiles,
  position: number,
  { sha256, decoded, error, isLasting }: ImageOutcome,
  makeRoom: (bytes: number) => Promise<void>,
): Promise<void> {
  const stamp = stampOf(listed, position);
  if (error !== undefined || sha256 === undefined) {
    errors.set(position, error ?? "it was not decoded");
    if (isLasting && sha256 !== undefined) await files.appendLine({ ...stamp, sha256, error });
    return;
  }
  const known = table.idOf(sha256);
  if (known !== undefined) {
    contents[position] = known;
    return files.appendLine({ ...stamp, sha256 });
  }
  if (!decoded?.kept) return;
  const { image, checksum, moments } = decoded.kept;
  const { data, width, height, channels } = image;
  await makeRoom(data.length);
  const { part, offset } = await files.appendPixels(data);
  const stored = { offset, width, height, channels, checksum, moments };
  contents[position] = table.add(sha256, stamp.size, { ...stored, part });
  await files.appendLine({ ...stamp, sha256, picture: stored });
}
