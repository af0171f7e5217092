/** Saving and restoring a run; the previous checkpoint is kept. */

import { rm, stat, statfs } from "node:fs/promises";
import { formatBytes } from "../bytes.ts";
import { CheckpointError } from "../errors.ts";
import { moveOver } from "../inUse.ts";
import { type CheckpointFiles, checkpointFiles, fileExists } from "./checkpointFiles.ts";
import { commitFile, explainingWrites, replaceByLink, syncDirectory, temporaryFor, writeThrough } from "./durable.ts";
import {
  decodeModel,
  decodeOptimizer,
  encodeModel,
  encodeOptimizer,
  type Model,
  type OptimizerMetadata,
} from "./metadata.ts";
import { decodeUndamaged } from "./model.ts";
import { type SafetensorsReader, withReader } from "./safetensorsReader.ts";
import { scratchFor, type TensorSource, writeSafetensors } from "./safetensorsWriter.ts";
import { fillStore, streamFinite, type TensorStore } from "./tensorStore.ts";

/** Saved state of a training run. */
export interface Checkpoint {
  readonly model: Model;
  readonly iteration: number;
  /** Position in training, as JSON; everything else that resuming needs. */
  readonly position: unknown;
  readonly weights: TensorSource;
  readonly optimizer: TensorSource;
  /** Also save these weights as the best so far. */
  readonly best: boolean;
  /** Weights to save as the best instead, such as a moving average, and their description. */
  readonly bestWeights?: TensorSource | undefined;
  readonly bestModel?: Model | undefined;
}

/**
 * Saves a checkpoint as the directory's last, and keeps the one before as its previous.
 *
 * A weights file and an optimizer file belong together if the optimizer file contains the checksum of the weights file, whatever their names.
 * After the first save, the directory contains such a pair and a `last.safetensors` at every moment. Order: write both new files under temporary
 * names; rename last to previous; save best; rename the new files to last, the weights at the end, so that best is never older than last.
 *
 * Throws CheckpointError if a file cannot be written; the old checkpoint is then kept.
 */
export async function saveCheckpoint(directory: string, checkpoint: Checkpoint): Promise<void> {
  const files = checkpointFiles(directory);
  const weights = temporaryFor(files.last);
  const optimizer = temporaryFor(files.lastOptimizer);
  const best = temporaryFor(files.best);
  const bestWeights = checkpoint.best ? checkpoint.bestWeights : undefined;
  try {
    await writePair(files, weights, optimizer, checkpoint);
    if (bestWeights) await writeBest(files, best, bestWeights, checkpoint);
    await explainingWrites(files.last, async () => {
      if ((await fileExists(files.last)) && (await fileExists(files.lastOptimizer))) {
        await replaceByLink(files.last, files.previous);
        await replaceByLink(files.lastOptimizer, files.previousOptimizer);
      }
      if (bestWeights) await moveOver(best, files.best);
      else if (checkpoint.best) await replaceByLink(weights, files.best);
      await syncDirectory(directory);
      await moveOver(optimizer, files.lastOptimizer);
      await moveOver(weights, files.last);
      await syncDirectory(directory);
    });
  } finally {
    await rm(weights, { force: true });
    await rm(optimizer, { force: true });
    await rm(best, { force: true });
  }
}

async function writePair(files: CheckpointFiles, weights: string, optimizer: string, checkpoint: Checkpoint) {
  const { model, iteration, position } = checkpoint;
  // Shared by both files: the page faults of a fresh 150 MB cost more than checksum and copy.
  const scratch = scratchFor(checkpoint.weights, checkpoint.optimizer);
  const checksum = await explainingWrites(files.last, () =>
    writeSafetensors(weights, encodeModel(model, iteration), checkpoint.weights, scratch),
  );
  const metadata = encodeOptimizer({ iteration, position, weights: checksum });
  await explainingWrites(files.lastOptimizer, () =>
    writeSafetensors(optimizer, metadata, checkpoint.optimizer, scratch),
  );
}

