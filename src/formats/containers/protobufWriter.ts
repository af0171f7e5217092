/**
 * Writes protobuf messages without copying large contents: a message is a list of pieces, of which some may be read only when they are sent.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/.
 */
import { wireTypes } from "./protobufReader.ts";

/** Bytes that are there, or that will be: how many, and how they are got. */
type Piece = Uint8Array | { readonly byteLength: number; readonly read: () => Promise<Uint8Array> };

/** Part of a message, encoded. */
export interface Encoded {
  readonly byteLength: number;
  readonly pieces: readonly Piece[];
}

/** A message, in order. Throws RangeError if something is read with another length than was said. */
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

/** Several parts in a row. Small pieces side by side become one. */
export function concatenated(...parts: readonly Encoded[]): Encoded {
  const byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const pieces: Piece[] = [];
  let small: Uint8Array[] = [];
  const flush = () => {
    if (small.length > 0) pieces.push(Buffer.concat(small));
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

function encoded(bytes: Uint8Array): Encoded {
  return { byteLength: bytes.byteLength, pieces: [bytes] };
}

/** 64 bits in two's complement, seven at a time from the lowest. */
function varint(value: number | bigint): readonly number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

function tag(field: number, type: keyof typeof wireTypes): readonly number[] {
  return varint(field * 8 + wireTypes[type]);
}

/** An int32, int64, enum or bool. */
export function int(field: number, value: number): Encoded {
  return encoded(Uint8Array.from([...tag(field, "varint"), ...varint(value)]));
}

export function float(field: number, value: number): Encoded {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return encoded(Buffer.concat([Uint8Array.from(tag(field, "four")), bytes]));
}

export function text(field: number, value: string): Encoded {
  return message(field, encoded(Buffer.from(value)));
}

/** Whole numbers one after the other, in the unpacked form of proto2. */
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

/** A message within a message. */
export function message(field: number, ...parts: readonly Encoded[]): Encoded {
  const content = concatenated(...parts);
  const head = encoded(Uint8Array.from([...tag(field, "bytes"), ...varint(content.byteLength)]));
  return concatenated(head, content);
}
