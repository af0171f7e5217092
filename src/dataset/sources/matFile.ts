/** Struct arrays of MATLAB files. */
import { readFile } from "node:fs/promises";
import { inflateSync } from "node:zlib";
import { DataError, messageOf } from "../../errors.ts";

/** What a field of a struct holds, as far as it is read: text, the first number, or something else. */
export type MatValue = string | number | undefined;

/** Bytes of a certain type; the last place to read from is `next`. */
interface Element {
  readonly type: number;
  readonly data: Buffer;
  /** Where the next one begins. */
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
/** Of text, by data type; one byte a character where none is named. */
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
