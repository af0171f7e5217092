/** Partial file left by an interrupted download. */
import { createReadStream } from "node:fs";
import { readdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * The name under which this process receives a file, in its folder: it holds the file's checksum and the number of the
 * process. What a process that is no longer there has left of the same file is taken over under this name.
 */
export async function claimPartial(path: string, checksum: string): Promise<string> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.${checksum}.`;
  const own = join(folder, `${prefix}${process.pid}.part`);
  for (const name of await readdir(folder)) {
    const [, pid] = (name.startsWith(prefix) && /^(\d+)\.part$/.exec(name.slice(prefix.length))) || [];
    if (pid === undefined || isRunning(Number(pid))) continue;
    // Another process may have been faster: then there is nothing to take over.
    await rename(join(folder, name), own).catch(() => {});
  }
  return own;
}

/** The bytes of a file; none if it is not there. */
export async function* existingBytes(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

/** True if there is a process of this number. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user cannot be signalled, but runs.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
