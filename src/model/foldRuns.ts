/** Folders of folds: the runs of a cross-validation, which together are one model. */
import { join } from "node:path";
import { checkpointFiles, fileExists, foldDirectory } from "../checkpoint/checkpointFiles.ts";
import { CheckpointError } from "../errors.ts";
import { readRunConfig } from "../settings/runConfig.ts";

/** Number of folds that a folder contains or will contain; undefined for any other folder or file. */
export async function foldsIn(directory: string): Promise<number | undefined> {
  if (await fileExists(join(directory, "config.json"))) return undefined;
  const first = foldDirectory(directory, 1);
  if (!(await fileExists(join(first, "config.json")))) return undefined;
  return (await readRunConfig(first))?.dataset.folds;
}

/** Replaces each folder of folds by the runs in it. Throws CheckpointError if a fold has not been trained. */
export async function expandFolds(paths: readonly string[]): Promise<readonly string[]> {
  const expanded: string[] = [];
  for (const path of paths) {
    const folds = await foldsIn(path);
    if (folds === undefined) {
      expanded.push(path);
      continue;
    }
    const runs = Array.from({ length: folds }, (_, i) => foldDirectory(path, i + 1));
    for (const [i, run] of runs.entries()) {
      if (await fileExists(checkpointFiles(run).best)) continue;
      throw new CheckpointError(
        `${path}: expected weights of ${folds} folds, got none of fold ${i + 1}; resume training with: alexnet train --run ${path} --resume`,
      );
    }
    expanded.push(...runs);
  }
  return expanded;
}
