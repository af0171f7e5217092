/** Binary encoding of WebAssembly: types, numbers, prefixes. Source: WebAssembly Core Specification 3.0, chapter 5 (binary format). */

/** Types of values. */
export type ValueType = "i32" | "f32" | "f64" | "v128";

/** Codes of the types. */
export const typeCodes: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

/** Signed LEB128 of a 32-bit number. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** A floating-point number, lowest byte first. */
export function bytesOfNumber(value: number, size: 4 | 8): number[] {
  const view = new DataView(new ArrayBuffer(size));
  if (size === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return [...new Uint8Array(view.buffer)];
}

/** An instruction of SIMD: its number as LEB128 after the prefix. */
export const simd = (opcode: number): readonly number[] => [0xfd, ...unsigned(opcode)];

/** Alignment, as a power of two, and offset of an access to memory. */
export const memoryArgument = (alignment: number, offset: number): readonly number[] => [
  alignment,
  ...unsigned(offset),
];
