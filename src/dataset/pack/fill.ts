/** Adds image files to a pack. */
import { availableParallelism } from "node:os";
import type { Fitting } from "../../image/prepare/fitter.ts";
import type { ImageOutcome } from "./imageJob.ts";
import { createImageWorkers } from "./imageWorkers.ts";
import type { PackProgress } from "./room.ts";
import { jobsFor, type ListedFiles, type PackState, stampOf, unknownFiles } from "./state.ts";

/** How a pack is filled, and who makes room for it. */
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
export async function fillPack(state: PackState, listed: ListedFiles, options: FillOptions): Promise<void> {
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
    // What stopped it is told, not that after that the rest could not be kept.
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
  const { image, moments } = decoded.kept;
  const { data, width, height, channels } = image;
  await makeRoom(data.length);
  const { part, offset } = await files.appendPixels(data);
  const picture = { offset, width, height, channels, moments };
  contents[position] = table.add(sha256, stamp.size, { ...picture, part });
  await files.appendLine({ ...stamp, sha256, picture });
}
