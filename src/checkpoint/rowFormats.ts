/** Files of one f32 tensor [rows, …shape], of which the number of rows is known last: a header of one length for any number, then the rows. */
import type { Shape } from "../shape.ts";
import { lengthBytes } from "./safetensorsHeader.ts";

/** What stands before the rows. */
export type RowHeader = (tensor: { readonly name: string; readonly shape: Shape; readonly rows: number }) => Uint8Array;

/** Digits that numpy leaves room for. Source: numpy.lib.format, GROWTH_AXIS_MAX_DIGITS. */
const growthDigits = 21;

/** The .npy format, version 1.0, byte for byte as numpy writes it. Source: numpy.lib.format. */
const npyHeader: RowHeader = ({ shape, rows }) => {
  const extents = [rows, ...shape];
  const tuple = extents.length === 1 ? `${rows},` : extents.join(", ");
  const growth = " ".repeat(Math.max(0, growthDigits - String(rows).length));
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${tuple}), }${growth}`;
  const start = 10;
  const total = Math.ceil((start + text.length + 1) / 64) * 64;
  const bytes = Buffer.alloc(total, " ");
  bytes.write("\x93NUMPY\x01\x00", "latin1");
  bytes.writeUInt16LE(total - start, start - 2);
  bytes.write(text, start);
  bytes.write("\n", total - 1);
  return bytes;
};

/** The length has this many digits at most. */
const offsetDigits = 16;

/** safetensors, with spaces behind the header to one length. Source: huggingface/safetensors, "Format". */
const safetensorsHeader: RowHeader = ({ name, shape, rows }) => {
  const extents = [rows, ...shape];
  const end = 4 * extents.reduce((product, extent) => product * extent, 1);
  const json = JSON.stringify({ [name]: { dtype: "F32", shape: extents, data_offsets: [0, end] } });
  const room = 2 * offsetDigits - String(rows).length - String(end).length;
  const length = Math.ceil((Buffer.byteLength(json) + room) / 8) * 8;
  const bytes = Buffer.alloc(lengthBytes + length, " ");
  bytes.writeBigUInt64LE(BigInt(length));
  bytes.write(json, lengthBytes);
  return bytes;
};

/** Headers by the ending of a file's name. */
export const rowFormats: ReadonlyMap<string, RowHeader> = new Map([
  [".npy", npyHeader],
  [".safetensors", safetensorsHeader],
]);
