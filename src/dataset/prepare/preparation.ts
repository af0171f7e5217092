/** Batch preparation on the calling thread. */
import { ClosedError } from "../../errors.ts";
import type { Preprocessing } from "../../image/prepare/preprocess.ts";
import { createRowPreparer, type PreparationJob, type RowOptions, type RowPreparer } from "./rows.ts";

/** Prepares the images of batches. The same job gives the same numbers to the bit, however many threads take part in it. */
export interface Preparation {
  readonly preprocessing: Preprocessing;
  /** Throws the preprocessor's errors, and ClosedError after `close`. */
  prepare(job: PreparationJob): void;
  /** Stops the threads. */
  close(): void;
}

/** Creates a preparation on the calling thread, which the caller closes. Throws the errors of `createPreprocessor`. */
export function createPreparation(options: RowOptions): Preparation {
  const prepareRow = createRowPreparer(options);
  let isClosed = false;
  return {
    preprocessing: options.preprocessing,
    prepare(job) {
      if (isClosed) throw new ClosedError("preparation");
      prepareAlone(job, prepareRow);
    },
    close() {
      isClosed = true;
    },
  };
}

/** Prepares every image of a job on the calling thread. */
export function prepareAlone(
  { split, indices, count, epoch, view, images, uses }: PreparationJob,
  prepare: RowPreparer,
): void {
  const imageSize = images.length / indices.length;
  for (let row = 0; row < count; row++) {
    prepare(split.image(indices[row] as number), uses[row] as number, epoch, view, images, row * imageSize);
  }
}
