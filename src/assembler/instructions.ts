/** WebAssembly instructions as typed expressions: an expression is its code; a local variable is an expression that reads it. */
import { bytesOfNumber, memoryArgument, signed, simd, typeCodes, unsigned, type ValueType } from "./encoding.ts";

/** Code that leaves one value. */
export interface Expr<T extends ValueType = ValueType> {
  readonly type: T;
  readonly code: readonly number[];
}

/** A local variable. */
export interface Local<T extends ValueType = ValueType> extends Expr<T> {
  readonly index: number;
}

/** An i32, or a constant. */
export type I32 = Expr<"i32"> | number;
export type V128 = Expr<"v128">;
export type F32 = Expr<"f32">;
export type F64 = Expr<"f64">;

/** A constant i32. */
export function int(value: I32): Expr<"i32"> {
  return typeof value === "number" ? { type: "i32", code: [0x41, ...signed(value)] } : value;
}

/** A constant f64. */
export const double = (value: number): F64 => ({ type: "f64", code: [0x44, ...bytesOfNumber(value, 8)] });

/** Four equal f32. */
export const vector = (value: number): V128 => simdConstant([0, 1, 2, 3].flatMap(() => bytesOfNumber(value, 4)));

/** Four equal i32. */
export function intVector(value: number): V128 {
  const bytes = [value, value >> 8, value >> 16, value >> 24].map((byte) => byte & 0xff);
  return simdConstant([0, 1, 2, 3].flatMap(() => bytes));
}

const simdConstant = (bytes: readonly number[]): V128 => ({ type: "v128", code: [0xfd, 12, ...bytes] });

const binaryI32 =
  (opcode: number) =>
  (a: I32, b: I32): Expr<"i32"> => ({ type: "i32", code: [...int(a).code, ...int(b).code, opcode] });

/** Instructions on i32; comparisons and division are signed, except where named otherwise. */
export const i32 = {
  add: binaryI32(0x6a),
  sub: binaryI32(0x6b),
  mul: binaryI32(0x6c),
  div: binaryI32(0x6d),
  rem: binaryI32(0x6f),
  and: binaryI32(0x71),
  or: binaryI32(0x72),
  xor: binaryI32(0x73),
  shiftLeft: binaryI32(0x74),
  /** Unsigned. */
  shiftRight: binaryI32(0x76),
  rotateLeft: binaryI32(0x77),
  eq: binaryI32(0x46),
  ne: binaryI32(0x47),
  lt: binaryI32(0x48),
  /** Less, of addresses: unsigned. */
  below: binaryI32(0x49),
  not: (a: I32): Expr<"i32"> => ({ type: "i32", code: [...int(a).code, 0x45] }),
};

/** Sum of several i32. */
export const sum = (first: I32, ...rest: readonly I32[]): Expr<"i32"> =>
  rest.reduce<Expr<"i32">>((total, term) => i32.add(total, term), int(first));

/** `whenTrue` if the condition is not 0. Both are computed. */
export function select<T extends ValueType>(condition: I32, whenTrue: Expr<T>, whenFalse: Expr<T>): Expr<T> {
  const code = [...whenTrue.code, ...whenFalse.code, ...int(condition).code];
  const { type } = whenTrue;
  return { type, code: type === "v128" ? [...code, 0x1c, 1, typeCodes[type]] : [...code, 0x1b] };
}

const unary =
  <A extends ValueType, R extends ValueType>(type: R, ...opcode: readonly number[]) =>
  (a: Expr<A>): Expr<R> => ({ type, code: [...a.code, ...opcode] });

const binary =
  <A extends ValueType, R extends ValueType>(type: R, ...opcode: readonly number[]) =>
  (a: Expr<A>, b: Expr<A>): Expr<R> => ({ type, code: [...a.code, ...b.code, ...opcode] });

const unaryVector = (opcode: number) => unary<"v128", "v128">("v128", ...simd(opcode));
const binaryVector = (opcode: number) => binary<"v128", "v128">("v128", ...simd(opcode));

export const f32 = { mul: binary<"f32", "f32">("f32", 0x94) };

export const f64 = {
  add: binary<"f64", "f64">("f64", 0xa0),
  sub: binary<"f64", "f64">("f64", 0xa1),
  fromF32: unary<"f32", "f64">("f64", 0xbb),
  toF32: unary<"f64", "f32">("f32", 0xb6),
};

