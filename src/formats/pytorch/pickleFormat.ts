/** Values that the pickle reader produces, and names of the opcodes it refuses. */
import type { Dtype } from "../../checkpoint/dtypes.ts";

/** What a pickle can be here: data and nothing else. Whole numbers beyond 2^53 are bigints. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleSequence
  | PickleDict
  | PickleGlobal
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

/** A name of Python's that is on the list of those allowed, and what stands for it. */
export interface PickleGlobal {
  readonly type: "global";
  readonly name: string;
  /** Makes data of arguments. Throws Error saying what it expected. */
  readonly call?: (args: readonly PickleValue[]) => PickleValue;
  /** Of a kind of storage. */
  readonly dtype?: Dtype;
}

/** Values in a row, which lie somewhere else in the file. */
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

/** A storage's bytes, wherever they lie. */
export interface StorageReader {
  /** Throws DataError if they are damaged. */
  read(into?: Uint8Array): Promise<Uint8Array>;
}

/** For messages: what a value is, in Python's words. */
export function describeValue(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (typeof value !== "object") return typeof value === "string" ? `"${value.slice(0, 40)}"` : String(value);
  return value.type === "global" ? value.name : `a ${value.type}`;
}

/** Python's pickle instructions that are not read, by their codes: a refusal says which it was. Source: CPython, Lib/pickletools.py. */
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
