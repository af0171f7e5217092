/** Directory lock that is released when its process dies. */
import { readFileSync, rmSync } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { codeOf } from "./errors.ts";

/** Time to wait for a competing attempt to be withdrawn, in milliseconds. */
const patience = 1000;

/** Result of an attempt to lock a directory: acquired until unlocked, or held by another process. */
export type DirectoryLock = { readonly unlock: () => Promise<void> } | { readonly holder: number };

/**
 * Tries to lock a directory for this process; at most one process on this machine holds the lock.
 *
 * Every process writes a file named by its id and start time (ids are reused), then looks for files of other processes. Files of dead
 * processes are ignored and removed, so no file that a living process relies on is ever removed. If several processes try at once, the one
 * with the lowest id wins.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const began = beginningOf(process.pid) ?? "";
  const own = join(directory, `lock-${process.pid}-${began}`);
  if (!(await claim(own))) return { holder: process.pid };
  const removeAtExit = () => rmSync(own, { force: true });
  const unlock = async () => {
    process.off("exit", removeAtExit);
    await rm(own, { force: true });
  };
  process.on("exit", removeAtExit);
  const deadline = performance.now() + patience;
  try {
    for (;;) {
      const others = await livingHolders(directory, own);
      if (others.length === 0) return { unlock };
      const lowest = Math.min(...others);
      if (lowest < process.pid || performance.now() > deadline) {
        await unlock();
        return { holder: lowest };
      }
      await setTimeout(5);
    }
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** Returns true if this process did not already hold the lock. */
async function claim(own: string): Promise<boolean> {
  try {
    await (await open(own, "wx")).close();
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** The living process that holds or requests a directory's lock; undefined if there is none. Changes nothing. */
export async function directoryHolder(directory: string): Promise<number | undefined> {
  const living = (await claimsOn(directory)).flatMap(({ pid, isAlive }) => (isAlive ? [pid] : []));
  return living.length > 0 ? Math.min(...living) : undefined;
}

/** Other processes that hold or request the lock. Removes the files of dead ones. */
async function livingHolders(directory: string, own: string): Promise<number[]> {
  const living: number[] = [];
  for (const { file, pid, isAlive } of await claimsOn(directory)) {
    if (file === own) continue;
    if (isAlive) living.push(pid);
    else await rm(file, { force: true });
  }
  return living;
}

/** Lock files in a directory. */
async function claimsOn(directory: string) {
  return (await readdir(directory)).flatMap((name) => {
    const [, pid, began] = /^lock-(\d+)-(.*)$/.exec(name) ?? [];
    if (pid === undefined || began === undefined) return [];
    return [{ file: join(directory, name), pid: Number(pid), isAlive: beginningOf(Number(pid)) === began }];
  });
}

/**
 * Start time of a living process since boot; undefined if no process has this id. Without /proc, all living processes get the same time.
 */
function beginningOf(pid: number): string | undefined {
  if (process.platform !== "linux") return isAlive(pid) ? "" : undefined;
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8);
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Fields 3 (state) and 22 (start, in ticks since boot), counted after the name, which may contain any character.
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    const [state] = fields;
    return state === "Z" || state === "X" ? undefined : `${boot}-${fields[19]}`;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}
