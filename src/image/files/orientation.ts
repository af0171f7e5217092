/** Orientation of an image from its EXIF data, or else from its XMP. */
import { inflateSync } from "node:zlib";
import { bigEndian, latin1, littleEndian } from "./imageFile.ts";

/** Metadata that may contain the orientation. */
export interface Metadata {
  /** EXIF data, with or without the prefix `Exif\0\0`. */
  readonly exif?: Uint8Array | undefined;
  /** XML, as text or bytes. */
  readonly xmp?: Uint8Array | undefined;
}

/**
 * Returns the EXIF orientation of an image, 1 to 8, or 1 (upright) if none can be read. Damaged EXIF is common and no reason to refuse an
 * image.
 *
 * Accepts every encoding that sharp (libexif) or Pillow's `exif_transpose` accepts: any number type, several values, EXIF in several
 * segments, and `tiff:Orientation` of XMP if EXIF has no orientation. `scripts/golden/orientation.py` records the results of both.
 */
export function orientationOf({ exif, xmp }: Metadata): number {
  return (exif && exifOrientation(exif)) ?? (xmp && xmpOrientation(xmp)) ?? 1;
}

/** Position of a directory entry's first value, and its byte order. */
interface Value {
  readonly tiff: Uint8Array;
  readonly at: number;
  readonly isBigEndian: boolean;
}

type ReadNumber = (view: DataView, at: number, isLittleEndian: boolean) => number;

/** Size and reader of each number type. Source: TIFF 6.0, section 2; 13 and 16 from its supplements. */
const types: ReadonlyMap<number, readonly [bytes: number, read: ReadNumber]> = new Map([
  [1, [1, (view, at) => view.getUint8(at)]],
  [3, [2, (view, at, little) => view.getUint16(at, little)]],
  [4, [4, (view, at, little) => view.getUint32(at, little)]],
  [5, [8, (view, at, little) => view.getUint32(at, little) / (view.getUint32(at + 4, little) || 1)]],
  [6, [1, (view, at) => view.getInt8(at)]],
  [8, [2, (view, at, little) => view.getInt16(at, little)]],
  [9, [4, (view, at, little) => view.getInt32(at, little)]],
  [10, [8, (view, at, little) => view.getInt32(at, little) / (view.getInt32(at + 4, little) || 1)]],
  [11, [4, (view, at, little) => view.getFloat32(at, little)]],
  [12, [8, (view, at, little) => view.getFloat64(at, little)]],
  [13, [4, (view, at, little) => view.getUint32(at, little)]],
  [16, [8, (view, at, little) => Number(view.getBigUint64(at, little))]],
]);

const ORIENTATION = 0x112;
/** True for the numbers of EXIF orientations. */
export const isOrientation = (value: number) => Number.isInteger(value) && value >= 1 && value <= 8;

/**
 * Returns the first valid orientation (1 to 8) of the first directory, 1 if all are invalid, or undefined if there is no such entry.
 *
 * Source: EXIF 2.32 (JEITA CP-3451E), 4.5.2 and 4.6.4 A: a TIFF header, then a directory of 12-byte entries: tag, type, count, and the
 * values, or their offset if they exceed 4 bytes.
 */
export function exifOrientation(exif: Uint8Array): number | undefined {
  const tiff = withoutPrefix(exif);
  const order = bigEndian(tiff, 0, 2);
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const isBigEndian = order === 0x4d4d;
  const number = isBigEndian ? bigEndian : littleEndian;
  const directory = number(tiff, 4, 4);
  if (number(tiff, 2, 2) !== 42 || directory + 2 > tiff.length) return undefined;
  const entries = number(tiff, directory, 2);
  let found: number | undefined;
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.length) break;
    if (number(tiff, entry, 2) !== ORIENTATION) continue;
    const [type, count] = [number(tiff, entry + 2, 2), number(tiff, entry + 4, 4)];
    const bytes = types.get(type)?.[0] ?? 0;
    const at = count * bytes > 4 ? number(tiff, entry + 8, 4) : entry + 8;
    const value = count > 0 ? readValue(type, { tiff, at, isBigEndian }) : undefined;
    if (value !== undefined && isOrientation(value)) return value;
    found ??= value === undefined ? undefined : 1;
  }
  return found;
}

/** Reads a number; undefined if the type is not numeric or the value lies past the end. */
function readValue(type: number, { tiff, at, isBigEndian }: Value): number | undefined {
  const [bytes, read] = types.get(type) ?? [];
  if (bytes === undefined || read === undefined || at + bytes > tiff.length) return undefined;
  return read(new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength), at, !isBigEndian);
}

/** Removes the EXIF prefix, which some programs write twice. */
function withoutPrefix(exif: Uint8Array): Uint8Array {
  let rest = exif;
  while (latin1(rest, 0, 6) === exifPrefix) rest = rest.subarray(6);
  return rest;
}

/** EXIF prefix in a JPEG segment. */
export const exifPrefix = "Exif\0\0";

/** Searches XMP by the usual namespace prefix, as Pillow does. Undefined if not found. */
export function xmpOrientation(xmp: Uint8Array): number | undefined {
  const bytes = asBuffer(xmp);
  const at = bytes.indexOf("tiff:Orientation");
  if (at < 0) return undefined;
  const digit = /tiff:Orientation(?:="|>)([0-9])/.exec(bytes.toString("latin1", at))?.[1];
  return digit === undefined ? undefined : isOrientation(Number(digit)) ? Number(digit) : 1;
}

/** Maximum size of metadata: above any camera's, and Pillow's limit for text chunks. */
const MAX_TEXT = 2 ** 20;

/** Keyword and text of a PNG text chunk. */
const textKinds = new Map<string, (text: Uint8Array) => Metadata>([
  ["Raw profile type exif", (text) => ({ exif: rawProfile(text) })],
  ["XML:com.adobe.xmp", (text) => ({ xmp: text })],
]);

/** Metadata in a PNG text chunk (tEXt, zTXt or iTXt); empty if there is none or it is unreadable. Source: W3C PNG, 11.3.3. */
export function pngTextMetadata(type: string, data: Uint8Array): Metadata {
  const end = data.indexOf(0);
  const read = end < 1 || end > 79 ? undefined : textKinds.get(latin1(data, 0, end));
  const text = read && textOf(type, data.subarray(end + 1));
  return text && read ? read(text) : {};
}

function textOf(type: string, rest: Uint8Array): Uint8Array | undefined {
  if (type === "tEXt") return rest;
  if (type === "zTXt") return rest[0] === 0 ? inflated(rest.subarray(1)) : undefined;
  // iTXt: compression flag and method, then a language tag and a translated keyword, both null-terminated.
  const language = rest.indexOf(0, 2);
  const keyword = language < 0 ? -1 : rest.indexOf(0, language + 1);
  if (keyword < 0) return undefined;
  const text = rest.subarray(keyword + 1);
  return rest[0] === 0 ? text : inflated(text);
}

function inflated(data: Uint8Array): Uint8Array | undefined {
  try {
    return inflateSync(data, { maxOutputLength: MAX_TEXT });
  } catch {
    return undefined;
  }
}

/** Decodes ImageMagick's raw profile: an empty line, a name, a length, then lines of hexadecimal digits. */
function rawProfile(text: Uint8Array): Uint8Array {
  const lines = asBuffer(text).toString("latin1").split("\n").slice(3);
  return Buffer.from(lines.join(""), "hex");
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
