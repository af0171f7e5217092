/** Steps of a program in execution order, with one arena for their memory, which buffers with disjoint lifetimes share. */
import type { Direction, KernelProfile } from "../engine.ts";
import { placeBuffers } from "../placement.ts";
import { type Kernel, STEP_BYTES, stepField } from "./kernels/kernel.ts";
import type { Heap } from "./memory.ts";

/** Memory in the arena. Its address is known once the plan is finished. */
export interface Buffer {
  readonly bytes: number;
  address: number | undefined;
  /** Steps between which the contents matter. */
  firstStep: number;
  lastStep: number;
}

/** A place in a buffer. */
export interface Place {
  readonly buffer: Buffer;
  /** In bytes. */
  readonly offset: number;
}

/** An argument of a kernel: a whole number or a fixed address, a place, or an f32. */
export type Argument = number | Place | { readonly float: number };

/** Arguments of a kernel by name. */
export type Arguments<K extends Kernel> = Readonly<Record<K["fields"][number], Argument>>;

/** A step, and what its profile says. */
interface Step {
  readonly kernel: Kernel;
  readonly args: readonly Argument[];
  readonly layer: string;
  readonly direction: Direction;
  readonly work: string;
}

/** Consecutive steps in memory. */
export interface Phase {
  readonly address: number;
  readonly count: number;
}

/** Steps that were written to memory, and their profile since it was last taken. */
export interface WrittenSteps {
  readonly address: number;
  takeProfile(): readonly KernelProfile[];
}

/** A plan with its memory. */
export interface FinishedPlan extends WrittenSteps {
  /** The arena, unused between two passes. */
  readonly arena: { readonly address: number; readonly bytes: number };
  /** Selects consecutive steps as a phase. */
  phase(from: number, to: number): Phase;
}

/** Collects a program's steps, and the tables that they read. */
export class Plan {
  readonly heap: Heap;
  readonly #implementation: string;
  readonly #steps: Step[] = [];
  readonly #buffers: Buffer[] = [];
  readonly #tables: { readonly address: number; readonly values: Int32Array | Float32Array }[] = [];
  #layer = "";
  #direction: Direction = "forward";

  constructor(heap: Heap, implementation: string) {
    this.heap = heap;
    this.#implementation = implementation;
  }

  /** Sets the profile's layer and direction for steps added from now on. */
  enter(layer: string, direction: Direction): void {
    this.#layer = layer;
    this.#direction = direction;
  }

  /** Memory that lives from its first to its last use. */
  buffer(bytes: number): Buffer {
    const buffer = { bytes, address: undefined, firstStep: Infinity, lastStep: -1 };
    this.#buffers.push(buffer);
    return buffer;
  }

  /** Address of constant values. */
  table(values: Int32Array | Float32Array): number {
    const address = this.heap.allocate(values.byteLength);
    this.#tables.push({ address, values });
    return address;
  }

  /** Adds a step, profiled as `work`. */
  add<K extends Kernel>(work: string, kernel: K, args: Arguments<K>): void {
    const list = inOrder(kernel, args);
    for (const arg of list) if (typeof arg === "object" && "buffer" in arg) this.#use(arg.buffer);
    this.#steps.push({ kernel, args: list, layer: this.#layer, direction: this.#direction, work });
  }

  #use(buffer: Buffer): void {
    buffer.firstStep = Math.min(buffer.firstStep, this.#steps.length);
    buffer.lastStep = Math.max(buffer.lastStep, this.#steps.length);
  }

  /** The next step's number, to mark where a phase begins. */
  get length(): number {
    return this.#steps.length;
  }

  /** Places all buffers. `create` makes the memory, once everything is allocated; then steps and tables are written. */
  finish(create: () => void): FinishedPlan {
    const used = this.#buffers.filter(({ lastStep }) => lastStep >= 0);
    const { offsets, bytes } = placeBuffers(used);
    const arena = { address: this.heap.allocate(bytes), bytes };
    for (const [i, buffer] of used.entries()) buffer.address = arena.address + (offsets[i] as number);
    const steps = this.#steps;
    const addresses = allocateSteps(this.heap, steps);
    create();
    for (const { address, values } of this.#tables) {
      if (values instanceof Int32Array) this.heap.integers(address, values.length).set(values);
      else this.heap.floats(address, values.length).set(values);
    }
    const written = writeSteps(this.heap, steps, addresses, this.#implementation);
    return {
      ...written,
      arena,
      phase: (from, to) => ({ address: written.address + STEP_BYTES * from, count: to - from }),
    };
  }
}

/** A single step outside of a plan, in memory that exists. */
export function writeStep<K extends Kernel>(
  heap: Heap,
  implementation: string,
  { kernel, args, ...profile }: Omit<Step, "kernel" | "args"> & { readonly kernel: K; readonly args: Arguments<K> },
): WrittenSteps {
  const steps = [{ kernel, args: inOrder(kernel, args), ...profile }];
  return writeSteps(heap, steps, allocateSteps(heap, steps), implementation);
}

/** Arguments in the order of the kernel's fields. */
function inOrder<K extends Kernel>({ fields }: K, args: Arguments<K>): readonly Argument[] {
  return fields.map((field: K["fields"][number]) => args[field]);
}

interface StepAddresses {
  readonly steps: number;
  readonly args: number;
}

function allocateSteps(heap: Heap, steps: readonly Step[]): StepAddresses {
  const words = steps.reduce((total, { args }) => total + args.length, 0);
  return { steps: heap.allocate(STEP_BYTES * steps.length), args: heap.allocate(4 * words) };
}

function writeSteps(
  heap: Heap,
  steps: readonly Step[],
  { steps: address, args }: StepAddresses,
  implementation: string,
): WrittenSteps {
  let next = args;
  for (const [i, step] of steps.entries()) {
    const words = heap.integers(address + STEP_BYTES * i, STEP_BYTES / 4);
    words[stepField.kernel / 4] = step.kernel.number;
    words[stepField.args / 4] = next;
    const [integers, floats] = [heap.integers(next, step.args.length), heap.floats(next, step.args.length)];
    for (const [n, arg] of step.args.entries()) {
      if (typeof arg === "object" && "float" in arg) floats[n] = arg.float;
      else integers[n] = typeof arg === "number" ? arg : addressOf(arg);
    }
    next += 4 * step.args.length;
  }
  return { address, takeProfile: () => takeProfile(heap, steps, address, implementation) };
}

/** Address of a place; the plan must be finished. */
export function addressOf({ buffer, offset }: Place): number {
  if (buffer.address === undefined) throw new Error("a buffer was used that the plan did not place");
  return buffer.address + offset;
}

function takeProfile(
  heap: Heap,
  steps: readonly Step[],
  address: number,
  implementation: string,
): readonly KernelProfile[] {
  return steps.flatMap(({ layer, direction, work }, i) => {
    const step = address + STEP_BYTES * i;
    const [runs, seconds] = [heap.integers(step + stepField.runs, 1), heap.doubles(step + stepField.seconds, 1)];
    const profile = { layer, direction, work, implementation, runs: runs[0] ?? 0, seconds: seconds[0] ?? 0 };
    runs[0] = 0;
    seconds[0] = 0;
    return profile.runs > 0 ? [profile] : [];
  });
}
