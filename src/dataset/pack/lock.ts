/** Lock that lets one process at a time pack a folder. */
import { mkdir } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { lockDirectory } from "../../directoryLock.ts";
import { codeOf } from "../../errors.ts";
import { writing } from "./files.ts";

const WAIT_MS = 200;

/** While another process packs: what ends the waiting, and who is told of it. */
export interface PackLockOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
}

/**
 * Makes the folder of a pack of the images in `root`, and waits until no other process packs there. Returns the function that unlocks it.
 *
 * Throws DataError if it cannot be written; the signal's reason if that is aborted.
 */
export async function lockPack(
  folder: string,
  root: string,
  { signal, onMessage }: PackLockOptions,
): Promise<() => Promise<void>> {
  for (let isTold = false; ; ) {
    const lock = await writing(folder, async () => {
      await mkdir(folder, { recursive: true });
      return lockDirectory(folder);
    }).catch((error: unknown) => {
      // The folder went meanwhile: another process removed it to make room.
      if (codeOf(error instanceof Error && error.cause) === "ENOENT") return undefined;
      throw error;
    });
    if (lock && "unlock" in lock) return lock.unlock;
    if (lock && !isTold) {
      onMessage?.(`${root}: process ${lock.holder} is packing these pictures; waiting for it`);
      isTold = true;
    }
    await setTimeout(WAIT_MS, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}
