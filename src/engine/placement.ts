/** Placement of buffers in one arena, which buffers with disjoint lifetimes share. */

const ALIGNMENT = 4096;

/** A buffer to place: its size and its steps. */
export interface Lifetime {
  readonly bytes: number;
  /** Steps between which the contents matter; the last is Infinity for a buffer that stays. */
  readonly firstStep: number;
  readonly lastStep: number;
}

/** Byte offset of each buffer, and the arena's size. */
interface Placement {
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/** Orders of placing buffers, since none is best for every chain: large ones first, or those first that overlap many others. */
const orders: readonly ((buffer: Lifetime) => number)[] = [
  ({ bytes }) => bytes,
  ({ firstStep, lastStep }) => lastStep - firstStep,
  ({ bytes, firstStep, lastStep }) => bytes * (1 + lastStep - firstStep),
  ({ firstStep }) => -firstStep,
  ({ lastStep }) => lastStep,
];

/** Places buffers in several orders and uses the smallest arena. Buffers that live to the end come first. */
export function placeBuffers(buffers: readonly Lifetime[]): Placement {
  const placements = orders.map((priority) => placeInOrder(buffers, priority));
  return placements.reduce((best, next) => (next.bytes < best.bytes ? next : best));
}

/** Places each buffer at the lowest offset that is free for its whole lifetime. */
function placeInOrder(buffers: readonly Lifetime[], priority: (buffer: Lifetime) => number): Placement {
  const offsets = new Array<number>(buffers.length).fill(0);
  const keys = buffers.map((buffer) => ({ stays: Number(buffer.lastStep === Infinity), key: priority(buffer) }));
  const order = buffers
    .map((_, i) => i)
    .sort((a, b) => {
      const [first, second] = [keys[a], keys[b]] as [(typeof keys)[number], (typeof keys)[number]];
      return second.stays - first.stays || (first.stays ? 0 : second.key - first.key) || a - b;
    });
  const placed: { start: number; end: number; firstStep: number; lastStep: number }[] = [];
  for (const i of order) {
    const { bytes, firstStep, lastStep } = buffers[i] as Lifetime;
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
