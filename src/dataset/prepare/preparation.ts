/** Preparation of batches, on several threads if worthwhile. */
import { ClosedError } from "../../errors.ts";
import type { Preprocessing } from "../../image/prepare/preprocess.ts";
import { createHelpers, type Helpers } from "./helpers.ts";
import { createRowPreparer, type PreparationJob, type RowOptions, type RowPreparer } from "./rows.ts";

/** Options of batch preparation. */
export interface PreparationOptions extends RowOptions {
  /** Number of threads, including the calling one. Default: 1. */
  readonly threads?: number | undefined;
  /** Milliseconds of preparation after which other threads are started. */
  readonly patience?: number | undefined;
}

/**
 * Prepares the images of batches. The result is bit-identical for any number of threads.
 *
 * Threads work between two steps of an engine, not during them: an engine that uses every core would lose the time that this saves.
 */
export interface Preparation {
  readonly preprocessing: Preprocessing;
  /** Throws the preprocessor's errors, and ClosedError after `close`. */
  prepare(job: PreparationJob): void;
  /** Stops the threads. */
  close(): void;
}

/** A bound on memory: each thread has its own copy of the program and buffers. */
const MOST_THREADS = 8;
/** Long compared to the start of a thread. */
const PATIENCE_MS = 2000;

/** Creates a preparation, which the caller must close. Threads start only once they are worthwhile; until then the calling thread works alone. */
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
