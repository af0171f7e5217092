/** The lock of a run directory. */
import { lockDirectory } from "../directoryLock.ts";
import { CheckpointError } from "../errors.ts";
import { explainingWrites } from "./durable.ts";

/**
 * Locks a run directory for this process. Returns the function that unlocks it.
 *
 * Throws CheckpointError naming the process that has the lock.
 */
export async function lockRun(directory: string): Promise<() => Promise<void>> {
  const lock = await explainingWrites(directory, () => lockDirectory(directory));
  if ("unlock" in lock) return lock.unlock;
  throw new CheckpointError(
    `${directory}: run directory in use by process ${lock.holder}; wait for it, stop it, or choose another one`,
  );
}
