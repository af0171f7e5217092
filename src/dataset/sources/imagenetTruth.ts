/** Labels of validation images that lie in one folder, from any of the published files, meta.mat of MATLAB included. */

import { readFile } from "node:fs/promises";
import { inflateSync } from "node:zlib";
import { DataError, messageOf } from "../../errors.ts";
import { findText, type ImagenetFiles, readLines, type Synsets } from "./imagenetFiles.ts";

/** The classes of validation images that lie in one folder. */
export interface GroundTruth {
  readonly file: string;
  /** WNIDs by the image's file name without its ending. */
  readonly wnids: ReadonlyMap<string, string>;
}

/** Sources that give class numbers their meaning. */
export interface Numbering {
  readonly files: ImagenetFiles;
  /** Sorted. */
  readonly trainWnids: readonly string[];
  readonly synsets: Synsets | undefined;
}

/** An image's name without its ending, and its WNID: whatever a line does not give is undefined. */
type Entry = readonly [name: string | undefined, wnid: string | undefined];

/** Classes of ILSVRC 2012. */
const allClasses = 1000;
const kitName = "ILSVRC2012_validation_ground_truth.txt";

/** The forms, known by the names of their files; the first that is there is read. */
const forms = { "LOC_val_solution.csv": readKaggle, "val.txt": readCaffe, [kitName]: readKit };

/** The names of the files of which one is needed. */
export const truthNames: readonly string[] = Object.keys(forms);

/** The ground truth in the first form that is there, or undefined. Throws DataError naming the file and the line. */
export async function readTruth(numbering: Numbering): Promise<GroundTruth | undefined> {
  for (const [name, read] of Object.entries(forms)) {
    const file = await findText(numbering.files, name);
    if (file !== undefined) return { file, wnids: await read(file, numbering) };
  }
  return undefined;
}

/** Kaggle's: a header, then image, class and box, once more for each further box. */
async function readKaggle(file: string): Promise<ReadonlyMap<string, string>> {
  const parse = (line: string): Entry => {
    const [, name, wnid] = /^(\w+),(n\d{8})(?: |$)/.exec(line) ?? [];
    return [name, wnid];
  };
  return entriesOf(file, '"ILSVRC2012_val_00000001,n01440764 1 2 3 4"', parse, "ImageId,PredictionString");
}

/** Caffe's: the numbers are those of the sorted WNIDs, from 0. */
async function readCaffe(
  file: string,
  { files, trainWnids, synsets }: Numbering,
): Promise<ReadonlyMap<string, string>> {
  const sorted = synsets ? [...synsets.names.keys()].sort() : trainWnids;
  if (!synsets && sorted.length !== allClasses) {
    throw new DataError(
      `${file}: its numbers count ${allClasses} classes, expected synset_words.txt or LOC_synset_mapping.txt to say which; ` +
        `${files.root} has neither, and ${sorted.length} classes in train`,
    );
  }
  const parse = (line: string): Entry => {
    const [, name, number] = /^(\w+)\.\w+ (\d+)$/.exec(line) ?? [];
    return [name, sorted[Number(number)]];
  };
  return entriesOf(file, `"ILSVRC2012_val_00000001.JPEG 65", the number from 0 to ${sorted.length - 1}`, parse);
}

/** The development kit's: a number for each image in turn; meta.mat says which class has it. */
async function readKit(file: string, { files }: Numbering): Promise<ReadonlyMap<string, string>> {
  const meta = await findText(files, "meta.mat");
  if (meta === undefined) {
    throw new DataError(
      `${file}: its numbers are the development kit's own, expected meta.mat from there to say which class is which; ` +
        "found none; LOC_val_solution.csv, or val.txt with synset_words.txt, would do instead of both",
    );
  }
  const synsets = await readStructs(meta, "synsets", ["ILSVRC2012_ID", "WNID"]);
  const wnids = new Map(synsets.map(([id, wnid]) => [String(id), String(wnid)]));
  const parse = (line: string, index: number): Entry => [
    `ILSVRC2012_val_${String(index + 1).padStart(8, "0")}`,
    wnids.get(line.trim()),
  ];
  return entriesOf(file, `the ILSVRC2012_ID of a class in ${meta}`, parse);
}

/** The entries of all lines but the header. Throws DataError if a line is not as `expected`, or an image comes twice. */
async function entriesOf(
  file: string,
  expected: string,
  parse: (line: string, index: number) => Entry,
  header?: string,
): Promise<ReadonlyMap<string, string>> {
  const entries = new Map<string, string>();
  const lines = await readLines(file);
  if (header !== undefined && lines[0] !== header) {
    throw new DataError(`${file}: line 1: expected ${header}, got ${JSON.stringify(lines[0])}`);
  }
  const first = header === undefined ? 0 : 1;
  for (const [index, line] of lines.slice(first).entries()) {
    const where = `${file}: line ${first + index + 1}`;
    const [name, wnid] = parse(line, index);
    if (name === undefined || wnid === undefined) {
      throw new DataError(`${where}: expected ${expected}, got ${JSON.stringify(line)}`);
    }
    if (entries.has(name)) throw new DataError(`${where}: expected ${name} once, got it twice`);
    entries.set(name, wnid);
  }
  return entries;
}

