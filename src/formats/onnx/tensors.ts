/** Tensors of an ONNX model, with values in the model or in external files in its folder. */

import { lstat, open, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { dtypes } from "../../checkpoint/dtypes.ts";
import { CheckpointError, codeOf, UnsupportedError } from "../../errors.ts";
import { nonFiniteProblem } from "../../finite.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { asFloats } from "../values.ts";
import { dataLocations, dataTypes, type TensorMessage } from "./messages.ts";

/** Tensor bytes in an external file. */
export type ExternalBytes = ReadonlyMap<TensorMessage, Uint8Array>;

/** A tensor of the file, or one computed from its constants. */
export interface OnnxTensor {
  readonly shape: Shape;
  /** True for a tensor of whole numbers, such as a shape. */
  readonly isInteger: boolean;
  /**
   * Values as f32, a view of the file if possible: float16 and bfloat16 are widened exactly, float64 is rounded. Throws UnsupportedError for
   * another type, CheckpointError for a non-finite value.
   */
  floats(): Float32Array;
  /** Any number of values of type INT32. Throws UnsupportedError for another type. */
  int32s(): Int32Array;
  /** The only value of a tensor of floats, infinities included. Throws UnsupportedError unless there is exactly one. */
  bound(): number;
  /** Integer values, at most as many as a shape can have. In a computed shape, NaN stands for a batch of any size. */
  integers(): readonly number[];
}

const MOST_INTEGERS = 16;
const integerTypes = ["INT64", "INT32", "BOOL"] as const;
/** Types of floats, by the names of safetensors. */
const floatTypes = { FLOAT: "F32", FLOAT16: "F16", BFLOAT16: "BF16", DOUBLE: "F64" } as const;
type FloatType = keyof typeof floatTypes;
const floatNames = Object.keys(floatTypes) as readonly FloatType[];

/** True for a type of floats, which this program computes in f32. */
export function isFloat(dataType: number | undefined): boolean {
  return floatNames.some((type) => dataTypes[type] === dataType);
}

/** Name of a type of floats that this program computes in f32; undefined for FLOAT, and for other types. */
export function convertedFloat(dataType: number | undefined): string | undefined {
  const name = floatNames.find((type) => dataTypes[type] === dataType);
  return name === "FLOAT" ? undefined : name?.replace("DOUBLE", "float64").toLowerCase();
}

/** Wraps a tensor. Throws CheckpointError for invalid extents; values are checked on access. */
export function tensorOf(message: TensorMessage, external: ExternalBytes, origin: string): OnnxTensor {
  const what = `${origin}: tensor "${message.name ?? ""}"`;
  const shape = message.dims;
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0) || !Number.isSafeInteger(sizeOf(shape))) {
    throw new CheckpointError(`${what}: extents [${shape.join(", ")}]`);
  }
  return {
    shape,
    isInteger: integerTypes.some((type) => dataTypes[type] === message.dataType),
    floats() {
      const values = floatsOf(message, external, sizeOf(shape), what);
      const problem = nonFiniteProblem(values);
      if (problem !== undefined) throw new CheckpointError(`${what}: ${problem}`);
      return values;
    },
    int32s() {
      requireType(message, ["INT32"], what);
      const bytes = bytesOf(message, external, Int32Array.BYTES_PER_ELEMENT * sizeOf(shape), [], what);
      return new Int32Array(Uint8Array.from(bytes).buffer);
    },
    bound() {
      if (sizeOf(shape) !== 1) throw new UnsupportedError(`${what}: expected one value, got [${shape.join(", ")}]`);
      return floatsOf(message, external, 1, what)[0] as number;
    },
    integers() {
      requireType(message, integerTypes, what);
      if (sizeOf(shape) > MOST_INTEGERS) throw new UnsupportedError(`${what}: ${sizeOf(shape)} whole numbers`);
      return integersOf(message, external, sizeOf(shape), what);
    },
  };
}

function floatsOf(message: TensorMessage, external: ExternalBytes, count: number, what: string): Float32Array {
  const type = requireType(message, floatNames, what);
  if (count === 0) throw new UnsupportedError(`${what}: expected values, got none`);
  const dtype = dtypes.get(floatTypes[type]);
  if (!dtype) throw new UnsupportedError(`${what}: data type ${type}`);
  const packed = type === "DOUBLE" ? message.doubleData : message.floatData;
  // 16-bit floats outside of raw_data are the lower half of a number each.
  const isNumbers = dtype.byteLength === 2 && message.rawData === undefined && message.int32Data.length > 0;
  const content = isNumbers ? lowHalves(message.int32Data, count, what) : undefined;
  const bytes = content ?? bytesOf(message, external, dtype.byteLength * count, packed, what);
  if (type === "FLOAT") return asFloats(bytes);
  const values = new Float32Array(count);
  dtype.toFloat32(bytes, values);
  return values;
}

function lowHalves(numbers: readonly number[], count: number, what: string): Uint8Array {
  if (numbers.length !== count) throw new CheckpointError(`${what}: expected ${count} numbers, got ${numbers.length}`);
  return new Uint8Array(Uint16Array.from(numbers).buffer);
}

/** The name of the tensor's type, which must be one of those allowed. */
function requireType<Type extends keyof typeof dataTypes>(
  { dataType }: TensorMessage,
  allowed: readonly Type[],
  what: string,
): Type {
  const type = allowed.find((name) => dataTypes[name] === dataType);
  if (type !== undefined) return type;
  const got = Object.entries(dataTypes).find(([, value]) => value === dataType)?.[0] ?? `type ${dataType}`;
  throw new UnsupportedError(`${what}: data type ${got}, expected ${allowed[0]}; convert the model to float32`);
}

