/** Values that the pickle reader produces, and names of refused opcodes. */
import type { Dtype } from "../../checkpoint/dtypes.ts";

/** A pickled value: data only. Integers beyond 2^53 are bigints. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleSequence
  | PickleDict
  | PickleGlobal
  | PickleOpaque
  | PickledStorage
  | PickledTensor;

export type PickleKey = string | number | bigint | boolean | null;

export interface PickleSequence {
  readonly type: "list" | "tuple";
  readonly items: PickleValue[];
}

export interface PickleDict {
  readonly type: "dict";
  readonly items: Map<PickleKey, PickleValue>;
}

/** An object whose contents are skipped. */
export interface PickleOpaque {
  readonly type: "opaque";
  readonly name: string;
}

/** An allowed Python name and its meaning. */
export interface PickleGlobal {
  readonly type: "global";
  readonly name: string;
  /** Builds data from arguments. Throws Error with what it expected. */
  readonly call?: (args: readonly PickleValue[]) => PickleValue;
  /** Element type, for a storage class. */
  readonly dtype?: Dtype;
}

/** A contiguous array of values elsewhere in the file. */
export interface PickledStorage {
  readonly type: "storage";
  readonly key: string;
  readonly dtype: Dtype;
  /** Number of values. */
  readonly length: number;
}

/** A view of a storage. Offset and strides count values. */
export interface PickledTensor {
  readonly type: "tensor";
  readonly storage: PickledStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Returns a storage's bytes. */
export interface StorageReader {
  /** Throws DataError if they are damaged. */
  read(into?: Uint8Array): Promise<Uint8Array>;
}

/** Describes a value in Python's terms, for messages. */
export function describeValue(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (typeof value !== "object") return typeof value === "string" ? `"${value.slice(0, 40)}"` : String(value);
  return value.type === "global" || value.type === "opaque" ? value.name : `a ${value.type}`;
}

/** Names of pickle instructions that are not read, by opcode, for messages. Source: CPython, Lib/pickletools.py. */
export const opcodeNames: ReadonlyMap<number, string> = new Map([
  [0x30, "POP"],
  [0x31, "POP_MARK"],
  [0x32, "DUP"],
  [0x42, "BINBYTES"],
  [0x43, "SHORT_BINBYTES"],
  [0x46, "FLOAT"],
  [0x49, "INT"],
  [0x4c, "LONG"],
  [0x50, "PERSID"],
  [0x53, "STRING"],
  [0x54, "BINSTRING"],
  [0x56, "UNICODE"],
  [0x64, "DICT"],
  [0x67, "GET"],
  [0x69, "INST"],
  [0x6c, "LIST"],
  [0x6f, "OBJ"],
  [0x70, "PUT"],
  [0x82, "EXT1"],
  [0x83, "EXT2"],
  [0x84, "EXT4"],
  [0x8b, "LONG4"],
  [0x8d, "BINUNICODE8"],
  [0x8e, "BINBYTES8"],
  [0x8f, "EMPTY_SET"],
  [0x90, "ADDITEMS"],
  [0x91, "FROZENSET"],
  [0x92, "NEWOBJ_EX"],
  [0x96, "BYTEARRAY8"],
  [0x97, "NEXT_BUFFER"],
  [0x98, "READONLY_BUFFER"],
]);
