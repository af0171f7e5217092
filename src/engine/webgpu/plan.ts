/** A program as data: its kernels in order, and the buffers that they read and write. Nothing here needs a device. */
import type { Direction } from "../engine.ts";
import { partsOf, splitOperands } from "./kernels/bindings.ts";
import type { TileLimits } from "./kernels/tiles.ts";
import type { Operand } from "./kernels/wgsl.ts";

/** Properties of the adapter that a plan depends on. */
export interface PlanLimits extends TileLimits {
  /** Bytes of a binding, a multiple of 256: larger operands take several. */
  readonly bindingBytes: number;
}

/** Memory of a program. Buffers of the arena share memory with others at other steps; kept ones do not. */
export interface PlannedBuffer {
  readonly bytes: number;
  isKept: boolean;
  /** Steps between which the contents matter. */
  firstStep: number;
  lastStep: number;
}

/** Gives a buffer memory of its own for as long as the program is open. */
export function keep(buffer: PlannedBuffer): PlannedBuffer {
  return Object.assign(buffer, { isKept: true, firstStep: 0, lastStep: Number.POSITIVE_INFINITY });
}

/** A kernel of a program. */
export interface Dispatch {
  readonly layer: string;
  readonly direction: Direction;
  readonly work: string;
  readonly code: string;
  readonly bindings: readonly PlannedBinding[];
  /** Number of workgroups for a number of images. */
  workgroups(images: number): number;
  /** Bytes read and written for a whole batch. */
  readonly bytes: number;
  /** Multiply-accumulates of a product for a whole batch: those of the formula, and those computed, tiles being whole. */
  readonly macs: number;
  readonly computedMacs: number;
  /** Tile and parts of a product, for people. */
  readonly tile?: string | undefined;
}

/** Part of a buffer that a kernel binds, in bytes. */
interface PlannedBinding {
  readonly buffer: PlannedBuffer;
  readonly offset: number;
  readonly size: number;
}

/** A kernel to add. */
export interface NewDispatch
  extends Pick<Dispatch, "work" | "code" | "workgroups">,
    Partial<Pick<Dispatch, "bytes" | "macs" | "computedMacs" | "tile">> {
  readonly operands: readonly Bound[];
}

/** An operand of a kernel with its memory. */
export interface Bound extends Pick<Operand, "access"> {
  readonly buffer: PlannedBuffer;
}

/** Kernels under construction. */
export class Plan {
  readonly dispatches: Dispatch[] = [];
  readonly buffers: PlannedBuffer[] = [];
  readonly #bindingBytes: number;
  #layer = "input";
  #direction: Direction = "forward";

  constructor({ bindingBytes }: PlanLimits) {
    this.#bindingBytes = bindingBytes;
  }

  /** Attributes the kernels that follow. */
  enter(layer: string, direction: Direction): void {
    this.#layer = layer;
    this.#direction = direction;
  }

  /** Memory from the first to the last kernel that uses it. */
  buffer(bytes: number): PlannedBuffer {
    const buffer = { bytes, isKept: false, firstStep: Number.POSITIVE_INFINITY, lastStep: -1 };
    this.buffers.push(buffer);
    return buffer;
  }

  /** Memory for as long as the program is open. */
  kept(bytes: number): PlannedBuffer {
    return keep(this.buffer(bytes));
  }

  add({ operands, code, ...one }: NewDispatch): void {
    const step = this.dispatches.length;
    const sizes = operands.map(({ buffer }) => buffer.bytes);
    for (const { buffer } of operands) {
      buffer.firstStep = Math.min(buffer.firstStep, step);
      buffer.lastStep = Math.max(buffer.lastStep, step);
    }
    this.dispatches.push({
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      macs: 0,
      computedMacs: 0,
      ...one,
      layer: this.#layer,
      direction: this.#direction,
      code: splitOperands(code, sizes, this.#bindingBytes),
      bindings: operands.flatMap(({ buffer }) =>
        partsOf(buffer.bytes, this.#bindingBytes).map((part) => ({ buffer, ...part })),
      ),
    });
  }
}

/** Memory that buffers with disjoint lifetimes share: its size, and the number of each buffer's memory. */
export interface Slots {
  readonly bytes: readonly number[];
  readonly slotOf: ReadonlyMap<PlannedBuffer, number>;
}

/** Assigns buffers to memory, the largest first: to the first one that is free for their whole lifetime. */
export function assignSlots(buffers: readonly PlannedBuffer[]): Slots {
  const slots: { readonly bytes: number; readonly users: PlannedBuffer[] }[] = [];
  const slotOf = new Map<PlannedBuffer, number>();
  const used = buffers.filter(({ lastStep }) => lastStep >= 0);
  for (const buffer of used.toSorted((a, b) => b.bytes - a.bytes)) {
    const isFree = (user: PlannedBuffer) => user.lastStep < buffer.firstStep || buffer.lastStep < user.firstStep;
    let slot = slots.findIndex(({ users }) => !buffer.isKept && users.every(isFree));
    if (slot < 0) slot = slots.push({ bytes: buffer.bytes, users: [] }) - 1;
    slots[slot]?.users.push(buffer);
    slotOf.set(buffer, slot);
  }
  return { bytes: slots.map(({ bytes }) => bytes), slotOf };
}
