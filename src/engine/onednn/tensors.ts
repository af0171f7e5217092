import { NativeError, ShapeError } from "../../errors.ts";
import { formatShape, sizeOf } from "../../shape.ts";
import type { Tensor, Term } from "../engine.ts";
import { type Account, type Entry, timed } from "./account.ts";
import type { LibC, MappedMemory } from "./native/libc.ts";
import type { Desc, Memory, OneDnn, PreparedArgs, Primitive, PrimitiveDesc, Session } from "./native/oneDnn.ts";
import type { Value } from "./plan.ts";

/** A tensor in the engine's layout: `parts` equal parts, one behind the other, each in a layout of its own. */
export interface EngineTensor extends Tensor {
  readonly name: string;
  readonly parts: number;
  /** Layout of a part. */
  readonly desc: Desc;
  /** Row-major layout of a part's extents. */
  readonly plain: Desc;
  /** Of all parts. */
  readonly bytes: number;
  readonly address: bigint;
}

interface Compiled {
  readonly scales: readonly number[];
  readonly terms: readonly Tensor[];
  readonly primitive: Primitive;
  readonly args: PreparedArgs;
  readonly entry: Entry;
  readonly session: Session;
}

/** Combinations kept compiled for one target: a rate that changes now and then makes a few, one that always changes none too many. */
const KEPT_COMBINATIONS = 4;

/** The tensors of a program that outlive a step: parameters, their gradients, optimizer state. Owns their memory. */
export class TensorMemory {
  readonly #account: Account;
  readonly #library: OneDnn;
  readonly #libc: LibC;
  readonly #mapped: MappedMemory[] = [];
  /** Those among the mapped that primitives use while they run. */
  readonly #scratchpads: MappedMemory[] = [];
  readonly #combinations = new Map<Tensor, Compiled[]>();
  readonly #checks = new Map<Tensor, Pick<Compiled, "primitive" | "args" | "entry">>();
  readonly #session: Session;
  #reduced: MappedMemory | undefined;
  #scratch: MappedMemory | undefined;
  isOpen = true;

  constructor(library: OneDnn, libc: LibC, account: Account) {
    this.#account = account;
    this.#library = library;
    this.#libc = libc;
    this.#session = library.session();
  }

  create(layout: Pick<EngineTensor, "name" | "shape" | "desc" | "plain" | "parts">): EngineTensor {
    const bytes = layout.parts * this.#session.bytes(layout.desc);
    const memory = this.#libc.map(bytes);
    this.#mapped.push(memory);
    return { ...layout, bytes, address: memory.address };
  }

  /** Sees a plan's value, which must be kept and in row order, as a tensor. */
  adopt(name: string, { desc, dims, buffer }: Value): EngineTensor {
    if (buffer.address === undefined) throw new Error(`${name}: not placed`);
    return { name, shape: dims, desc, plain: desc, parts: 1, bytes: buffer.bytes, address: buffer.address };
  }

  /** Memory on huge pages for `length` values, until it is released or a longer one is asked for. */
  scratch(length: number): Float32Array {
    if (!this.#scratch || this.#scratch.bytes < 4 * length) {
      this.releaseScratch();
      this.#scratch = this.#libc.map(4 * length);
    }
    return this.#scratch.view(this.#scratch.address, length);
  }

  releaseScratch(): void {
    this.#scratch?.unmap();
    this.#scratch = undefined;
  }

  /** Native memory is gone after `close`: whatever touches it asks first. */
  requireOpen(): void {
    if (!this.isOpen) throw new NativeError("program: used after close()");
  }

  /** Throws ShapeError if the tensor is not one of this program's, NativeError if the program is closed. */
  own(tensor: Tensor): EngineTensor {
    this.requireOpen();
    if ("address" in tensor) return tensor as EngineTensor;
    throw new ShapeError(`tensor [${tensor.shape.join(", ")}]: made by another engine`);
  }

  /**
   * Copies between a tensor and plain values of the same number. Returns the values: a use behind the copy, which has nothing but their
   * address, keeps them alive.
   */
  transfer(direction: "read" | "write", tensor: EngineTensor, values: Float32Array): Float32Array {
    if (values.length !== sizeOf(tensor.shape)) {
      throw new ShapeError(
        `${tensor.name}: expected ${sizeOf(tensor.shape)} values (${formatShape(tensor.shape)}), got ${values.length}`,
      );
    }
    const session = this.#library.session();
    try {
      const { desc, plain, parts, bytes, address } = tensor;
      const [from, to] = direction === "read" ? [desc, plain] : [plain, desc];
      const reorder = session.reorder(from, to);
      const copy = session.primitive(reorder);
      const scratchpad = this.#scratchpad(session, reorder);
      const outsideAddress = this.#libc.addressOf(values);
      for (let part = 0; part < parts; part++) {
        const inside = session.memory(desc, address + BigInt((part * bytes) / parts));
        const outside = session.memory(plain, outsideAddress + BigInt((part * values.byteLength) / parts));
        const [src, dst] = direction === "read" ? [inside, outside] : [outside, inside];
        session.execute(copy, session.args([["src", src], ["dst", dst], ...scratchpad]));
      }
    } finally {
      session.close();
    }
    return values;
  }

