/** Directories of TIFF files: fields by their tags, read from any kind of TIFF and written as a classic one. */
import { bigEndian, damaged, latin1, littleEndian, truncated } from "./imageFile.ts";

/** Size of a value of each type that is read, in bytes. Source: TIFF 6.0, section 2; LONG8 and IFD8 from BigTIFF. */
const valueBytes: ReadonlyMap<number, number> = new Map([
  [1, 1], // BYTE
  [3, 2], // SHORT
  [4, 4], // LONG
  [7, 1], // UNDEFINED
  [13, 4], // IFD
  [16, 8], // LONG8
  [18, 8], // IFD8
]);

interface Field {
  readonly type: number;
  readonly count: number;
  /** Offset of the values. */
  readonly at: number;
}

/** The first directory of a TIFF file. Of two fields with one tag, the first counts. */
export interface TiffDirectory {
  /** Whole numbers of a field; undefined if it does not exist or has another type. At most `limit` of them are read. */
  numbers(tag: number, limit?: number): readonly number[] | undefined;
  /** Bytes of a field. */
  bytesOf(tag: number): Uint8Array | undefined;
  readonly isBigEndian: boolean;
}

/** Byte order, and sizes of the offset in the header, of the number of fields, and of a field. */
function layoutOf(bytes: Uint8Array) {
  const isBigEndian = latin1(bytes, 0, 2) === "MM";
  const number = isBigEndian ? bigEndian : littleEndian;
  const isBig = number(bytes, 2, 2) === 43;
  const sizes = isBig
    ? { headerBytes: 16, offsetBytes: 8, countBytes: 8, fieldBytes: 20 }
    : { headerBytes: 8, offsetBytes: 4, countBytes: 2, fieldBytes: 12 };
  return { isBigEndian, number, isBig, ...sizes };
}

/** Offset of the first directory, which many programs write after the pixels. */
export function directoryPlace(bytes: Uint8Array): number {
  const { number, headerBytes, offsetBytes } = layoutOf(bytes);
  return number(bytes, headerBytes - offsetBytes, offsetBytes);
}

/** A file of a header and the directory that follows at once. Values elsewhere in the original file cannot be read. */
export function withPlace(header: Uint8Array, directory: Uint8Array): Uint8Array {
  const { isBigEndian, headerBytes, offsetBytes } = layoutOf(header);
  const place = new Uint8Array(offsetBytes);
  place[isBigEndian ? offsetBytes - 1 : 0] = headerBytes;
  return Buffer.concat([header.subarray(0, headerBytes - offsetBytes), place, directory]);
}

/**
 * Reads the first directory. Throws DataError if it is damaged, or TruncatedImageError if it lies beyond the end.
 *
 * Source: TIFF 6.0, section 2; BigTIFF (libtiff.org/bigtiff.html).
 */
export function firstDirectory(bytes: Uint8Array): TiffDirectory {
  const { isBigEndian, number, isBig, headerBytes, offsetBytes, countBytes, fieldBytes } = layoutOf(bytes);
  if (isBig && (number(bytes, 4, 2) !== 8 || number(bytes, 6, 2) !== 0)) {
    throw damaged("TIFF", `offsets of ${number(bytes, 4, 2)} bytes, not 8`);
  }
  const place = directoryPlace(bytes);
  const entries = number(bytes, place, countBytes);
  const start = place + countBytes;
  const end = start + entries * fieldBytes;
  if (start > bytes.length || end > bytes.length) throw truncated("TIFF", bytes);
  if (place < headerBytes || entries === 0) throw damaged("TIFF", "it has no directory");
  const fields = new Map<number, Field>();
  for (let at = start; at < end; at += fieldBytes) {
    const tag = number(bytes, at, 2);
    if (!fields.has(tag)) fields.set(tag, fieldAt(bytes, at, { number, offsetBytes }));
  }
  /** The field, if its values are in the file. */
  const find = (tag: number) => {
    const field = fields.get(tag);
    const size = valueBytes.get(field?.type ?? 0);
    if (!field || size === undefined || field.count === 0) return undefined;
    if (field.at + field.count * size > bytes.length) throw truncated("TIFF", bytes);
    return { ...field, size };
  };
  return {
    isBigEndian,
    numbers(tag, limit = 1024) {
      const field = find(tag);
      if (!field) return undefined;
      const { at, size, count } = field;
      return Array.from({ length: Math.min(count, limit) }, (_, i) => number(bytes, at + i * size, size));
    },
    bytesOf(tag) {
      const field = find(tag);
      return field && bytes.subarray(field.at, field.at + field.count * field.size);
    },
  };
}

