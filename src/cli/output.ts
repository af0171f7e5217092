/** Standard output and standard error of commands: text for people, JSON for programs. */
import { extname } from "node:path";
import { codeOf, DataError, UsageError } from "../errors.ts";
import { jsonText, terminalText } from "../escape.ts";
import { showsUnicode } from "../report/tables/terminal.ts";
import type { Invocation } from "./spec.ts";

/** True if standard output can show block characters. */
export function unicodeOutput(): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  return showsUnicode(process.stdout.isTTY === true, { LC_ALL, LC_CTYPE, LANG });
}

/** Prints to standard output: a command's result, with characters that control a terminal replaced. */
export function print(text: string): void {
  process.stdout.write(`${terminalText(text)}\n`);
}

/** Prints a result as indented JSON. Throws DataError as `jsonOf` does. */
export function printJson(value: unknown): void {
  print(jsonOf(value, 2));
}

/** A value as JSON without characters that control a terminal. Throws DataError for a number that JSON cannot represent, for which `JSON.stringify` writes null. */
export function jsonOf(value: unknown, indent?: number): string {
  const finite = (key: string, each: unknown) => {
    if (typeof each !== "number" || Number.isFinite(each)) return each;
    throw new DataError(`${key}: expected a finite number, got ${each}, which JSON cannot represent`);
  };
  return jsonText(JSON.stringify(value, finite, indent));
}

/** Value of `--csv` for standard output. */
export const STANDARD_OUTPUT = "-";

/** Standard output as a table written in chunks; each write waits until it is consumed. */
export const standardTable = {
  append: (text: string) =>
    new Promise<void>((resolve, reject) => {
      const shown = process.stdout.isTTY ? terminalText(text) : text;
      process.stdout.write(shown, (error) => (error ? reject(error) : resolve()));
    }),
  async commit() {},
  async close() {},
};

/** Exit code after SIGPIPE in shells. */
const CLOSED_PIPE = 141;

/** Ends a command whose output is no longer read, as in `alexnet … | head`, unless it has called `outliveOutput`. */
function onOutputError(error: Error): void {
  if (process.stdout.listenerCount("error") > 1) return;
  if (codeOf(error) === "EPIPE") process.exit(CLOSED_PIPE);
  printError(`alexnet: standard output: cannot be written: ${error.message}`);
  process.exit(1);
}

/** Messages that nobody reads are lost; the result on standard output still counts. */
function onMessageError(): void {}

/** Handles errors of standard output and standard error from here on. */
export function watchOutput(): void {
  if (!process.stdout.listeners("error").includes(onOutputError)) process.stdout.on("error", onOutputError);
  if (!process.stderr.listeners("error").includes(onMessageError)) process.stderr.on("error", onMessageError);
}

function ignoreOutputError(): void {}

/**
 * Lets the command continue silently after its standard output is closed, for work that saves its results to files. It holds to the end of the process:
 * errors arrive after the last write.
 */
export function outliveOutput(): void {
  if (!process.stdout.listeners("error").includes(ignoreOutputError)) process.stdout.on("error", ignoreOutputError);
}

/** Fails as wrong usage if a table and JSON would both be written to standard output. */
export function refuseMixedOutput(invocation: Invocation, csv: string | undefined, json: boolean | undefined): void {
  if (csv === STANDARD_OUTPUT && json) {
    invocation.fail("--csv - and --json both write to standard output; name a file for --csv, or remove one of them");
  }
}

/** Prints to standard error: messages for people, which are not part of a command's result. */
export function printError(text: string): void {
  process.stderr.write(`${terminalText(text)}\n`);
}

/** Prints an error's message, further lines indented, so that no name in it passes for a message of its own. */
export function printProblem(message: string): void {
  const text = `alexnet: ${message.replace(/\n(?! {2})/g, "\n  ")}`;
  process.stderr.write(`${coloured(terminalText(text), "red")}\n`);
}

const colours = { red: 31, cyan: 36 } as const;

/** The text in a colour if standard error is a terminal that shows it; Node.js reads NO_COLOR here. */
export function coloured(text: string, colour: keyof typeof colours): string {
  if (!process.stderr.isTTY || !process.stderr.hasColors()) return text;
  return `\u001b[${colours[colour]}m${text}\u001b[39m`;
}

/** Throws UsageError unless the file's name has one of these endings, such as `.png`. Called before any work. */
export function requireEnding(file: string, endings: readonly string[]): void {
  if (endings.includes(extname(file).toLowerCase())) return;
  throw new UsageError(`${file}: expected a name that ends in ${endings.join(" or ")}`);
}

/** Writes a figure atomically: unchanged to a `.svg` file, as pixels to a `.png` file. */
export async function writeFigure(file: string, svg: string): Promise<void> {
  const { writeFileDurably } = await import("../checkpoint/durable.ts");
  const { toPng } = await import("../report/figures/png.ts");
  await writeFileDurably(file, extname(file).toLowerCase() === ".svg" ? svg : toPng(svg));
}
