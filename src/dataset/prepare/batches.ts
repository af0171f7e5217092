/** Prepared batches in any order. */
import { ConfigError, ShapeError } from "../../errors.ts";
import { centreView, type View } from "../../image/prepare/views.ts";
import type { Split } from "../dataset.ts";
import type { Preparation } from "./preparation.ts";

/** Prepared images for one step. Valid until the next batch is asked for, which takes the same memory. */
export interface Batch {
  /** [batchSize, channels, height, width]; images past `count` are zero. */
  readonly images: Float32Array;
  /** [batchSize] classes; 0 past `count`. */
  readonly labels: Int32Array;
  /** [batchSize] positions in the split; 0 past `count`. */
  readonly indices: Uint32Array;
  /** Images in this batch: batchSize, or fewer in the last. */
  readonly count: number;
  /** Number of the view that they are prepared in. */
  readonly view: number;
}

/** Selection, order and preparation of a batch's images. */
export interface BatchOptions {
  readonly split: Split;
  readonly preparation: Preparation;
  readonly batchSize: number;
  /** Positions in the split, in the order wanted. Default: all, as they lie. */
  readonly order?: Uint32Array | undefined;
  /** Place in the order to start at, to go on in the middle of an epoch. Default: 0. */
  readonly from?: number | undefined;
  /** Training epoch, if the preparation is random: an image's position in the split is the index of its use, see `usesOf`. Default: as in evaluation. */
  readonly epoch?: number | undefined;
  /** Each batch comes once in each of these, one after the other. Default: the fit's own. */
  readonly views?: readonly View[] | undefined;
  /** Target of the prepared images, such as a program's own input: it becomes `images` of every batch. Default: new memory, not shared. */
  readonly into?: Float32Array | undefined;
}

/**
 * The images of a split, batch by batch, each prepared when it is asked for.
 *
 * Throws ConfigError if the batch size is not a positive whole number or there is no view, ShapeError if `into` has not the size of a batch.
 */
export function batches(options: BatchOptions): AsyncIterable<Batch> {
  const { batchSize, preparation, views, into } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ConfigError(`batch size: expected a positive whole number, got ${batchSize}`);
  }
  if (views?.length === 0) throw new ConfigError("views: expected at least one, got none");
  const { channels, size } = preparation.preprocessing;
  const imageSize = options.split.features?.length ?? channels * size[0] * size[1];
  const images = into ?? new Float32Array(batchSize * imageSize);
  if (images.length !== batchSize * imageSize) {
    throw new ShapeError(
      `batch: expected memory for ${batchSize} pictures of ${options.split.features?.length ?? `${channels}×${size.join("×")}`}, got ${images.length} numbers`,
    );
  }
  return generate(options, images, imageSize);
}

async function* generate(
  { split, preparation, batchSize, order, from = 0, epoch, views = [centreView] }: BatchOptions,
  images: Float32Array,
  imageSize: number,
): AsyncGenerator<Batch> {
  const { features } = split;
  const uses = order && epoch !== undefined ? usesOf(order, split.length) : undefined;
  const labels = new Int32Array(batchSize);
  const length = order?.length ?? split.length;
  const take = (start: number, indices: Uint32Array<ArrayBuffer>) => {
    const count = Math.max(Math.min(batchSize, length - start), 0);
    for (let row = 0; row < count; row++) indices[row] = order ? (order[start + row] as number) : start + row;
    indices.fill(0, count);
    const wanted = indices.subarray(0, count);
    const reading = features ? features.prefetch(wanted, epoch ?? 0) : split.prefetch?.(wanted);
    // Whoever leaves before it is read need not know that it failed.
    reading?.catch(() => {});
    return { indices, count, reading };
  };
  let batch = take(from, new Uint32Array(batchSize));
  let spare = new Uint32Array(batchSize);
  for (let start = from; batch.count > 0; start += batchSize) {
    const { indices, count, reading } = batch;
    await reading;
    for (const [number, view] of views.entries()) {
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
      if (number === views.length - 1) batch = take(start + batchSize, spare);
      yield { images, labels, indices, count, view: number };
    }
    spare = indices;
  }
}

/**
 * For each place of an order, the number of that use of an image, from which what is random in it follows: its position, and where an image comes
 * again, so many lengths of the split more.
 */
function usesOf(order: Uint32Array, length: number): Uint32Array {
  const seen = new Uint32Array(length);
  return order.map((index) => {
    const earlier = seen[index] as number;
    seen[index] = earlier + 1;
    return index + earlier * length;
  });
}
