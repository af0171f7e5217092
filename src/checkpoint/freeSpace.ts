/** Check that the disk has room for the checkpoints. */
import { stat, statfs } from "node:fs/promises";
import { CheckpointError } from "../errors.ts";
import { checkpointFiles } from "./checkpointFiles.ts";
import { explainingWrites } from "./durable.ts";

/** Bytes of the two files of one checkpoint. */
export interface CheckpointBytes {
  readonly weights: number;
  readonly optimizer: number;
  /** Of a third one, the best weights where they are none of a checkpoint's. Default: none. */
  readonly best?: number;
}

/**
 * Throws CheckpointError if the checkpoints of a run will not fit: the last, the previous and the one being written, and
 * the best weights. Those that the directory already holds are counted as room, since they will be replaced.
 */
export async function checkFreeSpace(directory: string, bytes: CheckpointBytes): Promise<void> {
  const { weights, optimizer, best = 0 } = bytes;
  const needed = 3 * (weights + optimizer) + weights + best;
  const { bavail, bsize } = await explainingWrites(directory, () => statfs(directory));
  const room = bavail * bsize + (await heldBytes(directory));
  if (room >= needed) return;
  throw new CheckpointError(
    `${directory}: expected room for ${formatBytes(needed)} of checkpoints, got ${formatBytes(room)}; ` +
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

function formatBytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
