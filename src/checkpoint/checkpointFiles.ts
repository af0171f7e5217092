/** File names of a run's checkpoints, and the weights file of a path. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, codeOf, messageOf } from "../errors.ts";
import { pretrainedFile, pretrainedOf } from "./pretrainedFiles.ts";
import { importCommand } from "./safetensorsHeader.ts";

/** Paths of a run's checkpoint files. */
export interface CheckpointFiles {
  readonly last: string;
  readonly lastOptimizer: string;
  readonly previous: string;
  readonly previousOptimizer: string;
  readonly best: string;
}

/** Paths of the checkpoint files in a run directory. */
export function checkpointFiles(directory: string): CheckpointFiles {
  return {
    last: join(directory, "last.safetensors"),
    lastOptimizer: join(directory, "last.optimizer.safetensors"),
    previous: join(directory, "previous.safetensors"),
    previousOptimizer: join(directory, "previous.optimizer.safetensors"),
    best: join(directory, "best.safetensors"),
  };
}

/** Run directory of a fold, from 1. */
export function foldDirectory(directory: string, fold: number): string {
  return join(directory, `fold-${fold}`);
}

/**
 * Resolves a path to a weights file: the file itself, or a run directory's best, last or previous weights, whichever exists first. If the path does
 * not exist, it may name published weights.
 *
 * Throws CheckpointError if there is no weights file.
 */
export async function resolveModelFile(path: string): Promise<string> {
  const pretrained = pretrainedOf(path);
  if (pretrained !== undefined) {
    const file = pretrainedFile(pretrained);
    if (await fileExists(file)) return file;
    throw new CheckpointError(`${path}: not in the cache (${file}); get it with: alexnet pull ${path}`);
  }
  const found = await statOf(path);
  if (found === undefined) {
    throw new CheckpointError(`${path}: no such file or folder; expected a run directory or a model file`);
  }
  if (!found.isDirectory()) return path;
  const { best, last, previous } = checkpointFiles(path);
  for (const file of [best, last, previous]) if (await fileExists(file)) return file;
  const fold = foldDirectory(path, 1);
  if (await fileExists(join(fold, "config.json"))) {
    throw new CheckpointError(
      `${path}: contains the folds of a cross-validation, which only evaluate and predict use together; give one of them, such as ${fold}`,
    );
  }
  throw new CheckpointError(
    `${path}: contains no checkpoint; expected best.safetensors or last.safetensors, or, for a folder of another program: ${importCommand(path)}`,
  );
}

/** True if a file or folder of this name exists. */
export async function fileExists(path: string): Promise<boolean> {
  return (await statOf(path)) !== undefined;
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(cause))) return undefined;
    throw new CheckpointError(`${path}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}
