/** Batch preparation on several threads where it pays. */
import { availableParallelism } from "node:os";
import { ClosedError } from "../../errors.ts";
import { createHelpers, type Helpers } from "./helpers.ts";
import { type Preparation, prepareAlone } from "./preparation.ts";
import { createRowPreparer, type RowOptions } from "./rows.ts";

/** Options of batch preparation on several threads. */
export interface ThreadedPreparationOptions extends RowOptions {
  /** Threads, including the caller's own; 0 for all processors, if a device computes. Default 1. */
  readonly threads?: number | undefined;
  /** Milliseconds of preparation on the caller's thread before others are started. Default 2000. */
  readonly patience?: number | undefined;
}

/** Limits memory: each thread has its own copy of the program's code and buffers. */
const MOST_THREADS = 8;
/** Long enough that the start of a thread costs little in comparison. */
const PATIENCE_MS = 2000;

/**
 * Creates a preparation, which the caller closes. Helper threads start only once they are worthwhile; until then the calling thread works alone.
 *
 * Threads work between the steps of an engine, not during them: while every core computes, preparation would only slow down the steps.
 */
export function createThreadedPreparation(options: ThreadedPreparationOptions): Preparation {
  const { preprocessing, threads = 1, patience = PATIENCE_MS } = options;
  const prepareRow = createRowPreparer(options);
  const wanted = Math.min(threads || availableParallelism(), MOST_THREADS) - 1;
  let spent = 0;
  let helpers: Helpers | undefined;
  let isClosed = false;
  return {
    preprocessing,
    prepare(job) {
      if (isClosed) throw new ClosedError("preparation");
      if (helpers?.prepare(job)) return;
      const start = performance.now();
      prepareAlone(job, prepareRow);
      spent += performance.now() - start;
      const isWorth = wanted > 0 && spent >= patience && job.images.buffer instanceof SharedArrayBuffer;
      if (isWorth && !helpers) helpers = createHelpers(options, prepareRow, wanted, job.indices.length);
    },
    close() {
      isClosed = true;
      helpers?.close();
    },
  };
}