/** Instructions on four f32. */
export const f32x4 = {
  add: binaryVector(228),
  sub: binaryVector(229),
  mul: binaryVector(230),
  div: binaryVector(231),
  min: binaryVector(232),
  max: binaryVector(233),
  gt: binaryVector(68),
  sqrt: unaryVector(227),
  nearest: unaryVector(106),
  splat: unary<"f32", "v128">("v128", ...simd(19)),
  toInt: unaryVector(248),
  /** Of four signed i32. */
  fromInt: unaryVector(250),
  lane: (a: V128, index: number): F32 => ({ type: "f32", code: [...a.code, ...simd(31), index] }),
  withLane: (a: V128, index: number, value: F32): V128 => ({
    type: "v128",
    code: [...a.code, ...value.code, ...simd(32), index],
  }),
};

/** Instructions on four i32, on two f64 and on bits. */
export const i32x4 = {
  add: binaryVector(174),
  mul: binaryVector(181),
  eq: binaryVector(55),
  /** Signed. */
  shiftRight: (a: V128, by: I32): V128 => ({ type: "v128", code: [...a.code, ...int(by).code, ...simd(172)] }),
  splat: (a: I32): V128 => ({ type: "v128", code: [...int(a).code, ...simd(17)] }),
  shiftLeft: (a: V128, by: I32): V128 => ({ type: "v128", code: [...a.code, ...int(by).code, ...simd(171)] }),
};
/** Eight bits and sixteen, unsigned, to the next larger type: of the lower half, and of the upper one. */
export const widen = {
  lowBytes: unaryVector(137),
  highBytes: unaryVector(138),
  lowWords: unaryVector(169),
  highWords: unaryVector(170),
};
/** The values of two vectors, limited to those of the next smaller type: i32 to signed 16 bits, these to unsigned 8 bits. */
export const narrow = { toWords: binaryVector(134), toBytes: binaryVector(102) };
export const f64x2 = {
  add: binaryVector(240),
  mul: binaryVector(242),
  /** The lower two of four f32. */
  promoteLow: unaryVector(95),
  lane: (a: V128, index: number): F64 => ({ type: "f64", code: [...a.code, ...simd(33), index] }),
};
export const v128 = {
  and: binaryVector(78),
  /** Bits of `a` where `mask` is set, otherwise of `b`. */
  select: (a: V128, b: V128, mask: V128): V128 => ({
    type: "v128",
    code: [...a.code, ...b.code, ...mask.code, ...simd(82)],
  }),
  /** Four lanes of the eight of a and b, by their numbers. */
  shuffle: (a: V128, b: V128, lanes: readonly number[]): V128 => ({
    type: "v128",
    code: [
      ...a.code,
      ...b.code,
      ...simd(13),
      ...lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]),
    ],
  }),
};

/** a · b + c, rounded once or twice as the processor does it. Relaxed SIMD. */
export const relaxedMultiplyAdd = (a: V128, b: V128, c: V128): V128 => ({
  type: "v128",
  code: [...a.code, ...b.code, ...c.code, ...simd(0x105)],
});

const loadOf =
  <T extends ValueType>(type: T, alignment: number, ...opcode: readonly number[]) =>
  (address: I32, offset = 0): Expr<T> => ({
    type,
    code: [...int(address).code, ...opcode, ...memoryArgument(alignment, offset)],
  });

/** Loads from memory at address + offset. */
export const load = {
  i32: loadOf("i32", 2, 0x28),
  f32: loadOf("f32", 2, 0x2a),
  f64: loadOf("f64", 3, 0x2b),
  v128: loadOf("v128", 2, ...simd(0)),
  /** One f32 or i32, four times. */
  splat: loadOf("v128", 2, ...simd(9)),
  /** Four bytes; the others are 0. */
  lowest: loadOf("v128", 0, ...simd(92)),
  atomic: loadOf("i32", 2, 0xfe, 0x10),
};

/** A function that can be called. */
export interface Callable<R extends ValueType | undefined = ValueType | undefined> {
  readonly index: number;
  readonly result: R;
}

/** A call that leaves a value. */
export function call<R extends ValueType>(target: Callable<R>, ...args: readonly (Expr | number)[]): Expr<R> {
  return { type: target.result, code: callCode(target, args) };
}

/** Code of a call: its arguments, then the instruction. */
export function callCode({ index }: Callable, args: readonly (Expr | number)[]): readonly number[] {
  return [...args.flatMap((arg) => (typeof arg === "number" ? int(arg).code : arg.code)), 0x10, ...unsigned(index)];
}