/** The tensor's bytes, which must be stored in exactly one field. */
function bytesOf(
  message: TensorMessage,
  external: ExternalBytes,
  expected: number,
  packed: readonly Uint8Array[],
  what: string,
): Uint8Array {
  if (message.segment !== undefined) throw new UnsupportedError(`${what}: segmented tensors are not supported`);
  const outside = message.dataLocation === dataLocations.EXTERNAL;
  const content = outside ? external.get(message) : (message.rawData ?? joined(packed));
  const length = content?.byteLength ?? 0;
  if (!content || length !== expected) throw new CheckpointError(`${what}: expected ${expected} bytes, got ${length}`);
  return content;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}

function integersOf(message: TensorMessage, external: ExternalBytes, count: number, what: string): readonly number[] {
  const inFields = message.dataType === dataTypes.INT64 ? message.int64Data : message.int32Data;
  if (message.rawData === undefined && message.dataLocation !== dataLocations.EXTERNAL) {
    if (inFields.length !== count)
      throw new CheckpointError(`${what}: expected ${count} numbers, got ${inFields.length}`);
    return inFields;
  }
  const { size, read } = storedIntegers[message.dataType as keyof typeof storedIntegers];
  const content = Buffer.from(bytesOf(message, external, size * count, [], what));
  return Array.from({ length: count }, (_, i) => read(content, size * i));
}

const storedIntegers = {
  [dataTypes.BOOL]: { size: 1, read: (content: Buffer, at: number) => content.readUInt8(at) },
  [dataTypes.INT32]: { size: 4, read: (content: Buffer, at: number) => content.readInt32LE(at) },
  [dataTypes.INT64]: { size: 8, read: (content: Buffer, at: number) => Number(content.readBigInt64LE(at)) },
} as const;

/** Bytes of a value in raw or external data, by type. */
const storedSizes: ReadonlyMap<number, number> = new Map([
  ...floatNames.map((type) => [dataTypes[type], dtypes.get(floatTypes[type])?.byteLength ?? 0] as const),
  ...Object.entries(storedIntegers).map(([type, { size }]) => [Number(type), size] as const),
]);

interface Place {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Reads external data. The total size of a file's tensors must not exceed the file, so no file is read many times.
 *
 * Throws CheckpointError if a location is outside the model's folder, by name or through links, or outside its file.
 */
export async function readExternal(
  modelPath: string,
  tensors: readonly TensorMessage[],
): Promise<ReadonlyMap<TensorMessage, Uint8Array>> {
  const outside = tensors.filter(({ dataLocation }) => dataLocation === dataLocations.EXTERNAL);
  const result = new Map<TensorMessage, Uint8Array>();
  const left = new Map<string, number>();
  for (const tensor of outside) {
    const what = `${modelPath}: tensor "${tensor.name ?? ""}"`;
    const place = placeOf(tensor, what);
    const path = await insideFolder(dirname(modelPath), place.location, what);
    const size = (await lstat(path)).size;
    const rest = (left.get(path) ?? size) - place.length;
    if (place.offset + place.length > size || rest < 0) {
      throw new CheckpointError(
        `${what}: expected ${place.length} bytes at offset ${place.offset} in ${place.location}, got a file of ${size} bytes for all tensors`,
      );
    }
    left.set(path, rest);
    result.set(tensor, await readPart(path, place, what));
  }
  return result;
}

function placeOf({ externalData, dims, dataType }: TensorMessage, what: string): Place {
  const entries = new Map(externalData.map(({ key = "", value = "" }) => [key, value]));
  const location = entries.get("location") ?? "";
  const number = (key: string, missing: number) => {
    const text = entries.get(key);
    if (text === undefined) return missing;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value)) throw new CheckpointError(`${what}: external data: ${key} "${text}" is not a number`);
    return value;
  };
  const size = storedSizes.get(dataType ?? 0);
  if (size === undefined) throw new UnsupportedError(`${what}: external data of type ${dataType}, expected FLOAT`);
  const expected = sizeOf(dims) * size;
  const length = number("length", expected);
  if (length !== expected || !dims.every((extent) => extent >= 0)) {
    throw new CheckpointError(
      `${what}: external data: expected ${expected} bytes for [${dims.join(", ")}], got ${length}`,
    );
  }
  return { location, offset: number("offset", 0), length };
}

/** Real path of a regular file in the folder. */
async function insideFolder(folder: string, location: string, what: string): Promise<string> {
  const refused = (why: string) => new CheckpointError(`${what}: external data in "${location}" is not read: ${why}`);
  const parts = location.split(/[\\/]/);
  if (location === "" || location.includes("\0") || isAbsolute(location) || /^([\\/]|[a-zA-Z]:)/.test(location)) {
    throw refused("expected a path within the model's folder");
  }
  if (parts.includes("..")) throw refused("it is outside the model's folder");
  try {
    const root = await realpath(folder);
    const path = await realpath(join(root, location));
    const fromRoot = relative(root, path);
    if (fromRoot.split(sep)[0] === ".." || isAbsolute(fromRoot))
      throw refused("a link points outside the model's folder");
    if (!(await lstat(path)).isFile()) throw refused("it is not a regular file");
    return path;
  } catch (error) {
    if (codeOf(error) === "") throw error;
    throw new CheckpointError(`${what}: external data in "${location}" cannot be read (${codeOf(error)})`, {
      cause: error,
    });
  }
}

async function readPart(path: string, { offset, length }: Place, what: string): Promise<Uint8Array> {
  const handle = await open(path, "r");
  try {
    const content = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await handle.read(content, done, Math.min(length - done, 1 << 30), offset + done);
      if (bytesRead === 0) throw new CheckpointError(`${what}: ${path} ends early`);
      done += bytesRead;
    }
    return content;
  } finally {
    await handle.close();
  }
}
