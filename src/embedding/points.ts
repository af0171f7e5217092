/** Points in a space of any dimension, one row each. */
export interface Points {
  readonly count: number;
  readonly dimensions: number;
  /** [count, dimensions]. */
  readonly values: Float32Array | Float64Array;
}

/** All points' coordinates in one dimension; zeros for a dimension that does not exist. */
export function coordinatesIn({ count, dimensions, values }: Points, dimension: number): Float64Array {
  const coordinate = (i: number) => (dimension < dimensions ? (values[i * dimensions + dimension] as number) : 0);
  return Float64Array.from({ length: count }, (_, i) => coordinate(i));
}

/** Progress callback and abort signal of a long computation. */
export interface Watching {
  /** Number of steps done, out of all; an upper bound if the total is unknown. */
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Yields to the event loop, so that signals and timers are processed. Throws the signal's reason on abort. */
export async function pause({ signal }: Pick<Watching, "signal">): Promise<void> {
  await new Promise(setImmediate);
  signal?.throwIfAborted();
}
