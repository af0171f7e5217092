/** Training state read from a checkpoint. */
import type { StoredCheckpoint } from "../checkpoint/checkpoint.ts";
import { CheckpointError } from "../errors.ts";
import { type Position, positionSchema } from "../training/state.ts";

/** Where training stood when a checkpoint was saved. Throws CheckpointError if the file does not say. */
export function readPosition({ position, optimizerFile }: StoredCheckpoint): Position {
  const parsed = positionSchema.safeParse(position);
  if (parsed.success) return parsed.data;
  throw new CheckpointError(`${optimizerFile}: not a position in training: ${parsed.error.message}`);
}
