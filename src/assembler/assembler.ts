/** Assembler of WebAssembly: expressions and structured statements in, the bytes of a module out. Statements are added to a `Body`, in order. */
import { memoryArgument, simd, typeCodes, unsigned, type ValueType } from "./encoding.ts";
import {
  type Callable,
  callCode,
  type Expr,
  type F32,
  type F64,
  type I32,
  i32,
  int,
  type Local,
  type V128,
} from "./instructions.ts";

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
  /** Stores the first four bytes of a vector. */
  storeLowest(address: I32, value: V128, offset = 0): void {
    this.#code.push(...int(address).code, ...value.code, ...simd(90), ...memoryArgument(0, offset), 0);
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

/** A module under construction. It imports a memory, which the threads of a shared one have in common. */
export class ModuleBuilder {
  readonly #isShared: boolean;
  readonly #types: string[] = [];
  readonly #typeBytes: (readonly number[])[] = [];
  readonly #imports: { readonly name: string; readonly type: number }[] = [];
  readonly #functions: { readonly type: number; body: readonly number[] }[] = [];
  readonly #exports: { readonly name: string; readonly index: number }[] = [];
  readonly #table: number[] = [];

  constructor({ isShared = true }: { readonly isShared?: boolean } = {}) {
    this.#isShared = isShared;
  }

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
    const limits = this.#isShared ? [3, ...unsigned(1), ...unsigned(65536)] : [0, ...unsigned(1)];
    const memory = [...name("host"), ...name("memory"), 2, ...limits];
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
