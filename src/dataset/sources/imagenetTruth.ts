/** Labels of validation images in a single folder, from any of the published files, including MATLAB's meta.mat. */

import { readFile } from "node:fs/promises";
import { inflateSync } from "node:zlib";
import { DataError, messageOf } from "../../errors.ts";
import { findText, type ImagenetFiles, readLines, type Synsets } from "./imagenetFiles.ts";

/** Classes of validation images in a single folder. */
export interface GroundTruth {
  readonly file: string;
  /** WNIDs by file name without extension. */
  readonly wnids: ReadonlyMap<string, string>;
}

/** Sources that map class numbers to classes. */
export interface Numbering {
  readonly files: ImagenetFiles;
  /** Sorted. */
  readonly trainWnids: readonly string[];
  readonly synsets: Synsets | undefined;
}

/** An image's name without extension, and its WNID; undefined if the line does not contain it. */
type Entry = readonly [name: string | undefined, wnid: string | undefined];

/** Number of classes of ILSVRC 2012. */
const allClasses = 1000;
const kitName = "ILSVRC2012_validation_ground_truth.txt";

/** Forms by file name; the first one present is read. */
const forms = { "LOC_val_solution.csv": readKaggle, "val.txt": readCaffe, [kitName]: readKit };

/** File names of which one is required. */
export const truthNames: readonly string[] = Object.keys(forms);

/** Ground truth in the first form present, or undefined. Throws DataError naming the file and the line. */
export async function readTruth(numbering: Numbering): Promise<GroundTruth | undefined> {
  for (const [name, read] of Object.entries(forms)) {
    const file = await findText(numbering.files, name);
    if (file !== undefined) return { file, wnids: await read(file, numbering) };
  }
  return undefined;
}

/** Kaggle's form: a header, then image, class and box, repeated for each further box. */
async function readKaggle(file: string): Promise<ReadonlyMap<string, string>> {
  const parse = (line: string): Entry => {
    const [, name, wnid] = /^(\w+),(n\d{8})(?: |$)/.exec(line) ?? [];
    return [name, wnid];
  };
  return entriesOf(file, '"ILSVRC2012_val_00000001,n01440764 1 2 3 4"', parse, "ImageId,PredictionString");
}

/** Caffe's form: numbers index the sorted WNIDs, from 0. */
async function readCaffe(
  file: string,
  { files, trainWnids, synsets }: Numbering,
): Promise<ReadonlyMap<string, string>> {
  const sorted = synsets ? [...synsets.names.keys()].sort() : trainWnids;
  if (!synsets && sorted.length !== allClasses) {
    throw new DataError(
      `${file}: its numbers refer to ${allClasses} classes; expected their list, synset_words.txt or LOC_synset_mapping.txt; ` +
        `${files.root} has neither, and ${sorted.length} classes in train`,
    );
  }
  const parse = (line: string): Entry => {
    const [, name, number] = /^(\w+)\.\w+ (\d+)$/.exec(line) ?? [];
    return [name, sorted[Number(number)]];
  };
  return entriesOf(file, `"ILSVRC2012_val_00000001.JPEG 65", the number from 0 to ${sorted.length - 1}`, parse);
}

/** The development kit's form: a number per image, in order; meta.mat maps numbers to classes. */
async function readKit(file: string, { files }: Numbering): Promise<ReadonlyMap<string, string>> {
  const meta = await findText(files, "meta.mat");
  if (meta === undefined) {
    throw new DataError(
      `${file}: its numbers are the development kit's; expected its meta.mat to map them to classes; ` +
        "found none; add it, or use LOC_val_solution.csv, or val.txt with synset_words.txt",
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

/** Entries of all lines except the header. Throws DataError if a line is not as `expected`, or an image occurs twice. */
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
    if (entries.has(name)) throw new DataError(`${where}: expected ${name} once, got it again`);
    entries.set(name, wnid);
  }
  return entries;
}

/** Value of a struct's field: text, its first number, or undefined for other types. */
export type MatValue = string | number | undefined;

/** Bytes of one type; the next element begins at `next`. */
interface Element {
  readonly type: number;
  readonly data: Buffer;
  /** Offset of the next element. */
  readonly next: number;
}

/** An array: its header, and the elements after it. */
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
/** Text encodings by data type; one byte per character if a type is not listed. */
const encodings: Readonly<Record<number, BufferEncoding>> = { 4: "utf16le", 16: "utf8", 17: "utf16le" };

/**
 * Reads fields of a struct array from a MATLAB file, version 5, little-endian, compressed or not. Returns a row per struct, with the fields in the
 * requested order.
 *
 * Throws DataError naming the file if it is unreadable, corrupt or of another kind, or lacks the array or a field.
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
    throw new DataError(`${path}: unreadable or corrupt (${messageOf(error)})`, { cause: error });
  }
}

/** Consecutive elements. Throws RangeError if the last one is truncated. */
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
  // A tag may contain up to four bytes of data; its upper half is then their number.
  const isSmall = word >>> 16 !== 0;
  const [type, length, start] = isSmall
    ? [word & 0xffff, word >>> 16, at + 4]
    : [word, bytes.readUInt32LE(at + 4), at + 8];
  const end = start + length;
  if (end > bytes.length) throw new RangeError(`an element of ${length} bytes is truncated`);
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

/** Names of a struct's fields, stored with equal lengths. */
function fieldNames({ contents: [room, names] }: Matrix): readonly string[] {
  if (!room || !names) return [];
  const bytes = room.data.readInt32LE();
  return Array.from({ length: names.data.length / bytes }, (_, i) =>
    names.data.toString("latin1", i * bytes, (i + 1) * bytes).replace(/\0[\s\S]*$/, ""),
  );
}

function matValue(element: Element | undefined): MatValue {
  if (!element) throw new RangeError("expected as many structs as the array's size");
  const { arrayClass, contents } = matrixOf(element);
  const [first] = contents;
  if (!first) return undefined;
  if (arrayClass === charClass) return first.data.toString(encodings[first.type] ?? "latin1");
  return first.data.length > 0 ? readNumber[first.type]?.(first.data) : undefined;
}
