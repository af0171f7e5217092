/**
 * Protobuf messages, read by tables and written as lists of pieces, both without copying large contents. The reader is strict and skips
 * fields that are not in a table; `limits` and the file size bound its memory. Longer than other files: one wire format, one file.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/.
 */
import { CheckpointError } from "../../errors.ts";

const wireTypes = { varint: 0, eight: 1, bytes: 2, four: 5 } as const;

/** Limits on declared contents: a few bytes can declare an object, and a network has a few thousand. */
const limits = { messages: 200_000, numbers: 4_000_000, depth: 16 } as const;

type Scalar = "int" | "float" | "double" | "text" | "bytes";

/** A field: number, type, and true for `many` if it is repeated. */
export interface Field<V, Many extends boolean = boolean> {
  readonly number: number;
  readonly type: Scalar | (() => Table);
  readonly many: Many;
  /** Type-level only: the type of the value. */
  readonly value?: V;
}

export type Table = Readonly<Record<string, Field<unknown>>>;

/** Values read by a table: undefined for an absent field, a list for a repeated one. */
export type Message<T extends Table> = {
  readonly [K in keyof T]: T[K] extends Field<infer V, infer Many>
    ? Many extends true
      ? readonly V[]
      : V | undefined
    : never;
};

type Values = { int: number; float: number; double: number; text: string; bytes: Uint8Array };

/** Optional field. */
export function one<S extends Scalar>(number: number, type: S): Field<Values[S], false> {
  return { number, type, many: false };
}

/** Repeated field; numbers may be packed. */
export function many<S extends Scalar>(number: number, type: S): Field<Values[S], true> {
  return { number, type, many: true };
}

/** Collects the numbers of fields that are not in the table, for messages whose unknown fields must be reported. */
export function unknownFields(): Field<number, true> {
  return { number: 0, type: "int", many: true };
}

/** Optional message. The table is passed as a function, because tables can be recursive. */
export function oneMessage<T extends Table>(number: number, table: () => T): Field<Message<T>, false> {
  return { number, type: table, many: false };
}

export function manyMessages<T extends Table>(number: number, table: () => T): Field<Message<T>, true> {
  return { number, type: table, many: true };
}

/** Reads a message. Throws CheckpointError, beginning with `origin`, if the bytes are malformed or exceed a limit. */
export function readMessage<T extends Table>(table: T, bytes: Uint8Array, origin: string): Message<T> {
  return new Reader(bytes, origin).message(table, bytes.byteLength, 0) as Message<T>;
}

/** Position in a file, and counts for the limits. */
class Reader {
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly origin: string;
  private position = 0;
  private messages = 0;
  private numbers = 0;

  constructor(bytes: Uint8Array, origin: string) {
    this.bytes = bytes;
    this.origin = origin;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  message(table: Table, end: number, depth: number): object {
    if (++this.messages > limits.messages) throw this.error(`more than ${limits.messages} messages`);
    if (depth > limits.depth) throw this.error(`messages nested more than ${limits.depth} deep`);
    const fields = new Map(Object.entries(table).map(([name, field]) => [field.number, { name, ...field }]));
    const result: Record<string, unknown> = {};
    for (const [name, { many }] of Object.entries(table)) result[name] = many ? [] : undefined;
    while (this.position < end) {
      const tag = this.varint(end);
      const [number, wireType] = [Math.floor(tag / 8), tag % 8];
      if (number === 0) throw this.error("field number 0");
      const field = fields.get(number);
      if (!field) {
        this.skip(wireType, end);
        const unknown = fields.get(0);
        if (unknown) this.count(result[unknown.name] as unknown[], number);
        continue;
      }
      const { name, many, type } = field;
      if (many) this.append(result[name] as unknown[], type, wireType, end, depth);
      else if (result[name] !== undefined) throw this.error(`${name}: expected one value, got a second`);
      else result[name] = this.value(type, wireType, end, depth);
    }
    return result;
  }

  private append(list: unknown[], type: Scalar | (() => Table), wireType: number, end: number, depth: number): void {
    const isNumber = type === "int" || type === "float" || type === "double";
    const limit = isNumber && wireType === wireTypes.bytes ? this.lengthUpTo(end) : undefined;
    const add = (wire: number, to: number) => {
      const value = this.value(type, wire, to, depth);
      if (isNumber) this.count(list, value);
      else list.push(value);
    };
    if (limit === undefined) add(wireType, end);
    while (limit !== undefined && this.position < limit) add(packedType[type as keyof typeof packedType], limit);
  }

  private count(list: unknown[], number: unknown): void {
    if (++this.numbers > limits.numbers) throw this.error(`more than ${limits.numbers} numbers in lists`);
    list.push(number);
  }

  private value(type: Scalar | (() => Table), wireType: number, end: number, depth: number): unknown {
    if (wireType !== (typeof type === "string" ? scalarTypes[type] : wireTypes.bytes)) {
      throw this.error(`unexpected wire type ${wireType}`);
    }
    if (type === "int") return this.int64(end);
    if (type === "float") return this.view.getFloat32(this.take(4, end), true);
    if (type === "double") return this.view.getFloat64(this.take(8, end), true);
    const length = this.lengthUpTo(end) - this.position;
    if (typeof type === "function") return this.message(type(), this.position + length, depth + 1);
    const start = this.take(length, end);
    const content = this.bytes.subarray(start, start + length);
    return type === "bytes" ? content : this.text(content);
  }

  private text(content: Uint8Array): string {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(content);
    } catch (cause) {
      throw this.error("text that is not UTF-8", { cause });
    }
  }

