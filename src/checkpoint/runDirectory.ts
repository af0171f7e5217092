/** Directory of one run, used by one process at a time. */

import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { lockDirectory } from "../directoryLock.ts";
import { CheckpointError, codeOf, messageOf } from "../errors.ts";
import { unstoredName } from "../fileName.ts";
import { parseJsonText, problemsOf } from "../schema.ts";
import { explainingWrites, removeTemporaries, writeFileDurably } from "./durable.ts";

/** A run directory locked by this process until it is closed or the process ends. */
export interface OpenRun {
  readonly directory: string;
  close(): Promise<void>;
}

/**
 * Creates a run directory if necessary, locks it, and removes temporary files of dead processes.
 *
 * Throws CheckpointError if another process has locked it, or it cannot be written, or Windows would store it under another name.
 */
export async function openRun(directory: string): Promise<OpenRun> {
  const problem = unstoredName(directory);
  if (problem !== undefined) throw new CheckpointError(`${directory}: ${problem}; choose another directory`);
  await explainingWrites(directory, () => mkdir(directory, { recursive: true }));
  const close = await lockRun(directory);
  try {
    await removeTemporaries(directory);
  } catch (error) {
    await close();
    throw error;
  }
  return { directory, close };
}

function configFile(directory: string): string {
  return join(directory, "config.json");
}

/** Writes the configuration of a run, which may be any JSON. */
export async function writeConfig(directory: string, config: unknown): Promise<void> {
  await writeFileDurably(configFile(directory), `${JSON.stringify(config, undefined, 2)}\n`);
}

/**
 * Reads the configuration of a run directory; undefined if there is none.
 *
 * Throws CheckpointError if it is not JSON or does not match the schema.
 */
export async function readConfig<T>(directory: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const file = configFile(directory);
  try {
    return schema.parse(parseJsonText(await readFile(file, "utf8")));
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(cause))) return undefined;
    const detail = cause instanceof z.ZodError ? problemsOf(cause) : messageOf(cause);
    throw new CheckpointError(`${file}: not the configuration of a run: ${detail}`, { cause });
  }
}

/**
 * Locks a run directory for this process. Returns the function that unlocks it.
 *
 * Throws CheckpointError naming the process that holds the lock.
 */
async function lockRun(directory: string): Promise<() => Promise<void>> {
  const lock = await explainingWrites(directory, () => lockDirectory(directory));
  if ("unlock" in lock) return lock.unlock;
  throw new CheckpointError(
    `${directory}: run directory in use by process ${lock.holder}; wait for it, stop it, or choose another one`,
  );
}
