/** Files damaged at random, the same each time. */
import { fillWords, randomStream } from "../src/random.ts";

/** `count` damaged copies of a file: bytes changed, cut out, repeated, moved, or the end cut off. */
export function* mutations(file: Uint8Array, count: number, purpose: string): Generator<Uint8Array> {
  const bytes = new Uint8Array(file);
  const words = new Uint32Array(8);
  const stream = randomStream(11, `mutations:${purpose}`);
  for (let i = 0; i < count; i++) {
    fillWords(stream, i * words.length, words);
    const [kind = 0, where = 0, length = 0, value = 0, more = 0, other = 0] = words;
    // The structure of a file is in a small part of it: half of the changes are made near its beginning.
    const reach = other % 2 === 0 ? bytes.length : Math.min(bytes.length, 2048);
    yield damages[kind % damages.length]?.(bytes, where % reach, 1 + (length % 64), value, more % reach) ?? bytes;
  }
}

type Damage = (bytes: Uint8Array, at: number, length: number, value: number, other: number) => Uint8Array;

const damages: readonly Damage[] = [
  (bytes, at, _length, value) => bytes.with(at, value & 0xff),
  (bytes, at, _length, value) => bytes.with(at, (bytes[at] as number) ^ (1 << (value & 7))),
  (bytes, at, length, value) => bytes.slice().fill(value & 1 ? 0xff : value & 0xff, at, at + length),
  (bytes, at, length) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]),
  (bytes, at, length) => Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]),
  (bytes, at, length, _value, other) => bytes.slice().copyWithin(other, at, at + length),
  (bytes, at) => bytes.slice(0, at),
];
