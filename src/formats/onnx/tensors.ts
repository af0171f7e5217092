/** The values of ONNX tensors. */
import { CheckpointError, UnsupportedError } from "../../errors.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { asFloats } from "../values.ts";
import { dataLocations, dataTypes, type TensorMessage } from "./messages.ts";

/** The bytes of a tensor that lie in a file beside the model. */
export type ExternalBytes = ReadonlyMap<TensorMessage, Uint8Array>;

export interface OnnxTensor {
  readonly shape: Shape;
  /** In f32: a view of the file if it can be. Throws UnsupportedError if the tensor is of another type. */
  floats(): Float32Array;
  /** Whole numbers, at most as many as a shape has. */
  integers(): readonly number[];
}

const MOST_INTEGERS = 16;

/** Throws CheckpointError if the extents are none. Values are checked when they are asked for. */
export function tensorOf(message: TensorMessage, external: ExternalBytes, origin: string): OnnxTensor {
  const what = `${origin}: tensor "${message.name ?? ""}"`;
  const shape = message.dims;
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0) || !Number.isSafeInteger(sizeOf(shape))) {
    throw new CheckpointError(`${what}: extents [${shape.join(", ")}]`);
  }
  return {
    shape,
    floats() {
      requireType(message, ["FLOAT"], what);
      if (sizeOf(shape) === 0) throw new UnsupportedError(`${what}: it is empty`);
      return asFloats(bytesOf(message, external, 4 * sizeOf(shape), message.floatData, what));
    },
    integers() {
      requireType(message, ["INT64", "BOOL"], what);
      if (sizeOf(shape) > MOST_INTEGERS) throw new UnsupportedError(`${what}: ${sizeOf(shape)} whole numbers`);
      return integersOf(message, external, sizeOf(shape), what);
    },
  };
}

function requireType({ dataType }: TensorMessage, allowed: readonly (keyof typeof dataTypes)[], what: string): void {
  if (allowed.some((type) => dataTypes[type] === dataType)) return;
  const got = Object.entries(dataTypes).find(([, value]) => value === dataType)?.[0] ?? `type ${dataType}`;
  throw new UnsupportedError(`${what}: data type ${got}, expected ${allowed[0]}; convert the model to float32`);
}

/** The one place that the values lie in. */
function bytesOf(
  message: TensorMessage,
  external: ExternalBytes,
  expected: number,
  packed: readonly Uint8Array[],
  what: string,
): Uint8Array {
  if (message.segment !== undefined) throw new UnsupportedError(`${what}: it is in segments`);
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
  const isBool = message.dataType === dataTypes.BOOL;
  const inFields = isBool ? message.int32Data : message.int64Data;
  if (message.rawData === undefined && message.dataLocation !== dataLocations.EXTERNAL) {
    if (inFields.length !== count)
      throw new CheckpointError(`${what}: expected ${count} numbers, got ${inFields.length}`);
    return inFields;
  }
  const size = isBool ? 1 : 8;
  const content = Buffer.from(bytesOf(message, external, size * count, [], what));
  return Array.from({ length: count }, (_, i) =>
    isBool ? content.readUInt8(i) : Number(content.readBigInt64LE(8 * i)),
  );
}