async function writeBest(files: CheckpointFiles, path: string, best: TensorSource, checkpoint: Checkpoint) {
  const { model, bestModel = model, iteration } = checkpoint;
  await explainingWrites(files.best, () => writeSafetensors(path, encodeModel(bestModel, iteration), best));
}

/** A complete, verified pair of files. */
export interface StoredCheckpoint {
  readonly directory: string;
  readonly weightsFile: string;
  readonly optimizerFile: string;
  readonly iteration: number;
  readonly model: Model;
  readonly position: unknown;
  /** Unreadable files found before this pair, for the user. */
  readonly warnings: readonly string[];
}

/**
 * Finds the newest readable checkpoint of a directory with finite values, reading it completely; undefined if there is none yet. With `before`,
 * finds the newest one of an earlier iteration; undefined if there is none.
 *
 * Throws CheckpointError if there are checkpoint files but none is usable.
 */
export async function loadCheckpoint(directory: string, before?: number): Promise<StoredCheckpoint | undefined> {
  const files = checkpointFiles(directory);
  const warnings: string[] = [];
  const weights = await readHeaders([files.last, files.previous], describeWeights, warnings);
  const optimizers = await readHeaders([files.lastOptimizer, files.previousOptimizer], decodeOptimizer, warnings);
  const pairs = optimizers
    .flatMap((optimizer) =>
      weights
        .filter(({ content }) => isPaired(optimizer.content, content.checksum))
        .map(({ file, content }) => ({
          ...optimizer.content,
          ...content,
          weightsFile: file,
          optimizerFile: optimizer.file,
        })),
    )
    .filter(({ iteration }) => iteration < (before ?? Infinity))
    .sort((a, b) => b.iteration - a.iteration);
  for (const { weightsFile, optimizerFile, iteration, model, position, checksum } of pairs) {
    const whole = (await isWhole(weightsFile, warnings)) && (await isWhole(optimizerFile, warnings));
    if (!whole) continue;
    const last = weights.find(({ file }) => file === files.last);
    const isLeft = last && checksum !== last.content.checksum && warnings.length === 0 && before === undefined;
    if (isLeft)
      warnings.push(`${files.last}: changed since its optimizer file was written; resuming from ${weightsFile}`);
    return { directory, weightsFile, optimizerFile, iteration, model, position, warnings };
  }
  if (before !== undefined) return undefined;
  if (warnings.length === 0 && !(await fileExists(files.last))) return undefined;
  const problem =
    optimizers.length > 0 ? "changed since its optimizer file was written" : "its optimizer file is missing";
  const reasons = warnings.length > 0 ? warnings : [`${files.last}: ${problem}`];
  throw new CheckpointError(
    `${directory}: no usable checkpoint; start a new run in another directory:\n  ${reasons.join("\n  ")}`,
  );
}

function isPaired({ weights, decided }: OptimizerMetadata, checksum: string | undefined): boolean {
  return checksum !== undefined && (checksum === weights || checksum === decided);
}

/**
 * Lets the optimizer file of a weights file in the directory belong to another file too, which replaces it with the same weights and other metadata.
 * Does nothing for a file that belongs to no checkpoint. Throws CheckpointError if it cannot be written.
 */
export async function pairAlso(directory: string, checksum: string, replacement: string): Promise<void> {
  const { lastOptimizer, previousOptimizer } = checkpointFiles(directory);
  // An unreadable one belongs to no weights.
  for (const { file, content } of await readHeaders([lastOptimizer, previousOptimizer], decodeOptimizer, [])) {
    if (!isPaired(content, checksum)) continue;
    const changed = encodeOptimizer({ ...content, weights: checksum, decided: replacement });
    await writeThrough(file, (temporary) => withReader(file, (reader) => writeSafetensors(temporary, changed, reader)));
  }
}

function describeWeights(reader: SafetensorsReader) {
  return { model: decodeModel(reader), checksum: reader.header.checksum };
}

