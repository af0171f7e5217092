/** Partial file left by an interrupted download. */
import { createReadStream } from "node:fs";
import { readdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Path for receiving a file in this process, in the same folder: the name contains the checksum and the process ID. A partial file left by an
 * ended process is renamed to it.
 */
export async function claimPartial(path: string, checksum: string): Promise<string> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.${checksum}.`;
  const own = join(folder, `${prefix}${process.pid}.part`);
  for (const name of await readdir(folder)) {
    const [, pid] = (name.startsWith(prefix) && /^(\d+)\.part$/.exec(name.slice(prefix.length))) || [];
    if (pid === undefined || isRunning(Number(pid))) continue;
    // Another process was faster: nothing to reuse.
    await rename(join(folder, name), own).catch(() => {});
  }
  return own;
}

/** Bytes of a file; empty if it does not exist. */
export async function* existingBytes(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

/** True if a process with this ID exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user cannot be signalled, but exists.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
