/** Prepared batches in any order, and computing on one while the next is prepared. */
import { ConfigError, ShapeError } from "../../errors.ts";
import { centreView, type View } from "../../image/prepare/views.ts";
import type { Split } from "../dataset.ts";
import type { Preparation } from "./preparation.ts";

/** Prepared images for one step. */
export interface Batch {
  /** [batchSize, channels, height, width]; images past `count` are zero. Valid until the next batch that is prepared in the same memory. */
  readonly images: Float32Array;
  /** [batchSize] classes; 0 past `count`. Valid until the batch after the next is asked for. */
  readonly labels: Int32Array;
  /** [batchSize] positions in the split; 0 past `count`. Valid until the batch after the next is asked for. */
  readonly indices: Uint32Array;
  /** Images in this batch: batchSize, or fewer in the last. */
  readonly count: number;
  /** Index of the view that they are prepared in. */
  readonly view: number;
}

/** Order of the images of a split, and how they are prepared. */
export interface BatchOptions {
  readonly split: Split;
  readonly preparation: Preparation;
  readonly batchSize: number;
  /** Positions in the split, in the order wanted. Default: all, in the split's order. */
  readonly order?: Uint32Array | undefined;
  /** Place in the order to start at, to resume in the middle of an epoch. Default: 0. */
  readonly from?: number | undefined;
  /** Epoch of training, if the preparation is random: an image's position in the split is the index of its use, see `usesOf`. Default: as in evaluation. */
  readonly epoch?: number | undefined;
  /** Each batch comes once in each of these, one after the other. Default: the fit's own. */
  readonly views?: readonly View[] | undefined;
  /**
   * Memory for `images`: one array for all batches, or a function that gives each batch its own, such as a program's next input. Default: one new
   * array, not shared.
   */
  readonly into?: Float32Array | (() => Promise<Float32Array>) | undefined;
}

/**
 * The images of a split, batch by batch, each prepared when it is asked for.
 *
 * Throws ConfigError if the batch size is not a positive integer or there is no view, ShapeError if `into` has not the size of a batch.
 */
export function batches(options: BatchOptions): AsyncIterable<Batch> {
  const { batchSize, views, into } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ConfigError(`batch size: expected a positive whole number, got ${batchSize}`);
  }
  if (views?.length === 0) throw new ConfigError("views: expected at least one, got none");
  if (typeof into === "function") return generate(options, into);
  const images = into ?? new Float32Array(batchSize * imageSizeOf(options));
  checkMemory(images, options);
  return generate(options, async () => images);
}

function imageSizeOf({ split, preparation }: BatchOptions): number {
  const { channels, size } = preparation.preprocessing;
  return split.features?.length ?? channels * size[0] * size[1];
}

function checkMemory({ length }: Float32Array, options: BatchOptions): void {
  const { batchSize, split, preparation } = options;
  if (length === batchSize * imageSizeOf(options)) return;
  const { channels, size } = preparation.preprocessing;
  const of = split.features?.length ?? `${channels}×${size.join("×")}`;
  throw new ShapeError(`batch: expected memory for ${batchSize} images of ${of}, got ${length} numbers`);
}

/**
 * Computes on batches one after the other, and prepares the next one meanwhile: `start` begins the work on a batch, then the next batch is prepared, then
 * the batch comes with the promise of its result. Where `start` blocks, the one just follows the other.
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
      // Rejections are left to where the promises are awaited: a batch that cannot be prepared ends the loop after the one before it.
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
  const uses = order && epoch !== undefined ? usesOf(order, split.length) : undefined;
  const labelMemory = [new Int32Array(batchSize), new Int32Array(batchSize)] as const;
  let prepared = 0;
  const take = batchTaker(options);
  let batch = take(from);
  for (let start = from; batch.count > 0; start += batchSize) {
    const { indices, count, reading } = batch;
    await reading;
    for (const [number, view] of views.entries()) {
      const images = await input();
      checkMemory(images, options);
      const labels = labelMemory[prepared++ % 2 === 0 ? 0 : 1];
      const own = uses?.subarray(start, start + count) ?? indices;
      if (!features) preparation.prepare({ split, indices, uses: own, count, epoch, view, images });
      for (let row = 0; row < count; row++) {
        const index = indices[row] as number;
        labels[row] = split.label(index);
        features?.write(index, epoch ?? 0, images, row * imageSize);
      }
      images.fill(0, count * imageSize);
      labels.fill(0, count);
      // Read while this batch is computed for the last time.
      if (number === views.length - 1) batch = take(start + batchSize);
      yield { images, labels, indices, count, view: number };
    }
  }
}

/** Takes the indices of the batch that begins at a place of the order, and begins to read its images. */
function batchTaker({ split, batchSize, order, epoch }: BatchOptions) {
  const { features } = split;
  const length = order?.length ?? split.length;
  // The batch that is computed, the one that is prepared, the one that is read.
  const memory = [0, 1, 2].map(() => new Uint32Array(batchSize));
  let taken = 0;
  return (start: number) => {
    const indices = memory[taken++ % memory.length] as Uint32Array<ArrayBuffer>;
    const count = Math.max(Math.min(batchSize, length - start), 0);
    for (let row = 0; row < count; row++) indices[row] = order ? (order[start + row] as number) : start + row;
    indices.fill(0, count);
    const wanted = indices.subarray(0, count);
    const reading = features ? features.prefetch(wanted, epoch ?? 0) : split.prefetch?.(wanted);
    // A consumer that leaves before it is read need not learn that it failed.
    reading?.catch(() => {});
    return { indices, count, reading };
  };
}

/**
 * For each place of an order, the number of that use of an image, on which its random changes depend: its position, plus the split's length for each
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
