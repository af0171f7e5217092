/** Durable writes: a file is either complete or absent, and survives a power failure. */
import { constants } from "node:fs";
import { copyFile, link, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CheckpointError, codeOf, messageOf } from "../errors.ts";
import { moveOver } from "../inUse.ts";

const temporarySuffix = ".alexnet-tmp";

/** Temporary path for a file's next content: in the same folder, one per process. */
export function temporaryFor(path: string): string {
  return `${path}.${process.pid}${temporarySuffix}`;
}

/** Removes temporary files of dead processes in a folder. The caller must be the only writer there. */
export async function removeTemporaries(directory: string): Promise<void> {
  await explainingWrites(directory, async () => {
    const names = await readdir(directory);
    for (const name of names) if (name.endsWith(temporarySuffix)) await rm(join(directory, name), { force: true });
  });
}

/**
 * Replaces a file's content atomically: after a failure it has either the old content or the new.
 *
 * Throws CheckpointError if it cannot be written; the old content is then kept.
 */
export async function writeFileDurably(path: string, content: string | Uint8Array): Promise<void> {
  await writeThrough(path, async (temporary) => {
    const handle = await open(temporary, "w");
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/**
 * Replaces a file atomically by one that `write` creates and syncs at a temporary path in the same folder.
 *
 * Throws CheckpointError if it cannot be written, and the errors of `write`; the old content is then kept.
 */
export async function writeThrough(path: string, write: (temporary: string) => Promise<unknown>): Promise<void> {
  const temporary = temporaryFor(path);
  await explainingWrites(path, async () => {
    try {
      await write(temporary);
      await commitFile(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

/**
 * Creates a folder atomically: `fill` writes and syncs its files in a temporary folder next to it.
 *
 * Throws CheckpointError if it cannot be written, and the errors of `fill`; no folder is then left.
 */
export async function createFolderThrough(path: string, fill: (temporary: string) => Promise<unknown>): Promise<void> {
  const temporary = temporaryFor(path);
  await explainingWrites(path, async () => {
    try {
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary);
      await fill(temporary);
      await commitFile(temporary, path);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  });
}

/** Moves a synced temporary file of the same folder to its final path, durably. */
export async function commitFile(temporary: string, path: string): Promise<void> {
  await moveOver(temporary, path);
  await syncDirectory(dirname(path));
}

/**
 * Makes `path` a second name of an existing file, replacing what was there atomically; a copy if the file system has no hard links. The caller
 * syncs the folder.
 */
export async function replaceByLink(existing: string, path: string): Promise<void> {
  const temporary = temporaryFor(path);
  try {
    await linkOrCopy(existing, temporary);
    await moveOver(temporary, path);
  } finally {
    // It still exists after a failure, and if both names were the same file: rename then does nothing.
    await rm(temporary, { force: true });
  }
}

async function linkOrCopy(existing: string, path: string): Promise<void> {
  await rm(path, { force: true });
  try {
    await link(existing, path);
  } catch (error) {
    if (!noLinks.has(codeOf(error))) throw error;
    await copyFile(existing, path, constants.COPYFILE_EXCL);
    // Windows syncs a file only through a handle that may write.
    await syncPath(path, "r+");
  }
}

/** Windows reports a file system without links, such as exFAT, as EISDIR. */
const noLinks: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EISDIR"]);

/** Makes renames in a folder survive a power failure. */
export async function syncDirectory(directory: string): Promise<void> {
  try {
    await syncPath(directory, "r");
  } catch (error) {
    // Some file systems, and Windows, cannot sync a folder.
    if (!noDirectorySync.has(codeOf(error))) throw error;
  }
}

const noDirectorySync: ReadonlySet<string> = new Set(["EINVAL", "ENOTSUP", "EPERM", "EISDIR"]);

async function syncPath(path: string, flags: "r" | "r+"): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Runs an action that writes `path`.
 *
 * Throws CheckpointError with the path and the cause if the system refuses; other errors pass through unchanged.
 */
export async function explainingWrites<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof Error && "syscall" in cause)) throw cause;
    throw new CheckpointError(`${path}: cannot be written: ${await reasonOf(cause, dirname(path))}`, { cause });
  }
}

async function reasonOf(cause: Error, folder: string): Promise<string> {
  if (codeOf(cause) === "ENOENT" && !(await isThere(folder))) {
    return `the folder ${folder} does not exist; create it first, or choose another`;
  }
  if (!noSpace.has(codeOf(cause)) && messageOf(cause) !== cause.message) return messageOf(cause);
  // The system's message names the temporary file.
  const reason = cause.message.includes(temporarySuffix) ? cause.message.replace(/, \w+ '.*$/s, "") : cause.message;
  return noSpace.has(codeOf(cause)) ? `${reason}; free some space; the previously saved content is kept` : reason;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

const noSpace: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
