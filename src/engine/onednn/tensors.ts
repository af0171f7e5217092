/** Tensors in the engine's layouts. */
import { ClosedError, ShapeError } from "../../errors.ts";
import { formatShape, sizeOf } from "../../shape.ts";
import type { Assignment, Tensor, Update } from "../engine.ts";
import type { ConfiguredOneDnn } from "./configuredOneDnn.ts";
import type { EngineTensor } from "./engineTensor.ts";
import type { LibC, MappedMemory } from "./native/libc.ts";
import type { Memory, PreparedArgs, Primitive, PrimitiveDesc, Session } from "./native/oneDnn.ts";
import type { Value } from "./plan.ts";
import { type Account, type Entry, execute } from "./profile.ts";
import { MAX_SUMS, rowSums, type Scratchpad } from "./rowSums.ts";
import { SumsOfSquares } from "./squares.ts";
import { Updates } from "./updates.ts";

/** Check that a tensor's values are finite: a sum with a NaN or infinite term is NaN or infinite. */
interface Check {
  readonly sums: Float32Array;
  /** Computes the sums; absent if the values themselves are checked. */
  readonly run?: { readonly primitive: Primitive; readonly args: PreparedArgs; readonly entry: Entry };
}

/** Values outside the engine, in the tensor's plain form. */
export type PlainValues = Float32Array | Int8Array | Uint8Array;

/** The tensors of a program that outlive a step: parameters, their gradients, optimizer state. Owns their memory. */
export class TensorMemory {
  readonly #account: Account;
  readonly #library: ConfiguredOneDnn;
  readonly #libc: LibC;
  readonly #tensors = new Map<Tensor, EngineTensor>();
  readonly #mapped: MappedMemory[] = [];
  /** Mapped memory that primitives use while they run. */
  readonly #scratchpads: MappedMemory[] = [];
  readonly #updates: Updates;
  readonly #squares: SumsOfSquares;
  readonly #checks = new Map<Tensor, Check>();
  readonly #watched = new Set<EngineTensor>();
  /** Sums of the watched tensors' values as the last update left them; absent after a write. */
  readonly #sumsOfUpdate = new Map<EngineTensor, Float32Array>();
  readonly #session: Session;
  #sums: MappedMemory | undefined;
  #scratch: MappedMemory | undefined;
  isOpen = true;