/** The field at an offset. Values that are longer than an offset stand elsewhere. */
function fieldAt(
  bytes: Uint8Array,
  at: number,
  { number, offsetBytes }: Pick<ReturnType<typeof layoutOf>, "number" | "offsetBytes">,
): Field {
  const type = number(bytes, at + 2, 2);
  const count = number(bytes, at + 4, offsetBytes);
  const values = at + 4 + offsetBytes;
  const isElsewhere = count * (valueBytes.get(type) ?? 0) > offsetBytes;
  return { type, count, at: isElsewhere ? number(bytes, values, offsetBytes) : values };
}

/** Values of a field to write: numbers of 16 or 32 bits, or bytes. */
export type TiffValues =
  | { readonly shorts: readonly number[] }
  | { readonly longs: readonly number[] }
  | { readonly bytes: Uint8Array };

/**
 * Appends a directory to a TIFF file and makes it the only one. The header becomes that of a classic TIFF file of the same byte order; all offsets
 * must be below 2³².
 */
export function withDirectory(
  bytes: Uint8Array,
  isBigEndian: boolean,
  fields: ReadonlyMap<number, TiffValues>,
): Uint8Array {
  const start = bytes.length + (bytes.length % 2);
  const size = 2 + 12 * fields.size + 4;
  const parts: Uint8Array[] = [];
  const directory = new DataView(new ArrayBuffer(size));
  directory.setUint16(0, fields.size, !isBigEndian);
  let [at, end] = [2, start + size];
  for (const [tag, values] of [...fields].sort(([a], [b]) => a - b)) {
    const { type, count, data } = encoded(values, isBigEndian);
    directory.setUint16(at, tag, !isBigEndian);
    directory.setUint16(at + 2, type, !isBigEndian);
    directory.setUint32(at + 4, count, !isBigEndian);
    if (data.length > 4) {
      directory.setUint32(at + 8, end, !isBigEndian);
      parts.push(data);
      end += data.length;
    } else new Uint8Array(directory.buffer).set(data, at + 8);
    at += 12;
  }
  const file = new Uint8Array(end);
  file.set(bytes);
  const header = new DataView(file.buffer);
  header.setUint16(2, 42, !isBigEndian);
  header.setUint32(4, start, !isBigEndian);
  file.set(new Uint8Array(directory.buffer), start);
  let place = start + size;
  for (const part of parts) {
    file.set(part, place);
    place += part.length;
  }
  return file;
}

/** Type, count and bytes of values; the bytes are an even number. */
function encoded(values: TiffValues, isBigEndian: boolean) {
  if ("bytes" in values) {
    const data = new Uint8Array(values.bytes.length + (values.bytes.length % 2));
    data.set(values.bytes);
    return { type: 7, count: values.bytes.length, data };
  }
  const [numbers, type, size] = "shorts" in values ? [values.shorts, 3, 2] : [values.longs, 4, 4];
  const view = new DataView(new ArrayBuffer(numbers.length * size));
  for (const [i, number] of numbers.entries()) {
    if (size === 2) view.setUint16(2 * i, number, !isBigEndian);
    else view.setUint32(4 * i, number, !isBigEndian);
  }
  return { type, count: numbers.length, data: new Uint8Array(view.buffer) };
}
