/** Disk space of packs: a limit, and removal of the least recently used packs. A pack is a folder in `packs/` and can be removed at any time. */
import { readdir, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { formatBytes } from "../../bytes.ts";
import { lockDirectory } from "../../directoryLock.ts";
import { ConfigError, DataError } from "../../errors.ts";
import { writing } from "./files.ts";

const DEFAULT_LIMIT = 100e9;
/** Disk space to leave free: this fraction, and at most this many bytes. */
const FREE_SHARE = 0.05;
const FREE_BYTES = 1e9;
/** Bytes written between two checks of the disk's free space, since other programs write too. */
const STEP_BYTES = 64e6;
/** An estimate counts only after this many images, and if it exceeds the limit by this factor. */
const ESTIMATE_PICTURES = 200;
const ESTIMATE_MARGIN = 1.25;

/** Maximum size of all packs in bytes: `ALEXNET_PACK_LIMIT` in GB, or 100 GB. Throws ConfigError if that is not a number. */
export function packLimit(limit: string | undefined = process.env["ALEXNET_PACK_LIMIT"]): number {
  if (limit === undefined || limit === "") return DEFAULT_LIMIT;
  const gigabytes = Number(limit);
  if (gigabytes > 0) return gigabytes * 1e9;
  throw new ConfigError(`ALEXNET_PACK_LIMIT: expected a number of gigabytes, got ${limit}`);
}

/** Marks a pack as used now. */
export async function markUsed(folder: string): Promise<void> {
  await writing(folder, () => writeFile(usedFile(folder), "used\n"));
}

function usedFile(folder: string): string {
  return join(folder, "used");
}

/** Progress of a pack. */
export interface PackProgress {
  /** Size of the pack's pixels in bytes. */
  readonly held: number;
  /** Number of bytes to add now. */
  readonly more: number;
  /** Images added by this call, the bytes they added, and the number of images left. */
  readonly done: number;
  readonly added: number;
  readonly left: number;
}

/**
 * Creates the function to call before a pack in `folder` grows: it removes other packs to make room.
 *
 * The function throws DataError with remedies if there is no room, or as soon as an estimate shows that there will be none.
 */
export function createPackRoom(folder: string, limitBytes: number): (progress: PackProgress) => Promise<void> {
  let granted = 0;
  return async ({ held, more, done, added, left }) => {
    const bytes = held + more;
    if (bytes <= granted) return;
    const expected = done < ESTIMATE_PICTURES ? bytes : bytes + (added / done) * left;
    const tried = new Set<string>();
    for (;;) {
      const others = await otherPacks(folder);
      const room = await roomIn(folder, limitBytes, held, others);
      if (bytes > room.most || expected > ESTIMATE_MARGIN * room.most) throw full(folder, expected, room.most);
      granted = Math.min(room.now, bytes + STEP_BYTES);
      if (bytes <= granted) return;
      const oldest = others.find((pack) => !tried.has(pack.folder));
      if (!oldest) throw full(folder, expected, room.now);
      tried.add(oldest.folder);
      await removePack(oldest.folder);
    }
  };
}

interface PackSize {
  readonly folder: string;
  readonly bytes: number;
  readonly usedMs: number;
}

/** Bytes to leave free on a disk of this size. */
export function reserveOf(diskBytes: number): number {
  return Math.min(FREE_SHARE * diskBytes, FREE_BYTES);
}

/** Sizes that a pack of `held` bytes may grow to: with the other packs kept, and with all of them removed. */
async function roomIn(folder: string, limit: number, held: number, others: readonly PackSize[]) {
  const { bavail, blocks, bsize } = await writing(folder, () => statfs(folder));
  const free = bavail * bsize - reserveOf(blocks * bsize);
  const taken = others.reduce((sum, { bytes }) => sum + bytes, 0);
  return { now: Math.min(limit - taken, held + free), most: Math.min(limit, held + free + taken) };
}

/** Sorted by last use, the oldest first. */
async function otherPacks(folder: string): Promise<PackSize[]> {
  const packs = dirname(folder);
  const names = (await readdir(packs)).filter((name) => name !== basename(folder));
  const sizes = await Promise.all(names.map((name) => packSize(join(packs, name))));
  return sizes.sort((a, b) => a.usedMs - b.usedMs);
}

async function packSize(folder: string): Promise<PackSize> {
  const find = (file: string) => stat(file).catch(() => undefined);
  const names = await readdir(folder).catch((): string[] => []);
  const sizes = await Promise.all(names.map(async (name) => (await find(join(folder, name)))?.size ?? 0));
  const used = folder.endsWith(removedSuffix) ? undefined : await find(usedFile(folder));
  return { folder, bytes: sizes.reduce((sum, size) => sum + size, 0), usedMs: used?.mtimeMs ?? 0 };
}

/** Removes a pack that no process is writing. A process that locks it meanwhile finds it gone, or the lock taken. */
async function removePack(folder: string): Promise<void> {
  try {
    const lock = await lockDirectory(folder);
    if (!("unlock" in lock)) return;
    const gone = `${folder}${removedSuffix}`;
    await rm(gone, { recursive: true, force: true });
    await rename(folder, gone);
    await lock.unlock();
    await rm(gone, { recursive: true, force: true });
  } catch {
    // Another process removed it, or it cannot be removed: it makes no room, and the caller reports that.
  }
}

/** Also finds packs whose removal was interrupted; these are removed first. */
const removedSuffix = ".removed";

function full(folder: string, needed: number, available: number): DataError {
  return new DataError(
    `${folder}: the decoded images need about ${formatBytes(needed)}, available are ${formatBytes(Math.max(available, 0))}; ` +
      "free some space, raise the limit (ALEXNET_PACK_LIMIT, in GB), move the cache to another disk (XDG_CACHE_HOME), or use a smaller --input-size",
  );
}
