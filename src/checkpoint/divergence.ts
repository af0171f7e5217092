/** File diverged.txt: the reason for which the last training in a run directory diverged. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { AlexNetError, CheckpointError, codeOf, DivergenceError, messageOf } from "../errors.ts";
import { explainingWrites, writeFileDurably } from "./durable.ts";

function divergenceFile(directory: string): string {
  return join(directory, "diverged.txt");
}

/** Runs a training. If it diverges, stores the reason in the directory, as diverged.txt, until the next training there starts. */
export async function recordingDivergence<T>(directory: string, training: () => Promise<T>): Promise<T> {
  const file = divergenceFile(directory);
  await explainingWrites(file, () => rm(file, { force: true }));
  try {
    return await training();
  } catch (error) {
    if (error instanceof DivergenceError) {
      // A failure to write it must not hide the error itself.
      await writeFileDurably(file, `${error.message}\n`).catch((failure: unknown) => {
        if (!(failure instanceof AlexNetError)) throw failure;
      });
    }
    throw error;
  }
}

/** Reason for which the last training in a run directory diverged; undefined if it did not. */
export async function readDivergence(directory: string): Promise<string | undefined> {
  const file = divergenceFile(directory);
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new CheckpointError(`${file}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}
