/** A lock on a directory that a dead process does not hold. */
import { readFileSync, rmSync } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { codeOf } from "./errors.ts";

/** Milliseconds: more than a process needs to give up its attempt. */
const patience = 1000;

/** What became of an attempt to lock a directory: it is this process's until it unlocks it, or another's. */
export type DirectoryLock = { readonly unlock: () => Promise<void> } | { readonly holder: number };

/**
 * Tries to lock a directory for this process: at most one that runs on this machine has it.
 *
 * Every process puts down a file named by its number and when it began (numbers are used again), then looks for those of
 * others; files of dead processes do not count and are removed. So nothing is ever removed that a living process relies
 * on. If several try at once, the one with the lowest number gets it.
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

/** Whether this process did not have the lock already. */
async function claim(own: string): Promise<boolean> {
  try {
    await (await open(own, "wx")).close();
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** The living process that has a directory's lock, or tries to get it; undefined if there is none. Changes nothing. */
export async function directoryHolder(directory: string): Promise<number | undefined> {
  const living = (await claimsOn(directory)).flatMap(({ pid, isAlive }) => (isAlive ? [pid] : []));
  return living.length > 0 ? Math.min(...living) : undefined;
}

/** The other processes that hold the lock or try to. Removes the files of dead ones. */
async function livingHolders(directory: string, own: string): Promise<number[]> {
  const living: number[] = [];
  for (const { file, pid, isAlive } of await claimsOn(directory)) {
    if (file === own) continue;
    if (isAlive) living.push(pid);
    else await rm(file, { force: true });
  }
  return living;
}

/** The files that processes put down to lock a directory. */
async function claimsOn(directory: string) {
  return (await readdir(directory)).flatMap((name) => {
    const [, pid, began] = /^lock-(\d+)-(.*)$/.exec(name) ?? [];
    if (pid === undefined || began === undefined) return [];
    return [{ file: join(directory, name), pid: Number(pid), isAlive: beginningOf(Number(pid)) === began }];
  });
}

/**
 * When a living process began, on this boot of this machine; undefined if there is none of this number. Where there is no
 * /proc, all living processes look as if they began at once.
 */
function beginningOf(pid: number): string | undefined {
  if (process.platform !== "linux") return isAlive(pid) ? "" : undefined;
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8);
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Fields 3 (state) and 22 (start, in ticks since boot), counted after the name, which may hold anything.
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
