/** Lists of class names: text files in common encodings, and repeated names. */
import { readFile } from "node:fs/promises";
import { ConfigError, messageOf } from "../errors.ts";
import { imagenetClasses } from "./imagenetClasses.ts";

/** Class names in the order of the outputs, and notes on what was changed. */
export interface ClassList {
  readonly names: readonly string[];
  /** One line per change. */
  readonly notes: readonly string[];
}

/**
 * Reads one class name per line from a file in UTF-8, or UTF-16 with or without byte order mark, with any line ending. Trims names, skips
 * empty lines and normalizes names to Unicode form NFC, like folder names.
 *
 * Throws ConfigError if the file cannot be read or is not such text.
 */
export async function readClassList(path: string): Promise<ClassList> {
  const lines = (await readText(path)).split(/\r\n|[\r\n\u0085\u2028\u2029]/);
  // Concatenated files contain byte order marks inside.
  const names = lines.map((line) => line.replaceAll("\ufeff", "").trim().normalize("NFC"));
  const filled = names.filter((name) => name !== "");
  const inside = names.slice(0, names.findLastIndex((name) => name !== "") + 1).length - filled.length;
  const notes = inside === 0 ? [] : [`${path}: skipped empty lines: ${inside}`];
  return { names: filled, notes };
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new ConfigError(`${path}: expected a file with one class name per line: ${messageOf(cause)}`, { cause });
  }
  const encoding = encodingOf(bytes);
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(
      `${path}: expected text in UTF-8 or UTF-16, got bytes that are not ${encoding.toUpperCase()}; save the file as UTF-8`,
      { cause },
    );
  }
}

/** Detects the encoding by the byte order mark. Without one, text with zero bytes is UTF-16, and line breaks show its byte order. */
function encodingOf(bytes: Buffer): "utf-8" | "utf-16le" | "utf-16be" {
  const mark = bytes.subarray(0, 2).toString("hex");
  if (mark === "fffe") return "utf-16le";
  if (mark === "feff") return "utf-16be";
  const zeros: [even: number, odd: number] = [0, 0];
  for (const [i, byte] of bytes.entries()) if (byte === 0) zeros[i % 2 === 0 ? 0 : 1]++;
  if (zeros[0] + zeros[1] === 0) return "utf-8";
  return zeros[1] > zeros[0] ? "utf-16le" : "utf-16be";
}

/**
 * Makes names distinct. A repeated name gets the number of its output as suffix, or, in a list of ImageNet's 1000 classes, the WNID used by
 * the data set `imagenet`.
 */
export function distinctNames(names: readonly string[]): ClassList {
  const outputs = new Map<string, number[]>();
  for (const [output, name] of names.entries()) outputs.set(name, [...(outputs.get(name) ?? []), output]);
  const taken = new Set(outputs.keys());
  const distinct = [...names];
  const notes: string[] = [];
  for (const [name, same] of outputs) {
    if (same.length === 1) continue;
    for (const output of same) distinct[output] = distinctName(name, output, names.length, taken);
    const called = same.map((output) => distinct[output]).join(", ");
    notes.push(`class names: ${name} occurs ${same.length} times (outputs ${same.join(", ")}); renamed to ${called}`);
  }
  return { names: distinct, notes };
}

/** Reserves a name that is not in use yet. */
function distinctName(name: string, output: number, classes: number, taken: Set<string>): string {
  const known = imagenetClasses[output];
  const isImagenet = classes === imagenetClasses.length && known?.replace(/ \(n\d{8}\)$/, "") === name;
  let chosen = isImagenet ? known : `${name} (${output})`;
  while (taken.has(chosen)) chosen += "′";
  taken.add(chosen);
  return chosen;
}