  constructor(library: ConfiguredOneDnn, libc: LibC, account: Account) {
    this.#account = account;
    this.#library = library;
    this.#libc = libc;
    this.#session = library.session();
    const scratchpad: Scratchpad = (session, desc) => this.#scratchpad(session, desc);
    this.#updates = new Updates(library, libc, account, {
      own: (tensor) => this.own(tensor),
      isWatched: (tensor) => this.#watched.has(tensor),
      updated: (tensor, sums) => void this.#sumsOfUpdate.set(tensor, sums),
      scratchpad,
    });
    this.#squares = new SumsOfSquares(library, libc, account, scratchpad);
  }

  create(layout: Pick<EngineTensor, "name" | "parameter" | "shape" | "desc" | "plain" | "parts">): EngineTensor {
    const bytes = layout.parts * this.#session.bytes(layout.desc);
    const memory = this.#libc.map(bytes);
    this.#mapped.push(memory);
    return this.#owned({ ...layout, bytes, address: memory.address });
  }

  /** Lets updates of a tensor look for values that are not finite, while they have its values in cache. */
  watch(tensor: EngineTensor): void {
    this.#watched.add(tensor);
  }

  /** Wraps a plan's value, which must be kept and in row order, as a tensor. */
  adopt(name: string, { desc, dims, buffer }: Value): EngineTensor {
    if (buffer.address === undefined) throw new Error(`${name}: not placed`);
    const { bytes, address } = buffer;
    return this.#owned({ name, parameter: name, shape: dims, desc, plain: desc, parts: 1, bytes, address });
  }

  /** Memory on huge pages for `length` values, until it is released or a longer one is requested. */
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

  /** Throws ClosedError after `close`, which frees the native memory. */
  requireOpen(): void {
    if (!this.isOpen) throw new ClosedError("program");
  }

  /** Throws ShapeError if the tensor is not one of this program's, ClosedError if the program is closed. */
  own(tensor: Tensor): EngineTensor {
    this.requireOpen();
    const owned = this.#tensors.get(tensor);
    if (owned) return owned;
    throw new ShapeError(`tensor [${tensor.shape.join(", ")}]: made by another program`);
  }

  #owned(tensor: EngineTensor): EngineTensor {
    this.#tensors.set(tensor, tensor);
    return tensor;
  }

  /**
   * Copies between a tensor and plain values of the same number. Returns the values: a use after the copy, which has only their address,
   * keeps them alive.
   */
  transfer<V extends PlainValues>(direction: "read" | "write", tensor: EngineTensor, values: V): V {
    if (values.length !== sizeOf(tensor.shape)) {
      throw new ShapeError(
        `${tensor.name}: expected ${sizeOf(tensor.shape)} values (${formatShape(tensor.shape)}), got ${values.length}`,
      );
    }
    if (direction === "write") this.#sumsOfUpdate.delete(tensor);
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

  /** Assignments in order, element by element in memory order: all tensors must have one layout. */
  compileUpdate(assignments: readonly Assignment[]): Update {
    return this.#updates.compile(assignments);
  }

  /** Σ x², including padding, which is 0. */
  sumOfSquares(tensor: EngineTensor): number {
    return this.#squares.of(tensor);
  }

  /** True if all values are finite. */
  isFinite(tensor: EngineTensor): boolean {
    this.requireOpen();
    const sums = this.#sumsOfUpdate.get(tensor) ?? this.#sumsNow(tensor);
    if (sums.every(Number.isFinite)) return true;
    // Sums of large numbers overflow before the numbers do.
    return this.valuesOf(tensor).every(Number.isFinite);
  }

  /** The memory of a created tensor whose layout is that of its plain values; undefined for other tensors. */
  plainMemory(tensor: EngineTensor): Float32Array | undefined {
    const isPlain = tensor.parts === 1 && this.#session.same(tensor.desc, tensor.plain);
    return isPlain ? this.valuesOf(tensor) : undefined;
  }

  /** A created tensor's values in the engine's layout, with its padding of zeros. */
  valuesOf({ address, bytes }: EngineTensor): Float32Array {
    const memory = this.#mapped.find((mapped) => mapped.address === address) as MappedMemory;
    return memory.view(address, bytes / 4);
  }

  #sumsNow(tensor: EngineTensor): Float32Array {
    const check = this.#checks.get(tensor) ?? this.#makeCheck(tensor);
    this.#checks.set(tensor, check);
    const { run, sums } = check;
    if (run) execute(this.#session, run.primitive, run.args, run.entry);
    return sums;
  }

  #makeCheck(tensor: EngineTensor): Check {
    const session = this.#session;
    const length = tensor.bytes / 4;
    if (length <= MAX_SUMS) return { sums: this.valuesOf(tensor) };
    this.#sums ??= this.#libc.map(4 * MAX_SUMS);
    const { rows, src, dst, primitiveDesc: sum } = rowSums(session, length);
    const args = session.args([
      ["src", session.memory(src, tensor.address)],
      ["dst", session.memory(dst, this.#sums.address)],
      ...this.#scratchpad(session, sum),
    ]);
    const entry = this.#account.open(tensor.parameter, "update", "finite check", session.implementation(sum));
    return { sums: this.#sums.view(this.#sums.address, rows), run: { primitive: session.primitive(sum), args, entry } };
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#updates.close();
    this.#squares.close();
    this.#session.close();
    for (const memory of this.#mapped.splice(0)) memory.unmap();
    this.#sums?.unmap();
    this.releaseScratch();
  }

  /** The scratchpad of a primitive, as an argument: one for all, since one primitive runs at a time. */
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
}
