/** Where the buffers of a plan lie in one piece of memory: those that are not needed at the same time share it. */

/** Memory that a plan will provide. Its address is known once the plan is finished. */
export interface Buffer {
  readonly bytes: number;
  /** Fixed from outside, for parameters and gradients; otherwise the plan places it in its arena. */
  address: bigint | undefined;
  /** Steps between which the contents matter. */
  firstStep: number;
  lastStep: number;
}

const ALIGNMENT = 4096;

export function newBuffer(bytes: number): Buffer {
  return { bytes, address: undefined, firstStep: Infinity, lastStep: -1 };
}

/** Those that stay first, then the largest first, each at the lowest offset that is free for its whole life. */
export function placeBuffers(buffers: readonly Pick<Buffer, "bytes" | "firstStep" | "lastStep">[]): {
  offsets: readonly number[];
  bytes: number;
} {
  const offsets = new Array<number>(buffers.length).fill(0);
  const stays = (i: number) => Number(buffers[i]?.lastStep === Infinity);
  const sizeAt = (i: number) => buffers[i]?.bytes ?? 0;
  const order = buffers.map((_, i) => i).sort((a, b) => stays(b) - stays(a) || sizeAt(b) - sizeAt(a) || a - b);
  const placed: { start: number; end: number; firstStep: number; lastStep: number }[] = [];
  for (const i of order) {
    const { bytes, firstStep, lastStep } = buffers[i] as (typeof buffers)[number];
    const size = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    const alive = placed
      .filter((other) => other.firstStep <= lastStep && firstStep <= other.lastStep)
      .sort((a, b) => a.start - b.start);
    let start = 0;
    for (const other of alive) {
      if (start + size <= other.start) break;
      start = Math.max(start, other.end);
    }
    offsets[i] = start;
    placed.push({ start, end: start + size, firstStep, lastStep });
  }
  return { offsets, bytes: Math.max(0, ...placed.map((p) => p.end)) };
}
