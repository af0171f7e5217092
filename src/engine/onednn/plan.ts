/** Primitives in execution order, with one arena for their memory, which buffers with disjoint lifetimes share. */
import type { Direction } from "../engine.ts";
import { placeBuffers } from "../placement.ts";
import type { MappedMemory } from "./native/libc.ts";
import type {
  Desc,
  Memory,
  PreparedArgs,
  Primitive,
  PrimitiveDesc,
  QueryRole,
  Role,
  Session,
} from "./native/oneDnn.ts";
import { type Account, type Entry, execute } from "./profile.ts";

/** Memory that a plan provides. Its address is known once the plan is finished. */
export interface Buffer {
  readonly bytes: number;
  /** Fixed address, for parameters and gradients; otherwise the plan places the buffer in its arena. */
  address: bigint | undefined;
  /** Steps between which the contents matter. */
  firstStep: number;
  lastStep: number;
}

/** A tensor in a layout, in some buffer. */
export interface Value {
  readonly desc: Desc;
  /** Extents, the batch first. */
  readonly dims: readonly number[];
  readonly buffer: Buffer;
  /** Byte offset into the buffer; default 0. */
  readonly offset?: number;
}

/** A primitive with its arguments. */
export interface Kernel {
  readonly primitiveDesc: PrimitiveDesc;
  readonly args: readonly (readonly [Role, Value])[];
}

type Step =
  | { readonly choose: () => Kernel; readonly scratchpad: Value | undefined; readonly entry: Entry }
  | (Kernel & { readonly entry: Entry })
  | { readonly call: () => void };

type ReadyStep =
  | { readonly choose: () => ReadyKernel; readonly entry: Entry }
  | (ReadyKernel & { readonly entry: Entry })
  | { readonly call: () => void };

type ReadyKernel = { readonly primitive: Primitive; readonly args: PreparedArgs };

/** Consecutive steps of a finished plan. */
export interface Phase {
  run(): void;
}

/** A plan with its memory. */
export interface FinishedPlan {
  readonly arena: MappedMemory;
  /** The part that is unused between two passes. */
  readonly spare: { readonly address: bigint; readonly bytes: number };
  /** Selects consecutive steps as a phase. */
  phase(from: number, to: number): Phase;
}

/** Collects a program's primitives in the order in which they run, then places every buffer in one arena. */
export class Plan {
  readonly session: Session;
  readonly #steps: Step[] = [];
  readonly #buffers: Buffer[] = [];
  readonly #account: Account;
  #arena: MappedMemory | undefined;
  #layer = "";
  #direction: Direction = "forward";

  constructor(session: Session, account: Account) {
    this.session = session;
    this.#account = account;
  }

  /** Sets the profile's layer and direction for steps added from now on. */
  enter(layer: string, direction: Direction): void {
    this.#layer = layer;
    this.#direction = direction;
  }

  /** A new tensor that lives from its first to its last use. */
  value(dims: readonly number[], desc: Desc): Value {
    const value = { desc, dims, buffer: newBuffer(this.session.bytes(desc)) };
    this.#buffers.push(value.buffer);
    return value;
  }

  /** New tensors of one layout, one after the other in memory. */
  parts(dims: readonly number[], desc: Desc, count: number): readonly Value[] {
    const bytes = this.session.bytes(desc);
    const buffer = newBuffer(count * bytes);
    this.#buffers.push(buffer);
    return Array.from({ length: count }, (_, i) => ({ desc, dims, buffer, offset: i * bytes }));
  }

  /** Adds a primitive, profiled as `work` and with its `flops` if given; provides its scratchpad if it needs one. */
  add(work: string, primitiveDesc: PrimitiveDesc, args: readonly (readonly [Role, Value])[], flops?: number): void {
    const scratchpad = this.session.query(primitiveDesc, "scratchpad");
    const all = scratchpad ? [...args, ["scratchpad", this.value([], scratchpad)] as const] : args;
    for (const [, value] of all) this.#use(value.buffer);
    const implementation = this.session.implementation(primitiveDesc);
    const entry = this.#account.open(this.#layer, this.#direction, work, implementation, flops);
    this.#steps.push({ primitiveDesc, args: all, entry });
  }

