/** Writes a layer's outputs for images: rows of numbers, and a list of the image files next to them. */
import { extname } from "node:path";
import { type DurableOutput, openDurableOutput } from "../checkpoint/durableOutput.ts";
import { lengthBytes } from "../checkpoint/safetensorsHeader.ts";
import { bytesOf } from "../checkpoint/safetensorsWriter.ts";
import { ConfigError } from "../errors.ts";
import { type Shape, sizeOf } from "../shape.ts";

/** Files written atomically: each appears once it is complete. */
export interface FeatureWriter {
  /** Shape: values [files, …shape]. */
  add(files: readonly string[], values: Float32Array): Promise<void>;
  finish(): Promise<void>;
  /** Keeps the previous files unless `finish` was called. */
  close(): Promise<void>;
}

/** Format of a feature file by its extension. Throws ConfigError for an unknown extension. */
export function rowFormatOf(output: string): RowHeader {
  const header = rowFormats.get(extname(output));
  if (header) return header;
  throw new ConfigError(`${output}: expected a name that ends in ${[...rowFormats.keys()].join(" or ")}`);
}

/** Path of the JSON list of image files, one for each row. */
export function filesOf(output: string): string {
  return `${output.slice(0, -extname(output).length)}.files.json`;
}

/** Throws ConfigError for an unknown extension; CheckpointError, as all members do, if a file cannot be written. */
export async function createFeatureWriter(output: string, layer: string, shape: Shape): Promise<FeatureWriter> {
  const header = rowFormatOf(output);
  const opened: DurableOutput[] = [];
  const open = async (path: string) => {
    const file = await openDurableOutput(path);
    opened.push(file);
    return file;
  };
  const close = async () => {
    for (const file of opened) await file.close();
  };
  try {
    const data = await open(output);
    const names = await open(filesOf(output));
    await data.append(header({ name: layer, shape, rows: 0 }));
    return writer(data, names, close, (rows) => header({ name: layer, shape, rows }), sizeOf(shape));
  } catch (error) {
    await close();
    throw error;
  }
}

function writer(
  data: DurableOutput,
  names: DurableOutput,
  close: () => Promise<void>,
  headerOf: (rows: number) => Uint8Array,
  length: number,
): FeatureWriter {
  let rows = 0;
  return {
    async add(files, values) {
      await data.append(bytesOf(values.subarray(0, files.length * length)));
      await names.append(files.map((file, i) => `${rows + i === 0 ? "[\n" : ",\n"}${JSON.stringify(file)}`).join(""));
      rows += files.length;
    },
    async finish() {
      await data.overwriteStart(headerOf(rows));
      await names.append(rows === 0 ? "[]\n" : "\n]\n");
      await names.commit();
      await data.commit();
    },
    close,
  };
}

/** Header of a file, before the rows. */
export type RowHeader = (tensor: { readonly name: string; readonly shape: Shape; readonly rows: number }) => Uint8Array;

/** Number of digits that numpy reserves. Source: numpy.lib.format, GROWTH_AXIS_MAX_DIGITS. */
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

/** Maximum number of digits of the length. */
const offsetDigits = 16;

/** safetensors, with the header padded by spaces to a constant length. Source: huggingface/safetensors, "Format". */
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

/** Headers by file extension. */
export const rowFormats: ReadonlyMap<string, RowHeader> = new Map([
  [".npy", npyHeader],
  [".safetensors", safetensorsHeader],
]);
