/** Log.jsonl: one line for each logged step, epoch and rollback. */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { CheckpointError, codeOf, messageOf } from "../errors.ts";
import { explainingWrites, writeFileDurably } from "./durable.ts";

/** A line of a run's log: one every few iterations and one an epoch. */
export interface LogEntry {
  /** Passes through the training set so far, fractional. */
  readonly epoch: number;
  readonly iteration: number;
  /** Mean over the images since the line before, or, in lines of evaluations, over the epoch so far; the accuracy too. */
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  /** Only in lines of evaluations. */
  readonly testLoss?: number;
  readonly testAccuracy?: number;
  readonly learningRate: number;
  readonly examplesPerSecond: number;
  /** Duration of training since the run began, interruptions apart. */
  readonly seconds: number;
}

/** A number of the log. JSON writes one that is not finite as null, which is read as NaN. */
export const loggedNumber = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

/** Checks a log entry read from a file. */
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

/** A line that says that training went back to this iteration, since it had diverged. */
export interface RollbackEntry {
  readonly epoch: number;
  readonly iteration: number;
  /** 1 for the first of the run. */
  readonly rollback: number;
  /** The value that was not finite, and since when. */
  readonly reason: string;
  /** From here on, of all rollbacks so far together. */
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
 * The log of a run directory without its rollbacks; empty if there is none. A last line that was cut off when its writer died is left out.
 *
 * Throws CheckpointError naming a line that is not a log entry.
 */
export async function readLog(directory: string): Promise<readonly LogEntry[]> {
  return (await readLines(directory)).flatMap(({ entry }) => ("rollback" in entry ? [] : [entry]));
}

/** The lines of a log that have an evaluation. */
export function evaluationsOf(log: readonly LogEntry[]): readonly (LogEntry & { readonly testAccuracy: number })[] {
  return log.filter((entry): entry is LogEntry & { readonly testAccuracy: number } => entry.testAccuracy !== undefined);
}

/** Adds a line to the log of a run directory. Throws CheckpointError if it cannot be written; then nothing is added. */
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

/** Drops the lines after an iteration, as if training had never gone beyond it, and keeps the first so many rollbacks. */
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
  // A complete log ends in a newline, so that this is empty.
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
    const detail = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
    throw new CheckpointError(`${origin}: expected a log entry: ${detail}`, { cause });
  }
}