  /**
   * Adds a step that runs the kernel which `choose` returns at each run. `kernels` determine the memory: later ones have the same values and no larger
   * scratchpad, and are compiled at their first run.
   */
  addChosen(work: string, kernels: readonly [Kernel, ...Kernel[]], choose: () => Kernel): void {
    const scratchpads = kernels.map(({ primitiveDesc }) => this.session.query(primitiveDesc, "scratchpad"));
    const [first] = kernels;
    const largest = scratchpads.reduce((most, desc) => (this.#bytes(desc) > this.#bytes(most) ? desc : most));
    const scratchpad = largest && this.value([], largest);
    for (const [, value] of kernels.flatMap(({ args }) => args)) this.#use(value.buffer);
    if (scratchpad) this.#use(scratchpad.buffer);
    const implementation = this.session.implementation(first.primitiveDesc);
    const entry = this.#account.open(this.#layer, this.#direction, work, implementation);
    this.#steps.push({ choose, scratchpad, entry });
  }

  #bytes(desc: Desc | undefined): number {
    return desc ? this.session.bytes(desc) : 0;
  }

  /** Adds a step of JavaScript that touches the given values. */
  addCall(call: () => void, values: readonly Value[]): void {
    for (const value of values) this.#use(value.buffer);
    this.#steps.push({ call });
  }

  /** The layout that a primitive uses for a role. */
  layout(primitiveDesc: PrimitiveDesc, role: QueryRole): Desc {
    const desc = this.session.query(primitiveDesc, role);
    if (!desc) throw new Error(`${this.session.implementation(primitiveDesc)}: no ${role}`);
    return desc;
  }

  /** A new workspace as an argument, for primitives whose backward needs it; none for others. */
  workspace(primitiveDesc: PrimitiveDesc): readonly (readonly [Role, Value])[] {
    const desc = this.session.query(primitiveDesc, "workspace");
    return desc ? [["workspace", this.value([], desc)]] : [];
  }

  /**
   * The value itself if it has that layout, otherwise a copy in it. Either way it gets that very descriptor: identical layouts with different
   * descriptors, such as row order and channels-last for one channel, have different implementations.
   */
  inLayout(value: Value, desc: Desc): Value {
    if (this.session.same(value.desc, desc)) return { ...value, desc };
    const target = this.value(value.dims, desc);
    this.copy(value, target);
    return target;
  }

  /** Adds target ← target + term; both in the same layout. */
  accumulate(target: Value, term: Value): void {
    this.add("sum", this.session.sum(target.desc, [1, 1], [target.desc, term.desc]), [
      ["term0", target],
      ["term1", term],
      ["dst", target],
    ]);
  }

  /** Adds a copy that changes the layout. */
  copy(from: Value, to: Value): void {
    this.add("reorder", this.session.reorder(from.desc, to.desc), [
      ["src", from],
      ["dst", to],
    ]);
  }

  /** A view of a kept value's memory for JavaScript; the plan must be finished. */
  view(value: Value): Float32Array {
    const { address, bytes } = value.buffer;
    if (address === undefined || !this.#arena) throw new Error("a buffer was read that the plan did not place");
    return this.#arena.view(address, bytes / 4);
  }

  /** Memory of a value, or of `count` values one after the other, for JavaScript; the plan must be finished. */
  bytesOf({ desc, buffer, offset = 0 }: Value, count = 1): Uint8Array {
    if (buffer.address === undefined || !this.#arena) throw new Error("a buffer was read that the plan did not place");
    const bytes = count * this.session.bytes(desc);
    const { buffer: memory, byteOffset } = this.#arena.view(buffer.address + BigInt(offset), Math.ceil(bytes / 4));
    return new Uint8Array(memory, byteOffset, bytes);
  }

  /** The next step's number, to mark where a phase begins. */
  get length(): number {
    return this.#steps.length;
  }

  /** Keeps a value from step `first` to the end, for JavaScript to write before and read after a run. */
  keep(value: Value, first = 0): void {
    value.buffer.firstStep = Math.min(value.buffer.firstStep, first);
    value.buffer.lastStep = Infinity;
  }

  /** Places all buffers in memory from `map` and compiles the steps. */
  finish(map: (bytes: number) => MappedMemory): FinishedPlan {
    const mine = this.#buffers.filter((buffer) => buffer.lastStep >= 0);
    const { offsets, bytes } = placeBuffers(mine);
    const arena = map(bytes);
    const keptEnd = Math.max(
      0,
      ...mine.map((b, i) => (b.lastStep === Infinity ? (offsets[i] as number) + b.bytes : 0)),
    );
    this.#arena = arena;
    mine.forEach((buffer, i) => {
      buffer.address = arena.address + BigInt(offsets[i] as number);
    });
    const ready = this.#steps.map((step) => this.#prepare(step));
    return {
      arena,
      spare: { address: arena.address + BigInt(keptEnd), bytes: bytes - keptEnd },
      phase: (from, to) => phaseOf(this.session, ready.slice(from, to)),
    };
  }

  #use(buffer: Buffer): void {
    buffer.firstStep = Math.min(buffer.firstStep, this.#steps.length);
    buffer.lastStep = Math.max(buffer.lastStep, this.#steps.length);
  }

  #prepare(step: Step): ReadyStep {
    if ("call" in step) return step;
    if (!("choose" in step)) return { ...this.#compile(step), entry: step.entry };
    const { choose, scratchpad, entry } = step;
    const ready = new Map<Kernel, ReadyKernel>();
    return {
      entry,
      choose: () => {
        const kernel = choose();
        const compiled = ready.get(kernel) ?? this.#compile(this.#withScratchpad(kernel, scratchpad));
        ready.set(kernel, compiled);
        return compiled;
      },
    };
  }

  #compile({ primitiveDesc, args }: Kernel): ReadyKernel {
    const memories = args.map(([role, value]) => [role, this.#memory(value)] as const);
    return { primitive: this.session.primitive(primitiveDesc), args: this.session.args(memories) };
  }

  /** The kernel with its scratchpad at the place of a larger one. */
  #withScratchpad(kernel: Kernel, place: Value | undefined): Kernel {
    const desc = this.session.query(kernel.primitiveDesc, "scratchpad");
    if (!desc) return kernel;
    if (!place || this.#bytes(desc) > place.buffer.bytes) throw new Error("a chosen kernel needs a larger scratchpad");
    return { ...kernel, args: [...kernel.args, ["scratchpad", { ...place, desc }]] };
  }

  #memory({ desc, buffer, offset = 0 }: Value): Memory {
    if (buffer.address === undefined) throw new Error("a buffer was used that the plan did not place");
    return this.session.memory(desc, buffer.address + BigInt(offset));
  }
}

function phaseOf(session: Session, steps: readonly ReadyStep[]): Phase {
  return {
    run() {
      for (const step of steps) {
        if ("call" in step) step.call();
        else {
          const { primitive, args } = "choose" in step ? step.choose() : step;
          execute(session, primitive, args, step.entry);
        }
      }
    },
  };
}

export function newBuffer(bytes: number): Buffer {
  return { bytes, address: undefined, firstStep: Infinity, lastStep: -1 };
}
