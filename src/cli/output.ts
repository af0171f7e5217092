/** Standard output and standard error of commands: text for people, JSON for programs. */
import { extname } from "node:path";
import { ConfigError, DataError } from "../errors.ts";
import { showsUnicode } from "../report/tables/terminal.ts";
import type { Invocation } from "./spec.ts";

/** True if standard output can show block characters. */
export function unicodeOutput(): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  return showsUnicode(process.stdout.isTTY === true, { LC_ALL, LC_CTYPE, LANG });
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(jsonOf(value, 2));
}

/** A value as JSON. Throws DataError for a number that JSON cannot represent, for which `JSON.stringify` writes null. */
export function jsonOf(value: unknown, indent?: number): string {
  const finite = (key: string, each: unknown) => {
    if (typeof each !== "number" || Number.isFinite(each)) return each;
    throw new DataError(`${key}: expected a finite number, got ${each}, which JSON cannot represent`);
  };
  return JSON.stringify(value, finite, indent);
}

/** Value of `--csv` for standard output. */
export const STANDARD_OUTPUT = "-";

/** Standard output as a table written in chunks; each write waits until it is consumed. */
export const standardTable = {
  append: (text: string) =>
    new Promise<void>((resolve, reject) => process.stdout.write(text, (error) => (error ? reject(error) : resolve()))),
  async commit() {},
  async close() {},
};

/** Fails as wrong usage if a table and JSON would both be written to standard output. */
export function refuseMixedOutput(invocation: Invocation, csv: string | undefined, json: boolean | undefined): void {
  if (csv === STANDARD_OUTPUT && json) {
    invocation.fail("--csv - and --json both write to standard output; name a file for --csv, or remove one of them");
  }
}

/** Prints to standard error: messages for people, which are not part of a command's result. */
export function printError(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Throws ConfigError unless the file's name has one of these endings, such as `.png`. Called before any work. */
export function requireEnding(file: string, endings: readonly string[]): void {
  if (endings.includes(extname(file).toLowerCase())) return;
  throw new ConfigError(`${file}: expected a name that ends in ${endings.join(" or ")}`);
}

/** Writes a figure atomically: unchanged to a `.svg` file, as pixels to a `.png` file. */
export async function writeFigure(file: string, svg: string): Promise<void> {
  const { writeFileDurably } = await import("../checkpoint/durable.ts");
  const { toPng } = await import("../report/figures/png.ts");
  await writeFileDurably(file, extname(file).toLowerCase() === ".svg" ? svg : toPng(svg));
}
