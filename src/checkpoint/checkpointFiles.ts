/** File names of a run's checkpoints, and the weights file that a path stands for. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, codeOf, messageOf } from "../errors.ts";
import { pretrainedFile, pretrainedOf } from "./pretrainedFiles.ts";

/** The files of a run's checkpoints. */
export interface CheckpointFiles {
  readonly last: string;
  readonly lastOptimizer: string;
  readonly previous: string;
  readonly previousOptimizer: string;
  readonly best: string;
}

/** The names of the checkpoint files in a run directory. */
export function checkpointFiles(directory: string): CheckpointFiles {
  return {
    last: join(directory, "last.safetensors"),
    lastOptimizer: join(directory, "last.optimizer.safetensors"),
    previous: join(directory, "previous.safetensors"),
    previousOptimizer: join(directory, "previous.optimizer.safetensors"),
    best: join(directory, "best.safetensors"),
  };
}

/**
 * The weights file that a path stands for: the file itself, or the best of a run directory, else its last, else the one before; or, where there is
 * neither, the published weights of that name.
 *
 * Throws CheckpointError if there is none.
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
    throw new CheckpointError(`${path}: no such file or folder; give a run directory or a .safetensors file`);
  }
  if (!found.isDirectory()) return path;
  const { best, last, previous } = checkpointFiles(path);
  for (const file of [best, last, previous]) if (await fileExists(file)) return file;
  throw new CheckpointError(`${path}: no checkpoint in it; expected best.safetensors or last.safetensors`);
}

/** True if there is a file or folder of this name. */
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