  /** target ← Σ scale · tensor, element by element as the tensors lie: all must have the target's layout. */
  combine(target: EngineTensor, terms: readonly Term[]): void {
    const kept = this.#combinations.get(target) ?? [];
    this.#combinations.set(target, kept);
    let compiled = kept.find((candidate) => matches(candidate, terms));
    if (!compiled) {
      compiled = this.#compile(target, terms);
      kept.push(compiled);
      if (kept.length > KEPT_COMBINATIONS) kept.shift()?.session.close();
    }
    const { session, primitive, args, entry } = compiled;
    timed(entry, () => session.execute(primitive, args));
  }

  /** Whether the sum of all values is finite: it is not if one of them is not. */
  isFinite(tensor: EngineTensor): boolean {
    this.requireOpen();
    this.#reduced ??= this.#libc.map(4);
    let check = this.#checks.get(tensor);
    if (!check) {
      const session = this.#session;
      const [src, dst] = [session.plain([1, tensor.bytes / 4], "f32"), session.plain([1, 1], "f32")];
      const memories = [
        ["src", session.memory(src, tensor.address)],
        ["dst", session.memory(dst, this.#reduced.address)],
      ] as const;
      const sum = session.reduceSum(src, dst);
      const scratchpad = this.#scratchpad(session, sum);
      const entry = this.#account.open(tensor.name, "update", "finite check", session.implementation(sum));
      check = { primitive: session.primitive(sum), args: session.args([...memories, ...scratchpad]), entry };
      this.#checks.set(tensor, check);
    }
    const { primitive, args, entry } = check;
    timed(entry, () => this.#session.execute(primitive, args));
    return Number.isFinite(this.#reduced.view(this.#reduced.address, 1)[0]);
  }

  close(): void {
    this.isOpen = false;
    for (const compiled of [...this.#combinations.values()].flat()) compiled.session.close();
    this.#combinations.clear();
    this.#session.close();
    for (const memory of this.#mapped.splice(0)) memory.unmap();
    this.#reduced?.unmap();
    this.releaseScratch();
  }

  /** Memory for a primitive that wants some while it runs, as an argument: one for all, since one runs at a time. */
  #scratchpad(session: Session, primitiveDesc: PrimitiveDesc): readonly (readonly ["scratchpad", Memory])[] {
    const desc = session.query(primitiveDesc, "scratchpad");
    if (!desc) return [];
    const bytes = session.bytes(desc);
    let memory = this.#scratchpads.find((mapped) => mapped.bytes >= bytes);
    if (!memory) {
      memory = this.#libc.map(bytes);
      this.#scratchpads.push(memory);
      this.#mapped.push(memory);
    }
    return [["scratchpad", session.memory(desc, memory.address)]];
  }

  #compile(target: EngineTensor, terms: readonly Term[]): Compiled {
    for (const term of terms.map(([, tensor]) => this.own(tensor))) {
      if (term.parts !== target.parts || !this.#session.same(term.desc, target.desc)) {
        throw new ShapeError(`${target.name}: cannot be combined with ${term.name}: another shape or layout`);
      }
    }
    const session = this.#library.session();
    const flat = session.plain([target.bytes / 4], "f32");
    // The library may write over the first term only.
    const ordered = [...terms].sort((a, b) => Number(b[1] === target) - Number(a[1] === target));
    const sum = session.sum(
      flat,
      ordered.map(([scale]) => scale),
      ordered.map(() => flat),
    );
    const memories = ordered.map(
      ([, tensor], i) => [`term${i}`, session.memory(flat, this.own(tensor).address)] as const,
    );
    const dst = ["dst", session.memory(flat, target.address)] as const;
    const args = session.args([...memories, dst, ...this.#scratchpad(session, sum)]);
    const scales = terms.map(([scale]) => scale);
    const entry = this.#account.open(target.name, "update", "sum", session.implementation(sum));
    const tensorsOf = terms.map(([, tensor]) => tensor);
    return { scales, terms: tensorsOf, primitive: session.primitive(sum), args, entry, session };
  }
}

function matches({ scales, terms }: Compiled, wanted: readonly Term[]): boolean {
  return wanted.length === terms.length && wanted.every(([s, t], i) => s === scales[i] && t === terms[i]);
}
