import { ConfigError, ShapeError } from "../errors.ts";
import { createPreprocessor, type Preprocessing } from "../image/preprocess.ts";
import type { Split } from "./dataset.ts";

/** Prepared pictures for one step. Valid until the next batch is asked for, which takes the same memory. */
export interface Batch {
  /** [batchSize, channels, height, width]; pictures past `count` are zero. */
  readonly images: Float32Array;
  /** [batchSize] classes; 0 past `count`. */
  readonly labels: Int32Array;
  /** [batchSize] positions in the split; 0 past `count`. */
  readonly indices: Uint32Array;
  /** Pictures in this batch: batchSize, or fewer in the last. */
  readonly count: number;
}

export interface BatchOptions {
  readonly split: Split;
  readonly preprocessing: Preprocessing;
  readonly batchSize: number;
  /** Positions in the split, in the order wanted. Default: all, as they lie. */
  readonly order?: Uint32Array | undefined;
  /** Place in the order to start at, to go on in the middle of an epoch. Default: 0. */
  readonly from?: number | undefined;
  /** Where pictures are prepared, such as a program's own input: it becomes `images` of every batch. Default: new memory. */
  readonly into?: Float32Array | undefined;
}

/**
 * The pictures of a split, batch by batch, each prepared when it is asked for. That is not done ahead, or by another thread: where
 * every core computes, it would take from the steps what it saves between them. Only what lies on a disk is read ahead, for the next batch.
 *
 * Throws ConfigError if the batch size is not a positive whole number, ShapeError if `into` has not the size of a batch.
 */
export function batches(options: BatchOptions): AsyncIterable<Batch> {
  const { batchSize, preprocessing, into } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ConfigError(`batch size: expected a positive whole number, got ${batchSize}`);
  }
  const { channels, size } = preprocessing;
  const imageSize = channels * size[0] * size[1];
  const images = into ?? new Float32Array(batchSize * imageSize);
  if (images.length !== batchSize * imageSize) {
    throw new ShapeError(
      `batch: expected memory for ${batchSize} pictures of ${channels}×${size.join("×")}, got ${images.length} numbers`,
    );
  }
  return generate(options, images, imageSize);
}

async function* generate(
  { split, preprocessing, batchSize, order, from = 0 }: BatchOptions,
  images: Float32Array,
  imageSize: number,
): AsyncGenerator<Batch> {
  const prepare = createPreprocessor(preprocessing);
  const labels = new Int32Array(batchSize);
  const indices = new Uint32Array(batchSize);
  const length = order?.length ?? split.length;
  const prefetch = (start: number) => split.prefetch?.(positions(order, start, Math.min(start + batchSize, length)));
  let reading = prefetch(from);
  for (let start = from; start < length; start += batchSize) {
    await reading;
    const count = Math.min(batchSize, length - start);
    for (let row = 0; row < count; row++) {
      const index = order ? (order[start + row] as number) : start + row;
      indices[row] = index;
      labels[row] = split.label(index);
      prepare(split.image(index), images, row * imageSize);
    }
    if (count < batchSize) {
      images.fill(0, count * imageSize);
      labels.fill(0, count);
      indices.fill(0, count);
    }
    // While this batch is computed, the next one is read.
    reading = prefetch(start + batchSize);
    yield { images, labels, indices, count };
  }
}

/** Positions in the split at these places of the order. */
function positions(order: Uint32Array | undefined, start: number, end: number): Uint32Array {
  return order?.subarray(start, end) ?? Uint32Array.from({ length: Math.max(end - start, 0) }, (_, i) => start + i);
}