/** The value of a struct's field, as far as it is read: text, the first number, or undefined for anything else. */
export type MatValue = string | number | undefined;

/** Bytes of a certain type; the last place to read from is `next`. */
interface Element {
  readonly type: number;
  readonly data: Buffer;
  /** Offset of the next element. */
  readonly next: number;
}

/** An array: its header, and the elements behind it. */
interface Matrix {
  readonly arrayClass: number;
  readonly length: number;
  readonly name: string;
  readonly contents: readonly Element[];
}

/** Source: MathWorks, "MAT-File Format", version 5: data types and array classes. */
const headerBytes = 128;
const miMatrix = 14;
const miCompressed = 15;
const structClass = 2;
const charClass = 4;
/** By data type. */
const readNumber: Readonly<Record<number, (bytes: Buffer) => number>> = {
  1: (bytes) => bytes.readInt8(),
  2: (bytes) => bytes.readUInt8(),
  3: (bytes) => bytes.readInt16LE(),
  4: (bytes) => bytes.readUInt16LE(),
  5: (bytes) => bytes.readInt32LE(),
  6: (bytes) => bytes.readUInt32LE(),
  7: (bytes) => bytes.readFloatLE(),
  9: (bytes) => bytes.readDoubleLE(),
};
/** Text encodings by data type; one byte a character where none is named. */
const encodings: Readonly<Record<number, BufferEncoding>> = { 4: "utf16le", 16: "utf8", 17: "utf16le" };

/**
 * Reads some fields of a struct array from a MATLAB file, version 5, little-endian, compressed or not: a row for each
 * struct, the fields in the order asked for.
 *
 * Throws DataError naming the file if it cannot be read, is none of that, is damaged, or lacks the array or a field.
 */
export async function readStructs(
  path: string,
  arrayName: string,
  fields: readonly string[],
): Promise<readonly (readonly MatValue[])[]> {
  try {
    const bytes = await readFile(path);
    if (bytes.length < headerBytes || bytes.toString("latin1", 124, headerBytes) !== "\0\x01IM") {
      throw new DataError(`${path}: expected a MATLAB file of version 5, little-endian, got another`);
    }
    const found = elementsOf(bytes.subarray(headerBytes))
      .map(matrixOf)
      .find(({ name }) => name === arrayName);
    if (found?.arrayClass !== structClass)
      throw new DataError(`${path}: expected the struct array ${arrayName}, got none`);
    const names = fieldNames(found);
    const places = fields.map((field) => names.indexOf(field));
    if (places.includes(-1)) {
      throw new DataError(`${path}: ${arrayName}: expected the fields ${fields.join(", ")}, got ${names.join(", ")}`);
    }
    return Array.from({ length: found.length }, (_, row) =>
      places.map((place) => matValue(found.contents[2 + row * names.length + place])),
    );
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${path}: cannot be read, or is damaged (${messageOf(error)})`, { cause: error });
  }
}

/** One element behind the other. Throws RangeError if the last one is cut. */
function elementsOf(bytes: Buffer): readonly Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const element = elementAt(bytes, at);
    elements.push(element);
    at = element.next;
  }
  return elements;
}

function elementAt(bytes: Buffer, at: number): Element {
  const word = bytes.readUInt32LE(at);
  // Up to four bytes stand within the tag, whose upper half then says how many.
  const isSmall = word >>> 16 !== 0;
  const [type, length, start] = isSmall
    ? [word & 0xffff, word >>> 16, at + 4]
    : [word, bytes.readUInt32LE(at + 4), at + 8];
  const end = start + length;
  if (end > bytes.length) throw new RangeError(`an element of ${length} bytes is cut`);
  const padded = isSmall ? at + 8 : Math.ceil(end / 8) * 8;
  return { type, data: bytes.subarray(start, end), next: type === miCompressed ? end : padded };
}

function matrixOf({ type, data }: Element): Matrix {
  if (type === miCompressed) return matrixOf(elementAt(inflateSync(data, { maxOutputLength: 1 << 28 }), 0));
  const [flags, dimensions, name, ...contents] = type === miMatrix ? elementsOf(data) : [];
  if (!flags || !dimensions || !name) return { arrayClass: 0, length: 0, name: "", contents: [] };
  const extents = Array.from({ length: dimensions.data.length / 4 }, (_, i) => dimensions.data.readInt32LE(4 * i));
  const length = extents.reduce((product, extent) => product * extent, 1);
  return { arrayClass: flags.data.readUInt8(), length, name: name.data.toString("latin1"), contents };
}

/** The names of a struct's fields, which all have the same room. */
function fieldNames({ contents: [room, names] }: Matrix): readonly string[] {
  if (!room || !names) return [];
  const bytes = room.data.readInt32LE();
  return Array.from({ length: names.data.length / bytes }, (_, i) =>
    names.data.toString("latin1", i * bytes, (i + 1) * bytes).replace(/\0[\s\S]*$/, ""),
  );
}

function matValue(element: Element | undefined): MatValue {
  if (!element) throw new RangeError("fewer structs than its size says");
  const { arrayClass, contents } = matrixOf(element);
  const [first] = contents;
  if (!first) return undefined;
  if (arrayClass === charClass) return first.data.toString(encodings[first.type] ?? "latin1");
  return first.data.length > 0 ? readNumber[first.type]?.(first.data) : undefined;
}
