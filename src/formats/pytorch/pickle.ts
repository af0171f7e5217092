/**
 * Reads Python pickles as data. A pickle is a program for a stack machine; this reader implements the instructions that build data, and a
 * list of allowed names. It never calls Python code, and refuses everything else by name.
 *
 * Source: CPython, Lib/pickletools.py. Longer than other files: one table of all instructions.
 */
import { DataError, messageOf } from "../../errors.ts";
import {
  describeValue,
  opcodeNames,
  type PickleDict,
  type PickleGlobal,
  type PickleKey,
  type PickleValue,
} from "./pickleFormat.ts";

/** Names that a pickle may use, and resolution of its persistent references. */
export interface PickleHost {
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Throws Error with what it expected. */
  persistent(id: PickleValue): PickleValue;
}

export interface Unpickled {
  readonly value: PickleValue;
  /** End offset of the pickle. */
  readonly end: number;
}

/** Maximum number of instructions. A checkpoint of 16 tensors has a few thousand; each allocates at most an empty dict, about 200 bytes. */
const MAX_INSTRUCTIONS = 250_000;
const MAX_STACK = 100_000;
/** Maximum nesting of open marks. */
const MAX_MARKS = 1000;
/** Maximum bytes of an integer; PyTorch's magic number has 10. */
const MAX_INTEGER_BYTES = 16;
const MAX_NAME = 256;
const HIGHEST_PROTOCOL = 5;

/**
 * Reads the pickle that begins at `start`.
 *
 * Throws DataError with the forbidden instruction or name, the exceeded limit, or the position of malformed data.
 */
export function unpickle(path: string, bytes: Uint8Array, host: PickleHost, start = 0): Unpickled {
  const machine = new Machine(bytes, host, start);
  try {
    for (let count = 0; count < MAX_INSTRUCTIONS; count++) {
      const code = machine.byte();
      const instruction = instructions.get(code);
      if (instruction) instruction(machine);
      else if (code === STOP) return { value: machine.finish(), end: machine.at };
      else throw new Error(refusal(code));
    }
    throw new Error(`more than ${MAX_INSTRUCTIONS} instructions`);
  } catch (cause) {
    throw new DataError(`${path}: unreadable pickle: ${messageOf(cause)} (at byte ${machine.at})`, { cause });
  }
}

function refusal(code: number): string {
  const name = opcodeNames.get(code);
  return name ? `${name} is not an instruction for tensors; refused` : `unknown instruction ${code}`;
}

class Machine {
  at: number;
  readonly host: PickleHost;
  readonly memo = new Map<number, PickleValue>();
  readonly #bytes: Buffer;
  readonly #stack: PickleValue[] = [];
  readonly #marks: number[] = [];

  constructor(bytes: Uint8Array, host: PickleHost, start: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.host = host;
    this.at = start;
  }

