/**
 * Images of a folder, decoded once and kept as bytes, so that batches are cut from them without decoding. What is kept of an image is
 * what its fitting leaves of it, or the image itself where that is smaller.
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

/** Options of packing: fitting, location, limits. */
export interface PackOptions {
  readonly fitting: Fitting;
  /** Default: `$XDG_CACHE_HOME/alexnet` or `~/.cache/alexnet`. */
  readonly cacheDir?: string | undefined;
  /** Bytes of all packs together. Default: `ALEXNET_PACK_LIMIT` in GB, or 100 GB. */
  readonly limitBytes?: number | undefined;
  /** Default: one a core. */
  readonly threads?: number | undefined;
  /** The share of all files that may be unreadable. Default: 0.01. */
  readonly maxBad?: number | undefined;
  /** Aborted, it ends packing; what is packed stays. */
  readonly signal?: AbortSignal | undefined;
  /** Files looked at so far, out of all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Called with messages for people, such as that another process packs the same folder. */
  readonly onMessage?: ((message: string) => void) | undefined;
}

/** A file that is left out. */
export interface BadImage {
  readonly path: string;
  readonly reason: string;
}

/** A listing's images, ready to be cut into batches. */
export interface Packed {
  readonly train: Split;
  readonly validation?: Split;
  readonly test: Split;
  /** 3 if any image is in colour. */
  readonly channels: 1 | 3;
  /** The size that all stored images have, if it is one. */
  readonly imageSize: PixelSize | undefined;
  /** Moments of the stored training images; undefined if there are none. */
  readonly moments: ColourMoments | undefined;
  /** Files that cannot be read; they are in no split. */
  readonly bad: readonly BadImage[];
  /** After this, no image can be read. */
  close(): Promise<void>;
}

const FORMAT = 3;
/** A pack of an earlier version lies in the same folder, and makes room for this one. */
const FOLDER_FORMAT = 2;

/**
 * Packs a listing's images, as far as that has not been done before: only files that are new or have changed are read.
 *
 * Throws DataError if too many files cannot be read, or if there is no room; the signal's reason if that is aborted.
 */
export async function packListing(listing: ImageListing, options: PackOptions): Promise<Packed> {
  const root = await realpath(listing.root).catch((cause: unknown) => {
    throw new DataError(`${listing.root}: the folder cannot be read: ${messageOf(cause)}`, { cause });
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
    // If it cannot be written, it cannot be made again either.
    if (!(error instanceof DataError) || codeOf(error.cause) !== "") throw error;
    onMessage?.(`${folder}: the pack cannot be used (${error.message}); making it again`);
    await removePackFiles(folder);
    return openState(folder, title, listed);
  }
}

const NAMED_FILES = 5;

/** Throws DataError if they are more than the share of all. */
function badImages({ root, paths }: ListedFiles, { errors }: PackState, maxShare: number): readonly BadImage[] {
  const bad = Array.from(errors, ([position, reason]) => ({ path: paths[position] as string, reason }));
  bad.sort((a, b) => (a.path < b.path ? -1 : 1));
  if (bad.length <= maxShare * paths.length) return bad;
  const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;
  const named = bad.slice(0, NAMED_FILES).map(({ path, reason }) => `\n  ${path}: ${reason}`);
  throw new DataError(
    `${root}: expected at most ${percent(maxShare)} of the pictures to be unreadable, got ${bad.length} of ${paths.length} (${percent(bad.length / paths.length)}); ` +
      `see all with \`alexnet check ${root}\` and replace or remove them, or allow more with --max-bad; the first are:${named.join("")}`,
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
  const idOf = ({ path }: ListedImage) => state.contents[listed.positions.get(path) as number] as number;
  const splitOf = (images: readonly ListedImage[]) => {
    const good = images.filter((image) => idOf(image) >= 0);
    const packed = packedImages(good, idOf, state);
    return packSplit({ pixels, root: listing.root, length: good.length, images: packed, mend });
  };
  const { train, validation, test } = listing;
  const stored = state.contents.filter((id) => id >= 0);
  let imageSize: PixelSize | undefined;
  let [isOneSize, channels]: [boolean, 1 | 3] = [true, 1];
  for (const id of stored) {
    const picture = state.table.get(id);
    imageSize ??= { width: picture.width, height: picture.height };
    isOneSize &&= isSameSize(imageSize, picture);
    if (picture.channels === 3) channels = 3;
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

/** Made apart, so that it does not keep alive what the splits were made from. */
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
 * Reads all files of which the pack knows nothing. Whatever ends it, what was read until then stays.
 *
 * Throws DataError if there is no room or a thread dies, and the signal's reason if that is aborted.
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
    // The first error is reported, not that the rest could not be kept after it.
    await state.files.finish().catch(() => {});
    throw error;
  } finally {
    await workers.close();
  }
}

/** Enters what became of a file. */
async function take(
  { files, table, contents, errors }: PackState,
  listed: ListedFiles,
  position: number,
  { sha256, decoded, error, isLasting }: ImageOutcome,
  makeRoom: (bytes: number) => Promise<void>,
): Promise<void> {
  const stamp = stampOf(listed, position);
  if (error !== undefined || sha256 === undefined) {
    errors.set(position, error ?? "it could not be read");
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
  const picture = { offset, width, height, channels, checksum, moments };
  contents[position] = table.add(sha256, stamp.size, { ...picture, part });
  await files.appendLine({ ...stamp, sha256, picture });
}