/** Reads the headers of existing files; an unreadable file becomes a warning. */
async function readHeaders<T>(
  files: readonly string[],
  decode: (reader: SafetensorsReader) => T,
  warnings: string[],
): Promise<{ file: string; content: T }[]> {
  const found: { file: string; content: T }[] = [];
  for (const file of files) {
    if (!(await fileExists(file))) continue;
    await collecting(warnings, async () => {
      found.push({ file, content: await withReader(file, (reader) => decodeUndamaged(reader, decode)) });
    });
  }
  return found;
}

/** True if the file is readable and its values are finite. */
async function isWhole(file: string, warnings: string[]): Promise<boolean> {
  return collecting(warnings, () => withReader(file, (reader) => streamFinite(reader, async () => {})));
}

/** Returns true if the action succeeds; a CheckpointError becomes a warning. */
async function collecting(warnings: string[], action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    warnings.push(error.message);
    return false;
  }
}

/**
 * Loads weights and optimizer state from a checkpoint, to resume training.
 *
 * The directory's last checkpoint may be unreadable, or incomplete if the process died while saving. The given one then becomes the last, so that
 * the next save keeps it as the previous one.
 *
 * Throws CheckpointError listing the tensors that do not match.
 */
export async function restoreCheckpoint(
  stored: StoredCheckpoint,
  weights: TensorStore,
  optimizer: TensorStore,
): Promise<void> {
  await withReader(stored.weightsFile, (reader) => fillStore(reader, weights));
  await withReader(stored.optimizerFile, (reader) => fillStore(reader, optimizer));
  const files = checkpointFiles(stored.directory);
  await explainingWrites(files.last, async () => {
    if (stored.optimizerFile !== files.lastOptimizer) await replaceByLink(stored.optimizerFile, files.lastOptimizer);
    if (stored.weightsFile !== files.last) await replaceByLink(stored.weightsFile, files.last);
    await syncDirectory(stored.directory);
  });
}

/**
 * Replaces the position stored in the directory's last checkpoint; all else is unchanged.
 *
 * Throws CheckpointError if it cannot be written; the old position is then kept.
 */
export async function savePosition(directory: string, position: unknown, optimizer: TensorSource): Promise<void> {
  const files = checkpointFiles(directory);
  const { iteration, weights } = await withReader(files.lastOptimizer, async (reader) => decodeOptimizer(reader));
  const temporary = temporaryFor(files.lastOptimizer);
  await explainingWrites(files.lastOptimizer, async () => {
    try {
      const metadata = encodeOptimizer({ iteration, position, weights });
      await writeSafetensors(temporary, metadata, optimizer, scratchFor(optimizer));
      await commitFile(temporary, files.lastOptimizer);
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

/** Sizes of a checkpoint's two files, in bytes. */
export interface CheckpointBytes {
  readonly weights: number;
  readonly optimizer: number;
  /** Size of the best weights, if they are in a file that belongs to no checkpoint. Default: 0. */
  readonly best?: number;
}

/**
 * Throws CheckpointError if the checkpoints of a run will not fit on the disk: the last, the previous, the one being written, and the best
 * weights. Checkpoints already in the directory count as free space, since they will be replaced.
 */
export async function checkFreeSpace(directory: string, bytes: CheckpointBytes): Promise<void> {
  const { weights, optimizer, best = 0 } = bytes;
  const needed = 3 * (weights + optimizer) + weights + best;
  const { bavail, bsize } = await explainingWrites(directory, () => statfs(directory));
  const room = bavail * bsize + (await heldBytes(directory));
  if (room >= needed) return;
  throw new CheckpointError(
    `${directory}: expected ${formatBytes(needed)} of free space for checkpoints, got ${formatBytes(room)}; ` +
      "free some space or choose a run directory on another disk",
  );
}

async function heldBytes(directory: string): Promise<number> {
  const sizes = new Map<bigint, number>();
  for (const file of Object.values(checkpointFiles(directory))) {
    const found = await stat(file, { bigint: true }).catch(() => undefined);
    if (found) sizes.set(found.ino, Number(found.size));
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
