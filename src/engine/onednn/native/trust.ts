/** Check of a file before it is loaded as code: only this user and root may be able to change it. */
import { existsSync, lstatSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, NativeError } from "../../../errors.ts";

const WRITABLE_BY_OTHERS = 0o022;
/** A sticky folder, such as /tmp: only an entry's owner may replace it. */
const STICKY = 0o1000;
const ROOT = 0;

/**
 * Reason not to load code from a file, with a remedy; undefined if only `user` and root can change it. Checks owner and mode of the file and of every
 * folder above it. `path` is absolute, without symbolic links. Windows has other rights: `user` is undefined there, and nothing is checked.
 */
export function untrustedPart(path: string, user: number | undefined = process.geteuid?.()): string | undefined {
  if (user === undefined) return undefined;
  for (let part = path; ; part = dirname(part)) {
    const reason = reasonOf(part, user);
    if (reason !== undefined || dirname(part) === part) return reason;
  }
}

function reasonOf(part: string, user: number): string | undefined {
  try {
    const stat = lstatSync(part);
    if (stat.uid !== user && stat.uid !== ROOT) return `${part} belongs to user ${stat.uid}, not to ${user} or root`;
    const isSticky = stat.isDirectory() && (stat.mode & STICKY) !== 0;
    if ((stat.mode & WRITABLE_BY_OTHERS) === 0 || isSticky) return undefined;
    return `other users can write to ${part}; run chmod go-w ${part}`;
  } catch (error) {
    return messageOf(error);
  }
}

/** Throws NativeError unless only this user and root can change a folder, which need not exist. Checks its nearest existing parent. */
export function requireTrusted(folder: string): void {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const problem = untrustedPart(realpathSync(existing));
  if (problem !== undefined) throw new NativeError(`${folder}: not a safe place for a library: ${problem}`);
}
