/** Points in a space of some dimensions, a row for each. */
export interface Points {
  readonly count: number;
  readonly dimensions: number;
  /** [count, dimensions]. */
  readonly values: Float32Array | Float64Array;
}

/** All points' coordinates in one dimension; zeros past the last one. */
export function coordinatesIn({ count, dimensions, values }: Points, dimension: number): Float64Array {
  const coordinate = (i: number) => (dimension < dimensions ? (values[i * dimensions + dimension] as number) : 0);
  return Float64Array.from({ length: count }, (_, i) => coordinate(i));
}

/** Who watches a long computation, and may end it. */
export interface Watching {
  /** Steps done so far, out of all; of an unknown number, the most that there can be. */
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Lets signals and timers in, which a computation would block. Throws the signal's reason if that is aborted. */
export async function pause({ signal }: Pick<Watching, "signal">): Promise<void> {
  await new Promise(setImmediate);
  signal?.throwIfAborted();
}
