/** Batches of preprocessed images; the next batch is prepared while one is computed. */
import { ConfigError, ShapeError } from "../../errors.ts";
import { centreView, type View } from "../../image/prepare/views.ts";
import type { Split } from "../dataset.ts";
import type { Preparation } from "./preparation.ts";

/** Preprocessed images for one step. */
export interface Batch {
  /**
   * [batchSize, channels, height, width]; zero after `count` images. With `rows`, these rows only. Valid until the next batch is prepared in the same
   * memory.
   */
  readonly images: Float32Array;
  /** [batchSize] labels; 0 after `count`. Valid until the batch after the next is requested. */
  readonly labels: Int32Array;
  /** [batchSize] indices in the split; 0 after `count`. Valid until the batch after the next is requested. */
  readonly indices: Uint32Array;
  /** Number of images in this batch: batchSize, or fewer in the last. */
  readonly count: number;
  /** Index of the view that the images are prepared in. */
  readonly view: number;
}

/** Consecutive rows of a batch. */
interface Rows {
  readonly first: number;
  readonly count: number;
}

/** Images of a split, their order and their preprocessing. */
export interface BatchOptions {
  readonly split: Split;
  readonly preparation: Preparation;
  readonly batchSize: number;
  /** Indices in the split, in order. Default: all. */
  readonly order?: Uint32Array | undefined;
  /** Position in the order to start at, for resuming in the middle of an epoch. Default: 0. */
  readonly from?: number | undefined;
  /** Training epoch, for random augmentation. The index of an image selects its random values, see `usesOf`. Default: as in evaluation. */
  readonly epoch?: number | undefined;
  /** Views to prepare: each batch comes once per view, in this order. Default: the fit's own view. */
  readonly views?: readonly View[] | undefined;
  /** Rows of each batch to prepare, for a process that computes a part; labels and indices are those of all rows. Default: all. */
  readonly rows?: Rows | undefined;
  /**
   * Memory for `images`: one array for all batches, or a function that returns one per batch, such as a program's next input. Default: one new,
   * unshared array.
   */
  readonly into?: Float32Array | (() => Promise<Float32Array>) | undefined;
}

/**
 * Batches of a split, each prepared when it is requested.
 *
 * Throws ConfigError if the batch size is not a positive integer or there are no views, and ShapeError if `into` does not have a batch's size.
 */
export function batches(options: BatchOptions): AsyncIterable<Batch> {
  const { batchSize, views, into } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ConfigError(`batch size: expected a positive whole number, got ${batchSize}`);
  }
  if (views?.length === 0) throw new ConfigError("views: expected at least one, got none");
  if (typeof into === "function") return generate(options, into);
  const images = into ?? new Float32Array(preparedRows(options).count * imageSizeOf(options));
  checkMemory(images, options);
  return generate(options, async () => images);
}

function preparedRows({ rows, batchSize }: BatchOptions): Rows {
  return rows ?? { first: 0, count: batchSize };
}

function imageSizeOf({ split, preparation }: BatchOptions): number {
  const { channels, size } = preparation.preprocessing;
  return split.features?.length ?? channels * size[0] * size[1];
}

function checkMemory({ length }: Float32Array, options: BatchOptions): void {
  const { split, preparation } = options;
  const { count } = preparedRows(options);
  if (length === count * imageSizeOf(options)) return;
  const { channels, size } = preparation.preprocessing;
  const of = split.features?.length ?? `${channels}×${size.join("×")}`;
  throw new ShapeError(`batch: expected memory for ${count} images of ${of}, got ${length} numbers`);
}

/**
 * Computes on batches in order, and prepares the next batch meanwhile: `start` begins the work on a batch, the next batch is prepared, then the batch
 * is returned with the promise of its result. If `start` blocks, preparation follows computation.
 */
export async function* computing<T>(
  source: AsyncIterable<Batch>,
  start: (batch: Batch) => Promise<T>,
): AsyncGenerator<{ readonly batch: Batch; readonly result: Promise<T> }> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (let next = await iterator.next(); !next.done; ) {
      const batch = next.value;
      const result = start(batch);
      // Rejections are handled where the promises are awaited: a batch that cannot be prepared ends the loop after the previous batch.
      result.catch(() => {});
      const following = iterator.next();
      await following.catch(() => {});
      yield { batch, result };
      next = await following;
    }
  } finally {
    await iterator.return?.();
  }
}

async function* generate(options: BatchOptions, input: () => Promise<Float32Array>): AsyncGenerator<Batch> {
  const { split, preparation, batchSize, order, from = 0, epoch, views = [centreView] } = options;
  const { features } = split;
  const imageSize = imageSizeOf(options);
  const rows = preparedRows(options);
  const uses = order && epoch !== undefined ? usesOf(order, split.length) : undefined;
  const labelMemory = [new Int32Array(batchSize), new Int32Array(batchSize)] as const;
  let prepared = 0;
  const take = batchTaker(options);
  let batch = take(from);
  for (let start = from; batch.count > 0; start += batchSize) {
    const { indices, count, reading } = batch;
    await reading;
    const own = Math.max(0, Math.min(rows.count, count - rows.first));
    const ownIndices = indices.subarray(rows.first, rows.first + rows.count);
    for (const [number, view] of views.entries()) {
      const images = await input();
      checkMemory(images, options);
      const labels = labelMemory[prepared++ % 2 === 0 ? 0 : 1];
      const ownUses = uses?.subarray(start + rows.first, start + rows.first + own) ?? ownIndices;
      const job = { split, indices: ownIndices, uses: ownUses, count: own, epoch, view, images };
      if (!features && own > 0) preparation.prepare(job);
      for (let row = 0; row < count; row++) labels[row] = split.label(indices[row] as number);
      for (let row = 0; row < own; row++) {
        features?.write(ownIndices[row] as number, epoch ?? 0, images, row * imageSize);
      }
      images.fill(0, own * imageSize);
      labels.fill(0, count);
      // Read while this batch is computed for the last time.
      if (number === views.length - 1) batch = take(start + batchSize);
      yield { images, labels, indices, count, view: number };
    }
  }
}

/** Returns a function that takes the indices of the batch at a position of the order, and starts reading its images. */
function batchTaker(options: BatchOptions) {
  const { split, batchSize, order, epoch } = options;
  const rows = preparedRows(options);
  const { features } = split;
  const length = order?.length ?? split.length;
  // The batch being computed, the one being prepared, and the one being read.
  const memory = [0, 1, 2].map(() => new Uint32Array(batchSize));
  let taken = 0;
  return (start: number) => {
    const indices = memory[taken++ % memory.length] as Uint32Array<ArrayBuffer>;
    const count = Math.max(Math.min(batchSize, length - start), 0);
    for (let row = 0; row < count; row++) indices[row] = order ? (order[start + row] as number) : start + row;
    indices.fill(0, count);
    const wanted = indices.subarray(Math.min(rows.first, count), Math.min(rows.first + rows.count, count));
    const reading = features ? features.prefetch(wanted, epoch ?? 0) : split.prefetch?.(wanted);
    // A consumer that stops early does not need the error.
    reading?.catch(() => {});
    return { indices, count, reading };
  };
}

/**
 * Use number of each position of an order, which selects the random values of augmentation: the image's index, plus the split's length for each
 * earlier use of the same image.
 */
function usesOf(order: Uint32Array, length: number): Uint32Array {
  const seen = new Uint32Array(length);
  return order.map((index) => {
    const earlier = seen[index] as number;
    seen[index] = earlier + 1;
    return index + earlier * length;
  });
}
