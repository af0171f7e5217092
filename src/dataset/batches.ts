import { ConfigError } from "../errors.ts";
import { createPreprocessor, type Preprocessing } from "../image/preprocess.ts";
import type { Split } from "./dataset.ts";

/** Prepared pictures for one step. Valid until the next batch but one is asked for: two buffers are used in turn. */
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
}

/**
 * The pictures of a split, batch by batch, each prepared when it is asked for: ask for the next one early to have it
 * prepared while one is in use.
 *
 * Throws ConfigError if the batch size is not a positive whole number.
 */
export function batches(options: BatchOptions): AsyncIterable<Batch> {
  const { batchSize } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ConfigError(`batch size: expected a positive whole number, got ${batchSize}`);
  }
  return generate(options);
}

async function* generate({ split, preprocessing, batchSize, order, from = 0 }: BatchOptions): AsyncGenerator<Batch> {
  const prepare = createPreprocessor(preprocessing);
  const imageSize = preprocessing.channels * preprocessing.size[0] * preprocessing.size[1];
  const length = order?.length ?? split.length;
  const buffers = [0, 1].map(() => ({
    images: new Float32Array(batchSize * imageSize),
    labels: new Int32Array(batchSize),
    indices: new Uint32Array(batchSize),
  }));
  for (let start = from, turn = 0; start < length; start += batchSize, turn = 1 - turn) {
    const { images, labels, indices } = buffers[turn] as (typeof buffers)[number];
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
    yield { images, labels, indices, count };
  }
}
