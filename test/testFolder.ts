/** A temporary folder for all tests of a file. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";

/** Path of a name in the folder; the empty name is the folder itself. */
export type PathIn = (name: string) => string;

/**
 * Before the tests of a file, creates a folder with a cache of its own and calls `prepare`; after them, removes it. One hook does both, because hooks of
 * a file may run at the same time. Paths are known from `prepare` on.
 */
export function testFolder(name: string, prepare: (at: PathIn) => Promise<void>): PathIn {
  const cacheBefore = process.env["XDG_CACHE_HOME"];
  let folder = "";
  const at: PathIn = (path) => join(folder, path);
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), `alexnet-${name}-`)));
    process.env["XDG_CACHE_HOME"] = at("cache");
    await prepare(at);
  });
  after(async () => {
    if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = cacheBefore;
    await rm(folder, { recursive: true });
  });
  return at;
}
