/** Batch preparation, on several threads where it pays. */
import { ClosedError } from "../../errors.ts";
import type { Preprocessing } from "../../image/prepare/preprocess.ts";
import { createHelpers, type Helpers } from "./helpers.ts";
import { createRowPreparer, type PreparationJob, type RowOptions, type RowPreparer } from "./rows.ts";

/** Options of batch preparation. */
export interface PreparationOptions extends RowOptions {
  /** Threads, the caller's own among them. Default 1. */
  readonly threads?: number | undefined;
  /** Milliseconds of preparing before other threads are started: so much that they are worth it. */
  readonly patience?: number | undefined;
}

/**
 * Prepares the images of batches. The same job gives the same numbers to the bit, however many threads have a part in it.
 *
 * Threads work between two steps of an engine, not beside them: where every core computes, that would take from the steps what it saves between
 * them.
 */
export interface Preparation {
  readonly preprocessing: Preprocessing;
  /** Throws what the preprocessor throws; ClosedError after `close`. */
  prepare(job: PreparationJob): void;
  /** Ends the threads. */
  close(): void;
}

/** A bound on memory: each thread has the program's code and buffers of its own. */
const MOST_THREADS = 8;
/** So much that starting a thread is little beside it. */
const PATIENCE_MS = 2000;

/** Makes one, which the caller closes; threads are started only when they have shown to be worth it, and until then everything is done on the caller's. */
export function createPreparation(options: PreparationOptions): Preparation {
  const { preprocessing, threads = 1, patience = PATIENCE_MS } = options;
  const prepareRow = createRowPreparer(options);
  const wanted = Math.min(threads, MOST_THREADS) - 1;
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

function prepareAlone(
  { split, indices, count, epoch, view, images, uses }: PreparationJob,
  prepare: RowPreparer,
): void {
  const imageSize = images.length / indices.length;
  for (let row = 0; row < count; row++) {
    prepare(split.image(indices[row] as number), uses[row] as number, epoch, view, images, row * imageSize);
  }
}
