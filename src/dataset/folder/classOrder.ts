/** Order of the classes of a data set: sorted, or as a file lists them. */
import { readFile } from "node:fs/promises";
import { DataError, messageOf } from "../../errors.ts";
import type { ClassOrder, LayoutOptions } from "../dataset.ts";
import { quotedName } from "./classNames.ts";
import { byCodePoint } from "./codePoints.ts";
import { dataFile } from "./dataFile.ts";
import { firstNames } from "./skippedFile.ts";

const orders: Readonly<Record<ClassOrder, (a: string, b: string) => number>> = {
  text: byCodePoint,
  natural: byNumbersInside,
};

/** Compares texts with whole numbers as numbers: `class 2` before `class 10`. Equal numbers compare as text. */
function byNumbersInside(a: string, b: string): number {
  const [x, y] = [piecesOf(a), piecesOf(b)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const [p, q] = [x[i] as string, y[i] as string];
    // Pieces alternate between text and digits, so that the kinds agree.
    const difference = i % 2 === 1 ? compareDigits(p, q) : byCodePoint(p, q);
    if (difference !== 0) return difference;
  }
  return x.length - y.length || byCodePoint(a, b);
}

/** Text and digits in turn, text first. */
function piecesOf(text: string): readonly string[] {
  return text.split(/(\d+)/);
}

/** Compares digits of any length. */
function compareDigits(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+(?=\d)/, ""), b.replace(/^0+(?=\d)/, "")];
  return x.length - y.length || byCodePoint(x, y);
}

/** Names of all classes in order, and messages. */
export interface OrderedClasses {
  readonly names: readonly string[];
  readonly notes: readonly string[];
}

/** Orders class names. With a file of classes, its classes are used, with images or without. Throws DataError if a class is not in the file. */
export async function orderedClasses(
  found: readonly string[],
  root: string,
  { classes, classOrder = "text" }: Pick<LayoutOptions, "classes" | "classOrder">,
): Promise<OrderedClasses> {
  if (classes !== undefined)
    return listedClasses(found, dataFile(root, classes, "a file with one class name per line"));
  const names = [...found].sort(orders[classOrder]);
  const isNumbers = names.length > 0 && names.every((name) => /^\d+$/.test(name));
  const differs = isNumbers && names.some((name, i) => i > 0 && Number(name) < Number(names[i - 1]));
  if (!differs) return { names, notes: [] };
  const first = names.slice(0, 4).join(", ");
  return {
    names,
    notes: [`classes are numbers, sorted as text (${first}, …); --class-order natural sorts them as numbers`],
  };
}

async function listedClasses(found: readonly string[], path: string): Promise<OrderedClasses> {
  const inUse = new Set(found);
  const names = await readClassNames(path, inUse);
  const listed = new Set(names);
  const unknown = found.filter((name) => !listed.has(name));
  if (unknown.length > 0) {
    throw new DataError(
      `${path}: expected all classes of the images, got none called ${firstNames(unknown.map(quotedName))}; add ${unknown.length === 1 ? "it" : "them"}`,
    );
  }
  const unused = names.filter((name) => !inUse.has(name));
  return {
    names,
    notes: unused.length === 0 ? [] : [`${path}: classes without images: ${unused.length} (${firstNames(unused)})`],
  };
}

/** Reads one class name per line, in UTF-8. Spaces at its ends count if a class of the images has them. Throws DataError if the file is unreadable, or names a class twice. */
async function readClassNames(path: string, inUse: ReadonlySet<string>): Promise<readonly string[]> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    throw new DataError(`${path}: expected a file with one class name per line, in UTF-8: ${messageOf(cause)}`, {
      cause,
    });
  }
  const lines = text.split(/\r\n|\n|\r/).map((line) => {
    const name = line.normalize("NFC");
    return inUse.has(name) ? name : name.trim();
  });
  const first = new Map<string, number>();
  for (const [i, name] of lines.entries()) {
    if (name === "") continue;
    const before = first.get(name);
    if (before !== undefined)
      throw new DataError(
        `${path}: line ${i + 1}: expected each class once, got ${quotedName(name)} as in line ${before + 1}`,
      );
    first.set(name, i);
  }
  return [...first.keys()];
}
