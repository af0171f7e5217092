/**
 * Assembler of WebAssembly: typed expressions and structured statements in, the bytes of a module out. Over 300 lines, so that all
 * instructions are in one file.
 *
 * An expression is its code; a local variable is an expression that reads it. Statements are added to a `Body`, in order.
 *
 * Source: WebAssembly Core Specification 3.0, chapter 5 (binary format).
 */

/** Types of values. */
export type ValueType = "i32" | "f32" | "f64" | "v128";

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

const typeCodes: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
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
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** A constant i32. */
export function int(value: I32): Expr<"i32"> {
  return typeof value === "number" ? { type: "i32", code: [0x41, ...signed(value)] } : value;
}

function bytesOfNumber(value: number, size: 4 | 8): number[] {
  const view = new DataView(new ArrayBuffer(size));
  if (size === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return [...new Uint8Array(view.buffer)];
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
  ge: binaryI32(0x4e),
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

export const smaller = (a: Local<"i32">, b: I32): Expr<"i32"> => select(i32.lt(a, b), a, int(b));
export const larger = (a: Local<"i32">, b: I32): Expr<"i32"> => select(i32.lt(a, b), int(b), a);

const unary =
  <A extends ValueType, R extends ValueType>(type: R, ...opcode: readonly number[]) =>
  (a: Expr<A>): Expr<R> => ({ type, code: [...a.code, ...opcode] });

const binary =
  <A extends ValueType, R extends ValueType>(type: R, ...opcode: readonly number[]) =>
  (a: Expr<A>, b: Expr<A>): Expr<R> => ({ type, code: [...a.code, ...b.code, ...opcode] });

/** An instruction of SIMD: its number as LEB128 after the prefix. */
const simd = (opcode: number): readonly number[] => [0xfd, ...unsigned(opcode)];

export const f32 = { mul: binary<"f32", "f32">("f32", 0x94) };

export const f64 = {
  add: binary<"f64", "f64">("f64", 0xa0),
  sub: binary<"f64", "f64">("f64", 0xa1),
  fromF32: unary<"f32", "f64">("f64", 0xbb),
  toF32: unary<"f64", "f32">("f32", 0xb6),
};

/** Instructions on four f32. */
export const f32x4 = {
  add: binary<"v128", "v128">("v128", ...simd(228)),
  sub: binary<"v128", "v128">("v128", ...simd(229)),
  mul: binary<"v128", "v128">("v128", ...simd(230)),
  div: binary<"v128", "v128">("v128", ...simd(231)),
  min: binary<"v128", "v128">("v128", ...simd(232)),
  max: binary<"v128", "v128">("v128", ...simd(233)),
  /** b < a ? b : a, lane by lane. */
  pseudoMax: binary<"v128", "v128">("v128", ...simd(235)),
  gt: binary<"v128", "v128">("v128", ...simd(68)),
  sqrt: unary<"v128", "v128">("v128", ...simd(227)),
  nearest: unary<"v128", "v128">("v128", ...simd(106)),
  splat: unary<"f32", "v128">("v128", ...simd(19)),
  toInt: unary<"v128", "v128">("v128", ...simd(248)),
  lane: (a: V128, index: number): F32 => ({ type: "f32", code: [...a.code, ...simd(31), index] }),
  withLane: (a: V128, index: number, value: F32): V128 => ({
    type: "v128",
    code: [...a.code, ...value.code, ...simd(32), index],
  }),
};

/** Instructions on four i32, on two f64 and on bits. */
export const i32x4 = {
  add: binary<"v128", "v128">("v128", ...simd(174)),
  eq: binary<"v128", "v128">("v128", ...simd(55)),
  splat: (a: I32): V128 => ({ type: "v128", code: [...int(a).code, ...simd(17)] }),
  shiftLeft: (a: V128, by: I32): V128 => ({ type: "v128", code: [...a.code, ...int(by).code, ...simd(171)] }),
};
export const f64x2 = {
  add: binary<"v128", "v128">("v128", ...simd(240)),
  mul: binary<"v128", "v128">("v128", ...simd(242)),
  /** The lower two of four f32. */
  promoteLow: unary<"v128", "v128">("v128", ...simd(95)),
  lane: (a: V128, index: number): F64 => ({ type: "f64", code: [...a.code, ...simd(33), index] }),
};
export const v128 = {
  and: binary<"v128", "v128">("v128", ...simd(78)),
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

const memoryArgument = (alignment: number, offset: number): readonly number[] => [alignment, ...unsigned(offset)];

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
  /** One f32, four times. */
  splat: loadOf("v128", 2, ...simd(9)),
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

function callCode({ index }: Callable, args: readonly (Expr | number)[]): readonly number[] {
  return [...args.flatMap((arg) => (typeof arg === "number" ? int(arg).code : arg.code)), 0x10, ...unsigned(index)];
}

const EMPTY_BLOCK = 0x40;

/** The statements of a function, with its local variables. */
export class Body {
  #code: number[] = [];
  readonly #parameters: number;
  readonly #locals: ValueType[] = [];

  constructor(parameters: number) {
    this.#parameters = parameters;
  }

  /** A new local variable, with a value if given. */
  local<T extends ValueType>(type: T, value?: Expr<T>): Local<T> {
    const index = this.#parameters + this.#locals.length;
    this.#locals.push(type);
    const local: Local<T> = { type, index, code: [0x20, ...unsigned(index)] };
    if (value) this.set(local, value);
    return local;
  }

  /** A new i32 with a value. */
  i32(value: I32): Local<"i32"> {
    return this.local("i32", int(value));
  }

  set<T extends ValueType>(local: Local<T>, value: Expr<T> | (T extends "i32" ? number : never)): void {
    const code = typeof value === "number" ? int(value).code : value.code;
    this.#code.push(...code, 0x21, ...unsigned(local.index));
  }

  /** local ← local + value. */
  increase(local: Local<"i32">, by: I32): void {
    this.set(local, i32.add(local, by));
  }

  storeI32(address: I32, value: I32, offset = 0): void {
    this.#store(address, int(value), [0x36], 2, offset);
  }
  storeF32(address: I32, value: F32, offset = 0): void {
    this.#store(address, value, [0x38], 2, offset);
  }
  storeF64(address: I32, value: F64, offset = 0): void {
    this.#store(address, value, [0x39], 3, offset);
  }
  storeV128(address: I32, value: V128, offset = 0): void {
    this.#store(address, value, simd(11), 2, offset);
  }
  atomicStore(address: I32, value: I32): void {
    this.#store(address, int(value), [0xfe, 0x17], 2, 0);
  }

  #store(address: I32, value: Expr, opcode: readonly number[], alignment: number, offset: number): void {
    this.#code.push(...int(address).code, ...value.code, ...opcode, ...memoryArgument(alignment, offset));
  }

  /** Sets `bytes` bytes from `address` on to 0. */
  clear(address: I32, bytes: I32): void {
    this.#code.push(...int(address).code, ...int(0).code, ...int(bytes).code, 0xfc, 11, 0);
  }

  /** Adds to the i32 at an address; the earlier value. */
  atomicAdd(address: I32, value: I32): Expr<"i32"> {
    return { type: "i32", code: [...int(address).code, ...int(value).code, 0xfe, 0x1e, ...memoryArgument(2, 0)] };
  }

  /** Wakes the threads that wait at an address. */
  notify(address: I32): void {
    this.#code.push(...int(address).code, ...int(-1).code, 0xfe, 0x00, ...memoryArgument(2, 0), 0x1a);
  }

  /** Waits at an address while its value is `expected`. */
  wait(address: I32, expected: I32): void {
    const forever = [0x42, 0x7f];
    this.#code.push(...int(address).code, ...int(expected).code, ...forever, 0xfe, 0x01, ...memoryArgument(2, 0), 0x1a);
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.#code.push(...int(condition).code, 0x04, EMPTY_BLOCK);
    then();
    if (otherwise) {
      this.#code.push(0x05);
      otherwise();
    }
    this.#code.push(0x0b);
  }

  /** Repeats the body as long as the condition is not 0 after it. */
  repeatWhile(body: () => void, condition: () => I32): void {
    this.#code.push(0x03, EMPTY_BLOCK);
    body();
    this.#code.push(...int(condition()).code, 0x0d, 0, 0x0b);
  }

  while(condition: () => I32, body: () => void): void {
    this.if(condition(), () => this.repeatWhile(body, condition));
  }

  /** Runs the body for `counter`, from its value to below `end`, in steps. Addresses may be counters: the comparison is unsigned. */
  for(counter: Local<"i32">, end: I32, step: I32, body: () => void): void {
    this.while(
      () => i32.below(counter, end),
      () => {
        body();
        this.increase(counter, step);
      },
    );
  }

  call(target: Callable<undefined>, ...args: readonly (Expr | number)[]): void {
    this.#code.push(...callCode(target, args));
  }

  /** Calls the function at `index` of the table; its type is that of kernels, number `type` of the module. */
  callIndirect(type: number, index: I32, ...args: readonly I32[]): void {
    this.#code.push(...args.flatMap((arg) => int(arg).code), ...int(index).code, 0x11, ...unsigned(type), 0);
  }

  return(value?: Expr): void {
    this.#code.push(...(value?.code ?? []), 0x0f);
  }

  /** The function's code, as the module contains it. */
  bytes(): readonly number[] {
    const locals = this.#locals.flatMap((type) => [1, typeCodes[type]]);
    const all = [...unsigned(this.#locals.length), ...locals, ...this.#code, 0x0b];
    return [...unsigned(all.length), ...all];
  }
}

/** Local variables of given types. */
export type Locals<P extends readonly ValueType[]> = { readonly [K in keyof P]: Local<P[K] & ValueType> };

interface Signature {
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | undefined;
}

/** A module under construction. It imports a shared memory. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: (readonly number[])[] = [];
  readonly #imports: { readonly name: string; readonly type: number }[] = [];
  readonly #functions: { readonly type: number; body: readonly number[] }[] = [];
  readonly #exports: { readonly name: string; readonly index: number }[] = [];
  readonly #table: number[] = [];

  /** Number of the type of functions with these parameters. */
  type({ parameters, result }: Signature): number {
    const bytes = [
      0x60,
      parameters.length,
      ...parameters.map((type) => typeCodes[type]),
      ...(result ? [1, typeCodes[result]] : [0]),
    ];
    const known = this.#types.indexOf(bytes.join());
    if (known >= 0) return known;
    this.#typeBytes.push(bytes);
    return this.#types.push(bytes.join()) - 1;
  }

  /** A function of the host. All of them come before the first function. */
  hostFunction<R extends ValueType | undefined>(
    name: string,
    parameters: readonly ValueType[],
    result: R,
  ): Callable<R> {
    return { index: this.#imports.push({ name, type: this.type({ parameters, result }) }) - 1, result };
  }

  /** A function with its body. */
  function<const P extends readonly ValueType[], R extends ValueType | undefined>(
    parameters: P,
    result: R,
    build: (body: Body, ...locals: Locals<P>) => void,
  ): Callable<R> {
    const body = new Body(parameters.length);
    const locals = parameters.map((type, index) => ({ type, index, code: [0x20, ...unsigned(index)] }));
    build(body, ...(locals as unknown as Locals<P>));
    const type = this.type({ parameters, result });
    const index = this.#imports.length + this.#functions.push({ type, body: body.bytes() }) - 1;
    return { index, result };
  }

  export(name: string, { index }: Callable): void {
    this.#exports.push({ name, index });
  }

  /** Enters a function into the table; its number there. */
  enter({ index }: Callable): number {
    return this.#table.push(index) - 1;
  }

  /** The module. */
  bytes(): Uint8Array<ArrayBuffer> {
    const section = (id: number, entries: readonly (readonly number[])[]) => {
      const content = [...unsigned(entries.length), ...entries.flat()];
      return [id, ...unsigned(content.length), ...content];
    };
    const name = (text: string) => [...unsigned(text.length), ...[...text].map((letter) => letter.charCodeAt(0))];
    const imported = this.#imports.map((one) => [...name("host"), ...name(one.name), 0, ...unsigned(one.type)]);
    const memory = [...name("host"), ...name("memory"), 2, 3, ...unsigned(1), ...unsigned(65536)];
    const elements = this.#table.flatMap((index) => unsigned(index));
    return new Uint8Array([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, this.#typeBytes),
      ...section(2, [...imported, memory]),
      ...section(
        3,
        this.#functions.map(({ type }) => unsigned(type)),
      ),
      ...section(4, [[0x70, 0, ...unsigned(this.#table.length)]]),
      ...section(
        7,
        this.#exports.map((one) => [...name(one.name), 0, ...unsigned(one.index)]),
      ),
      ...section(9, [[0, ...int(0).code, 0x0b, ...unsigned(this.#table.length), ...elements]]),
      ...section(
        10,
        this.#functions.map(({ body }) => body),
      ),
    ]);
  }
}
