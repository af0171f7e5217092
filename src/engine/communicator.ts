/** Processes that compute one run together, as engines see them, their exchanges of activations, and the communicator of a single process. */
import { ShapeError } from "../errors.ts";

/** Memory to exchange. */
export type ExchangedValues = Float32Array | Float64Array | Uint8Array;

/**
 * Processes that compute one run. All of them make the same calls in the same order. `sum`, `gather`, `scatterSum` and `share` start an exchange; its
 * arrays must not be touched until `wait` returns.
 */
export interface Communicator {
  /** Number of this process, from 0. Process 0 writes the run's files. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** One line for people, such as `Open MPI 4.1.4, 2 processes`. */
  readonly description: string;
  /** Library and piece size, which determine the order of sums; undefined for one process. */
  readonly library: { readonly name: string; readonly version: string; readonly pieceBytes: number } | undefined;
  /** values ← Σ of all processes' values. */
  sum(values: Float32Array | Float64Array): void;
  /** all ← every process's `own`, by rank. `all` has `size` times the length of `own`. */
  gather(own: ExchangedValues, all: ExchangedValues): void;
  /** own ← part `rank` of Σ of all processes' `all`, which has `size` equal parts. Both arrays have one type. */
  scatterSum(all: Float32Array | Float64Array, own: Float32Array | Float64Array): void;
  /** values ← those of process 0. */
  share(values: ExchangedValues): void;
  /** Blocks until everything that was started is done. A process that keeps the others waiting for too long ends the job. */
  wait(): void;
  /** Every process's value, by rank: JSON. Waits without a limit, since a process may load data or save meanwhile. */
  agree<T>(value: T): Promise<readonly T[]>;
  /** Reports the iteration that this process has reached, for messages about a process that stops. */
  reached(iteration: number): void;
  /** Exchanges so far: bytes of this process's arrays, and seconds that `wait` has blocked. */
  traffic(): { readonly bytes: number; readonly waitedSeconds: number };
  /** Leaves the job, once all processes do. */
  close(): Promise<void>;
  /** Stops without the others, after an error. The process then has to exit with its code, which ends the job. */
  abandon(): void;
}

/** The communicator of a single process. */
export const alone: Communicator = {
  rank: 0,
  size: 1,
  description: "1 process",
  library: undefined,
  sum() {},
  gather: (own, all) => all.set(own),
  scatterSum: (all, own) => own.set(all),
  share() {},
  wait() {},
  agree: async (value) => [value],
  reached() {},
  traffic: () => ({ bytes: 0, waitedSeconds: 0 }),
  async close() {},
  abandon() {},
};

/** An exchange of activations: every process receives the parts of all. */
export interface Gather {
  /** Name of the operation whose input it computes; undefined for the scores, at the end of the chain. */
  readonly before: string | undefined;
  /** Axis of the parts: the batch, or channels of maps and features of vectors. */
  readonly axis: "batch" | "features";
  /**
   * Gradient of a part. `sum`: of all processes' gradients, if each of them computes other outputs from the whole. `own`: of this process's gradient, if
   * all compute the same.
   */
  readonly gradient: "sum" | "own";
}

/** Rows of a batch that one process computes. */
export interface BatchRows {
  readonly first: number;
  readonly count: number;
}

/** The rows of a process. Throws ShapeError for a batch size that the number of processes does not divide. */
export function rowsOf({ rank, size }: Pick<Communicator, "rank" | "size">, batchSize: number): BatchRows {
  const count = batchSize / size;
  if (!Number.isInteger(count)) {
    const [below, above] = [Math.floor(count) * size, Math.ceil(count) * size];
    const near = below === 0 ? `${above}` : `${below} or ${above}`;
    throw new ShapeError(
      `batch size ${batchSize}: expected a multiple of ${size}, the number of processes; use ${near}`,
    );
  }
  return { first: rank * count, count };
}

/** Rows that a process computes before the first gather: its own if the batch is divided, otherwise all. Throws ShapeError as `rowsOf`. */
export function firstRows(
  communicator: Pick<Communicator, "rank" | "size">,
  gathers: readonly Gather[],
  batchSize: number,
): BatchRows {
  const isDivided = gathers.some(({ axis }) => axis === "batch");
  return isDivided ? rowsOf(communicator, batchSize) : { first: 0, count: batchSize };
}

/** Number of images among a process's rows, for a batch of `count` images. */
export function ownCount({ first, count: rows }: BatchRows, count: number): number {
  return Math.max(0, Math.min(rows, count - first));
}
