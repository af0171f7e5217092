/** Lock that lets one process at a time pack a folder. */
import { mkdir } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { lockDirectory } from "../../directoryLock.ts";
import { codeOf } from "../../errors.ts";
import { writing } from "./files.ts";

const WAIT_MS = 200;

/** Abort signal for waiting, and a callback for its message. */
export interface PackLockOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
}

/**
 * Creates the pack folder for the images in `root`, and waits until no other process packs there. Returns the function that unlocks it.
 *
 * Throws DataError if the folder cannot be written, and the signal's reason if it is aborted.
 */
export async function lockPack(
  folder: string,
  root: string,
  { signal, onMessage }: PackLockOptions,
): Promise<() => Promise<void>> {
  for (let isReported = false; ; ) {
    const lock = await writing(folder, async () => {
      await mkdir(folder, { recursive: true });
      return lockDirectory(folder);
    }).catch((error: unknown) => {
      // Another process removed the folder meanwhile to make room.
      if (codeOf(error instanceof Error && error.cause) === "ENOENT") return undefined;
      throw error;
    });
    if (lock && "unlock" in lock) return lock.unlock;
    if (lock && !isReported) {
      onMessage?.(`${root}: process ${lock.holder} is packing these images; waiting for it`);
      isReported = true;
    }
    await setTimeout(WAIT_MS, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}
