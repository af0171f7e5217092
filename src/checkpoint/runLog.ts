/** File log.jsonl: a line per logged step, epoch and rollback. */
import { type FileHandle, open } from "node:fs/promises";
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
  /** Top-1 accuracy of the evaluation, or exact match of a multi-label network, a fraction; only in lines of evaluations. */
  readonly testAccuracy?: number;
  /** Mean average precision of the evaluation of a multi-label network, a fraction; only in lines of evaluations. */
  readonly testMeanAveragePrecision?: number;
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

function entrySchema<N extends z.ZodType<number>>(logged: N) {
  return z.object({
    epoch: z.number().nonnegative(),
    iteration: z.int().nonnegative(),
    trainLoss: logged,
    trainAccuracy: logged,
    testLoss: logged.exactOptional(),
    testAccuracy: logged.exactOptional(),
    testMeanAveragePrecision: logged.exactOptional(),
    learningRate: logged,
    examplesPerSecond: logged,
    seconds: z.number(),
  });
}

/** Schema of a log entry. */
export const logEntrySchema: z.ZodType<LogEntry> = entrySchema(loggedNumber);
/** Schema of an entry without null: nearly all lines, and five times faster to check. */
const finiteEntrySchema: z.ZodType<LogEntry> = entrySchema(z.number());

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
  const entries: LogEntry[] = [];
  await readLogAfter(directory, logStart, (entry) => entries.push(entry));
  return entries;
}

/** A position in a log: after its first n lines. */
export interface LogPosition {
  readonly lines: number;
  readonly bytes: number;
  /** The line before the position, to recognize a log that was rewritten. */
  readonly lastLine: string;
}

/** The start of a log. */
export const logStart: LogPosition = { lines: 0, bytes: 0, lastLine: "" };

/**
 * Reads the lines of a log after a position, in pieces, without rollbacks, and returns the position after them. Ignores a last line that is
 * incomplete. Returns undefined, without a visit, if the log no longer has the lines before the position: a rollback or a resumed run
 * removed some.
 *
 * Throws CheckpointError naming a line that is not a log entry.
 */
export async function readLogAfter(
  directory: string,
  position: LogPosition,
  visit: (entry: LogEntry) => void,
): Promise<LogPosition | undefined> {
  const file = logFile(directory);
  const handle = await openLog(file);
  if (!handle) return position.lines === 0 ? position : undefined;
  try {
    if (!(await isAfterLine(file, handle, position))) return undefined;
    let at = position;
    for await (const next of linesAfter(file, handle, position)) {
      const entry = parseEntry(file, next);
      if (!("rollback" in entry)) visit(entry);
      at = next;
    }
    return at;
  } finally {
    await handle.close();
  }
}

/** Opens a log; undefined if there is none. */
async function openLog(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, "r");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new CheckpointError(`${file}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Reads bytes of a log; throws CheckpointError if that fails, for example because it is a folder. */
async function readPiece(file: string, handle: FileHandle, into: Uint8Array, from: number): Promise<number> {
  try {
    return (await handle.read(into, 0, into.length, from)).bytesRead;
  } catch (cause) {
    throw new CheckpointError(`${file}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** True if the line before a position is still there. */
async function isAfterLine(file: string, handle: FileHandle, { bytes, lastLine }: LogPosition): Promise<boolean> {
  if (bytes === 0) return true;
  const expected = Buffer.from(`${lastLine}\n`);
  const found = Buffer.alloc(expected.length);
  await readPiece(file, handle, found, bytes - expected.length);
  return found.equals(expected);
}

/** Bytes read at a time, and the maximum length of a line. */
const PIECE = 1 << 18;

/** The positions after each complete line, which hold these lines. */
async function* linesAfter(file: string, handle: FileHandle, { bytes, lines }: LogPosition) {
  const piece = Buffer.alloc(PIECE);
  let held = 0;
  for (let from = bytes; ; ) {
    const read = await readPiece(file, handle, piece.subarray(held), from);
    if (read === 0) return;
    from += read;
    const filled = piece.subarray(0, held + read);
    let start = 0;
    for (let end = filled.indexOf(10); end >= 0; end = filled.indexOf(10, start)) {
      lines++;
      bytes += end + 1 - start;
      yield { lines, bytes, lastLine: filled.toString("utf8", start, end) } satisfies LogPosition;
      start = end + 1;
    }
    held = filled.length - start;
    if (held === PIECE) {
      throw new CheckpointError(`${file}: line ${lines + 1}: expected a log entry of less than ${PIECE} bytes`);
    }
    filled.copy(piece, 0, start);
  }
}

/** A line of an evaluation. */
export type EvaluationEntry = LogEntry & { readonly testAccuracy: number };

/** True for a line of an evaluation. */
export function isEvaluation(entry: LogEntry): entry is EvaluationEntry {
  return entry.testAccuracy !== undefined;
}

/** Lines of a log with an evaluation. */
export function evaluationsOf(log: readonly LogEntry[]): readonly EvaluationEntry[] {
  return log.filter(isEvaluation);
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
  const file = logFile(directory);
  let kept = "";
  const handle = await openLog(file);
  try {
    for await (const line of handle ? linesAfter(file, handle, logStart) : []) {
      const entry = parseEntry(file, line);
      const isKept = "rollback" in entry ? entry.rollback <= rollbacks : entry.iteration <= iteration;
      if (isKept) kept += `${line.lastLine}\n`;
    }
  } finally {
    await handle?.close();
  }
  await writeFileDurably(file, kept);
}

function isRollback(json: unknown): boolean {
  return typeof json === "object" && json !== null && "rollback" in json;
}

/** Parses the line before a position. */
function parseEntry(file: string, { lines, lastLine }: LogPosition): LogEntry | RollbackEntry {
  try {
    const json: unknown = JSON.parse(lastLine);
    const finite = finiteEntrySchema.safeParse(json);
    if (finite.success) return finite.data;
    return (isRollback(json) ? rollbackEntrySchema : logEntrySchema).parse(json);
  } catch (cause) {
    const detail = cause instanceof z.ZodError ? problemsOf(cause) : messageOf(cause);
    throw new CheckpointError(`${file}: line ${lines}: expected a log entry: ${detail}`, { cause });
  }
}