  private skip(wireType: number, end: number): void {
    if (wireType === wireTypes.varint) this.int64(end);
    else if (wireType === wireTypes.eight) this.take(8, end);
    else if (wireType === wireTypes.four) this.take(4, end);
    else if (wireType === wireTypes.bytes) this.take(this.lengthUpTo(end) - this.position, end);
    else throw this.error(`unknown wire type ${wireType}`);
  }

  /** Reads a length; returns the end position of its contents. */
  private lengthUpTo(end: number): number {
    const length = this.varint(end);
    if (length > end - this.position) throw this.error(`expected ${length} bytes, got ${end - this.position}`);
    return this.position + length;
  }

  private take(length: number, end: number): number {
    if (length > end - this.position) throw this.error(`expected ${length} bytes, got ${end - this.position}`);
    const start = this.position;
    this.position += length;
    return start;
  }

  /** Reads a tag or length of at most 32 bits. */
  private varint(end: number): number {
    const value = this.int64(end);
    if (value < 0 || value > 0xffff_ffff) throw this.error(`expected a number of 32 bits, got ${value}`);
    return value;
  }

  /** Signed integer; beyond 2^53 the nearest representable number. */
  private int64(end: number): number {
    let low = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.bytes[this.take(1, end)] as number;
      if (i === 9) return this.negative(end);
      low += (byte & 0x7f) * factor;
      factor *= 0x80;
      if (byte < 0x80) return low;
    }
    throw this.error("a number of more than 64 bits");
  }

  /** The ten bytes before the position as a number with the sign in the last bit. */
  private negative(end: number): number {
    let value = 0n;
    const start = this.position - 10;
    for (let i = 9; i >= 0; i--) value = (value << 7n) | BigInt((this.bytes[start + i] as number) & 0x7f);
    if ((this.bytes[start + 9] as number) > 1 || this.position > end) throw this.error("a number of more than 64 bits");
    return Number(BigInt.asIntN(64, value));
  }

  private error(what: string, options?: ErrorOptions): CheckpointError {
    return new CheckpointError(
      `${this.origin}: damaged, or of another format: ${what} (at byte ${this.position})`,
      options,
    );
  }
}

const scalarTypes: Readonly<Record<Scalar, number>> = {
  int: wireTypes.varint,
  float: wireTypes.four,
  double: wireTypes.eight,
  text: wireTypes.bytes,
  bytes: wireTypes.bytes,
};

const packedType = { int: wireTypes.varint, float: wireTypes.four, double: wireTypes.eight } as const;

/** Bytes available now, or a length and a function that reads them later. */
type Piece = Uint8Array | { readonly byteLength: number; readonly read: () => Promise<Uint8Array> };

/** Encoded part of a message. */
export interface Encoded {
  readonly byteLength: number;
  readonly pieces: readonly Piece[];
}

/** An encoded message as pieces in order. Throws RangeError if a piece's length differs from the declared one. */
export async function* chunksOf({ pieces }: Encoded): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) {
      yield piece;
      continue;
    }
    const bytes = await piece.read();
    if (bytes.byteLength !== piece.byteLength) {
      throw new RangeError(`protobuf: expected ${piece.byteLength} bytes, got ${bytes.byteLength}`);
    }
    yield bytes;
  }
}

/** Concatenates parts; adjacent small pieces are merged. */
export function concatenated(...parts: readonly Encoded[]): Encoded {
  const byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const pieces: Piece[] = [];
  let small: Uint8Array[] = [];
  const flush = () => {
    if (small.length > 0) pieces.push(joined(small));
    small = [];
  };
  for (const piece of parts.flatMap((part) => part.pieces)) {
    if (piece instanceof Uint8Array && piece.byteLength < 4096) small.push(piece);
    else {
      flush();
      pieces.push(piece);
    }
  }
  flush();
  return { byteLength, pieces };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let end = 0;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.byteLength;
  }
  return bytes;
}

function encoded(bytes: Uint8Array): Encoded {
  return { byteLength: bytes.byteLength, pieces: [bytes] };
}

/** 64-bit two's complement, seven bits at a time, lowest first. */
function varint(value: number | bigint): readonly number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

function tag(field: number, type: keyof typeof wireTypes): readonly number[] {
  return varint(field * 8 + wireTypes[type]);
}

/** Encodes an int32, int64, enum or bool. */
export function int(field: number, value: number): Encoded {
  return encoded(Uint8Array.from([...tag(field, "varint"), ...varint(value)]));
}

export function float(field: number, value: number): Encoded {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return encoded(joined([Uint8Array.from(tag(field, "four")), bytes]));
}

export function text(field: number, value: string): Encoded {
  return message(field, encoded(new TextEncoder().encode(value)));
}

/** Encodes repeated integers in proto2's unpacked form. */
export function ints(field: number, values: readonly number[]): Encoded {
  return concatenated(...values.map((value) => int(field, value)));
}

export function bytes(field: number, content: Uint8Array): Encoded {
  return message(field, encoded(content));
}

/** Bytes that are read when they are sent. */
export function laterBytes(field: number, byteLength: number, read: () => Promise<Uint8Array>): Encoded {
  return message(field, { byteLength, pieces: [{ byteLength, read }] });
}

/** Encodes a nested message. */
export function message(field: number, ...parts: readonly Encoded[]): Encoded {
  const content = concatenated(...parts);
  const head = encoded(Uint8Array.from([...tag(field, "bytes"), ...varint(content.byteLength)]));
  return concatenated(head, content);
}
