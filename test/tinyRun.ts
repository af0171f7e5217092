/** A trained run for all tests of a file. */
import { type PathIn, testFolder } from "./testFolder.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

/**
 * Trains `tinyNetwork` in a folder of its own, with a cache of its own. Returns paths there: `run` is the run's directory, and the empty name the folder with the data
 * set of 1,000 training images.
 */
export function withTinyRun(testImages: number): PathIn {
  return testFolder("tiny-run", async (at) => {
    await writeTinyDataset(at(""), { train: 1000, test: testImages });
    await trainWithoutReport({ threads: 1, epochs: 6, dataDir: at(""), network: tinyNetwork, run: at("run") });
  });
}
