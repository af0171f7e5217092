/** File log.jsonl: a line per logged step, epoch and rollback. */

import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { CheckpointError, codeOf, messageOf } from "../errors.ts";
import { problemsOf } from "../schema.ts";
import { explainingWrites, writeFileDurably } from "./durable.ts";

/** A line of a run's log, written every few iterations and after each epoch. */
export interface LogEntry {
  /** Passes over the training set so far, fractional. */
  readonly epoch: number;
  /** Batches so far. */
  readonly iteration: number;
  /** Mean cross-entropy since the previous line; in lines of evaluations, over the epoch so far. Natural logarithm. */
  readonly trainLoss: number;
  /** Fraction of correctly classified training images, over the same images. */
  readonly trainAccuracy: number;
  /** Loss of the evaluation; only in lines of evaluations. */
  readonly testLoss?: number;
  /** Top-1 accuracy of the evaluation, a fraction; only in lines of evaluations. */
  readonly testAccuracy?: number;
  /** Learning rate of the last iteration. */
  readonly learningRate: number;
  /** Training images per second. */
  readonly examplesPerSecond: number;
  /** Training time since the start of the run in seconds, without interruptions. */
  readonly seconds: number;
}

/** A number of the log. JSON stores non-finite numbers as null, which is read as NaN. */
export const loggedNumber = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

/** Schema of a log entry. */
export const logEntrySchema: z.ZodType<LogEntry> = z.object({
  epoch: z.number().nonnegative(),
  iteration: z.int().nonnegative(),
  trainLoss: loggedNumber,
  trainAccuracy: loggedNumber,
  testLoss: loggedNumber.exactOptional(),
  testAccuracy: loggedNumber.exactOptional(),
  learningRate: loggedNumber,
  examplesPerSecond: loggedNumber,
  seconds: z.number(),
});

/** A line that records a rollback to an earlier iteration after divergence. */
export interface RollbackEntry {
  readonly epoch: number;
  readonly iteration: number;
  /** 1 for the first rollback of the run. */
  readonly rollback: number;
  /** The non-finite value, and its iteration. */
  readonly reason: string;
  /** Learning rate factor from here on: the product over all rollbacks so far. */
  readonly learningRateFactor: number;
}

const rollbackEntrySchema: z.ZodType<RollbackEntry> = z.object({
  epoch: z.number().nonnegative(),
  iteration: z.int().nonnegative(),
  rollback: z.int().positive(),
  reason: z.string(),
  learningRateFactor: z.number().positive(),
});

function logFile(directory: string): string {
  return join(directory, "log.jsonl");
}

/**
 * Reads the log of a run directory, without rollbacks; empty if there is none. Ignores a last line truncated by a crash.
 *
 * Throws CheckpointError naming a line that is not a log entry.
 */
export async function readLog(directory: string): Promise<readonly LogEntry[]> {
  return (await readLines(directory)).flatMap(({ entry }) => ("rollback" in entry ? [] : [entry]));
}

/** Lines of a log with an evaluation. */
export function evaluationsOf(log: readonly LogEntry[]): readonly (LogEntry & { readonly testAccuracy: number })[] {
  return log.filter((entry): entry is LogEntry & { readonly testAccuracy: number } => entry.testAccuracy !== undefined);
}

/** Appends a line to the log of a run directory. Throws CheckpointError if it cannot be written; the log is then unchanged. */
export async function appendLog(directory: string, entry: LogEntry | RollbackEntry): Promise<void> {
  const file = logFile(directory);
  await explainingWrites(file, async () => {
    const handle = await open(file, "a");
    try {
      const { size } = await handle.stat();
      try {
        await handle.appendFile(`${JSON.stringify(entry)}\n`);
        await handle.sync();
      } catch (error) {
        await handle.truncate(size);
        throw error;
      }
    } finally {
      await handle.close();
    }
  });
}

/** Removes the lines after an iteration, as if training had stopped there, and keeps the first n rollbacks. */
export async function truncateLog(directory: string, iteration: number, rollbacks = 0): Promise<void> {
  const kept = (await readLines(directory)).filter(({ entry }) =>
    "rollback" in entry ? entry.rollback <= rollbacks : entry.iteration <= iteration,
  );
  await writeFileDurably(logFile(directory), kept.map(({ line }) => `${line}\n`).join(""));
}

type Entry = LogEntry | RollbackEntry;

async function readLines(directory: string): Promise<{ readonly line: string; readonly entry: Entry }[]> {
  const file = logFile(directory);
  const lines = (await readText(file)).split("\n");
  // A complete log ends with a newline, so this is empty.
  lines.pop();
  return lines.map((line, i) => ({ line, entry: parseEntry(`${file}: line ${i + 1}`, line) }));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return "";
    throw new CheckpointError(`${file}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function parseEntry(origin: string, line: string): Entry {
  try {
    const json: object = z.looseObject({}).parse(JSON.parse(line));
    return ("rollback" in json ? rollbackEntrySchema : logEntrySchema).parse(json);
  } catch (cause) {
    const detail = cause instanceof z.ZodError ? problemsOf(cause) : messageOf(cause);
    throw new CheckpointError(`${origin}: expected a log entry: ${detail}`, { cause });
  }
}