  take(length: number): Buffer {
    if (length > this.#bytes.length - this.at) throw new Error("it ends early");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
  byte(): number {
    return this.take(1)[0] as number;
  }
  uint32(): number {
    return this.take(4).readUInt32LE();
  }
  line(): string {
    const end = this.#bytes.subarray(0, this.at + MAX_NAME).indexOf(0x0a, this.at);
    if (end < 0) throw new Error(`a name of more than ${MAX_NAME} bytes, or unterminated`);
    const text = this.text(end - this.at);
    this.at++;
    return text;
  }
  text(length: number): string {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.take(length));
  }

  push(value: PickleValue): void {
    if (this.#stack.length >= MAX_STACK) throw new Error(`more than ${MAX_STACK} values on its stack`);
    this.#stack.push(value);
  }
  pop(): PickleValue {
    this.#checkDepth();
    return this.#stack.pop() as PickleValue;
  }
  top(): PickleValue {
    this.#checkDepth();
    return this.#stack.at(-1) as PickleValue;
  }
  mark(): void {
    if (this.#marks.length >= MAX_MARKS) throw new Error(`more than ${MAX_MARKS} levels`);
    this.#marks.push(this.#stack.length);
  }
  popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new Error("an end without a mark");
    return this.#stack.splice(mark);
  }
  finish(): PickleValue {
    const value = this.pop();
    if (this.#stack.length > 0 || this.#marks.length > 0) throw new Error("it stops early");
    return value;
  }
  /** Requires a value above the last mark; values below it are not accessible. */
  #checkDepth(): void {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new Error("a value is missing");
  }
}

type Instruction = (machine: Machine) => void;

const STOP = 0x2e;

function pushing(read: (machine: Machine) => PickleValue): Instruction {
  return (machine) => machine.push(read(machine));
}

function tupleOf(count: number): Instruction {
  return pushing((machine) => {
    const items: PickleValue[] = [];
    for (let i = 0; i < count; i++) items.unshift(machine.pop());
    return { type: "tuple", items };
  });
}

function remember(machine: Machine, place: number): void {
  machine.memo.set(place, machine.top());
}

function recall(machine: Machine, place: number): PickleValue {
  const value = machine.memo.get(place);
  if (value === undefined) throw new Error(`memo ${place} is empty`);
  return value;
}

function findGlobal(machine: Machine, module: string, member: string): PickleGlobal {
  const name = `${module}.${member}`;
  const found = machine.host.globals.get(name);
  if (found) return found;
  const known = [...machine.host.globals.keys()].filter(
    (each) => /^(?:torch|collections\.Ordered)/.test(each) && !each.endsWith("Storage"),
  );
  throw new Error(
    `refused ${JSON.stringify(name)} (allowed: ${known.join(", ")} and storages); none of its code was run. ` +
      "In Python, save the weights alone: torch.save(model.state_dict(), FILE)",
  );
}

function readInteger(machine: Machine, length: number): number | bigint {
  if (length > MAX_INTEGER_BYTES) throw new Error(`a whole number of ${length} bytes`);
  const bytes = machine.take(length);
  let value = 0n;
  for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
  const signed = BigInt.asIntN(8 * length, value);
  return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
}

function appendTo(machine: Machine, items: readonly PickleValue[]): void {
  const list = machine.top();
  if (isOpaque(list)) return;
  if (list === null || typeof list !== "object" || list.type !== "list") {
    throw new Error(`expected a list to append to, got ${describeValue(list)}`);
  }
  for (const item of items) list.items.push(item);
}

function setIn(machine: Machine, items: readonly PickleValue[]): void {
  if (isOpaque(machine.top())) return;
  const dict = asDict(machine.top());
  if (items.length % 2 !== 0) throw new Error("a key without a value");
  for (let i = 0; i < items.length; i += 2) dict.items.set(asKey(items[i]), items[i + 1] as PickleValue);
}

function asDict(value: PickleValue): PickleDict {
  if (value !== null && typeof value === "object" && value.type === "dict") return value;
  throw new Error(`expected a dict, got ${describeValue(value)}`);
}

/** Dict keys are text or numbers. Dicts of tensors never have other keys, such as tuples. */
export function asKey(value: PickleValue | undefined): PickleKey {
  if (value === null || (value !== undefined && typeof value !== "object")) return value;
  throw new Error(`expected text or a number as a dict's key, got ${describeValue(value)}`);
}

function reduce(machine: Machine): PickleValue {
  const args = machine.pop();
  const callee = machine.pop();
  const isGlobal = callee !== null && typeof callee === "object" && callee.type === "global";
  if (!isGlobal || !callee.call) throw new Error(`${describeValue(callee)} cannot be called`);
  if (args === null || typeof args !== "object" || args.type !== "tuple") {
    throw new Error(`${callee.name}: expected a tuple of arguments, got ${describeValue(args)}`);
  }
  return callee.call(args.items);
}

function globalByName(machine: Machine): PickleGlobal {
  const member = machine.pop();
  const module = machine.pop();
  if (typeof module === "string" && typeof member === "string") return findGlobal(machine, module, member);
  throw new Error("expected two names");
}

function isOpaque(value: PickleValue): boolean {
  return typeof value === "object" && value?.type === "opaque";
}

/** Ignores attributes, such as a state dict's version numbers or a parameter's requires_grad. */
function build(machine: Machine): void {
  const state = machine.pop();
  const owner = machine.top();
  const [stateType, ownerType] = [state, owner].map((value) => (typeof value === "object" ? value?.type : undefined));
  if (ownerType === "opaque" || (ownerType === "dict" && stateType === "dict")) return;
  if (ownerType === "tensor" && stateType === "tuple") return;
  throw new Error(`${describeValue(state)} as the attributes of ${describeValue(owner)}`);
}

const instructions: ReadonlyMap<number, Instruction> = new Map<number, Instruction>([
  [
    0x80, // PROTO
    (machine) => {
      const protocol = machine.byte();
      if (protocol > HIGHEST_PROTOCOL) throw new Error(`protocol ${protocol}, expected up to ${HIGHEST_PROTOCOL}`);
    },
  ],
  [0x95, (machine) => void machine.take(8)], // FRAME: how much a reader may read ahead
  [0x28, (machine) => machine.mark()], // MARK
  [0x4e, pushing(() => null)], // NONE
  [0x88, pushing(() => true)], // NEWTRUE
  [0x89, pushing(() => false)], // NEWFALSE
  [0x4a, pushing((machine) => machine.take(4).readInt32LE())], // BININT
  [0x4b, pushing((machine) => machine.byte())], // BININT1
  [0x4d, pushing((machine) => machine.take(2).readUInt16LE())], // BININT2
  [0x8a, pushing((machine) => readInteger(machine, machine.byte()))], // LONG1
  [0x47, pushing((machine) => machine.take(8).readDoubleBE())], // BINFLOAT
  [0x58, pushing((machine) => machine.text(machine.uint32()))], // BINUNICODE
  [0x8c, pushing((machine) => machine.text(machine.byte()))], // SHORT_BINUNICODE
  [0x55, pushing((machine) => machine.take(machine.byte()).toString("latin1"))], // SHORT_BINSTRING: Python 2's text
  [0x29, pushing(() => ({ type: "tuple", items: [] }))], // EMPTY_TUPLE
  [0x85, tupleOf(1)], // TUPLE1
  [0x86, tupleOf(2)], // TUPLE2
  [0x87, tupleOf(3)], // TUPLE3
  [0x74, pushing((machine) => ({ type: "tuple", items: machine.popToMark() }))], // TUPLE
  [0x5d, pushing(() => ({ type: "list", items: [] }))], // EMPTY_LIST
  [0x61, (machine) => appendTo(machine, [machine.pop()])], // APPEND
  [0x65, (machine) => appendTo(machine, machine.popToMark())], // APPENDS
  [0x7d, pushing(() => ({ type: "dict", items: new Map() }))], // EMPTY_DICT
  [
    0x73, // SETITEM
    (machine) => {
      const value = machine.pop();
      setIn(machine, [machine.pop(), value]);
    },
  ],
  [0x75, (machine) => setIn(machine, machine.popToMark())], // SETITEMS
  [0x71, (machine) => remember(machine, machine.byte())], // BINPUT
  [0x72, (machine) => remember(machine, machine.uint32())], // LONG_BINPUT
  [0x94, (machine) => remember(machine, machine.memo.size)], // MEMOIZE
  [0x68, pushing((machine) => recall(machine, machine.byte()))], // BINGET
  [0x6a, pushing((machine) => recall(machine, machine.uint32()))], // LONG_BINGET
  [0x63, pushing((machine) => findGlobal(machine, machine.line(), machine.line()))], // GLOBAL
  [0x93, pushing(globalByName)], // STACK_GLOBAL
  [0x51, pushing((machine) => machine.host.persistent(machine.pop()))], // BINPERSID
  [0x52, pushing(reduce)], // REDUCE
  [0x81, pushing(reduce)], // NEWOBJ: the same for classes
  [0x62, build], // BUILD
]);
