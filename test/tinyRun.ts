/** A trained run for all tests of a file. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

/**
 * Trains `tinyNetwork` in a folder of its own, with a cache of its own. Returns paths there: `run` is the run's directory, and the empty name the folder with the data
 * set of 1,000 training images.
 */
export function withTinyRun(testImages: number): (name: string) => string {
  const cacheBefore = process.env["XDG_CACHE_HOME"];
  let folder = "";
  const at = (name: string) => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "alexnet-tiny-run-"));
    process.env["XDG_CACHE_HOME"] = at("cache");
    await writeTinyDataset(folder, { train: 1000, test: testImages });
    await trainClassifier({ threads: 1, epochs: 6, dataDir: folder, network: tinyNetwork, run: at("run") });
  });
  after(async () => {
    if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = cacheBefore;
    await rm(folder, { recursive: true });
  });
  return at;
}
