/** Data sets from an iterable of labelled images. */
import { DataError, messageOf } from "../errors.ts";
import { imageOfPixels, type RawImage } from "../image/rawImage.ts";
import { fromArrays, type LabelledArrays, type MemoryOptions } from "./arrays.ts";
import type { Dataset } from "./dataset.ts";
import { explaining } from "./ownDataset.ts";

/** An image with its label, and the part of the data set that it belongs to. */
export interface LabelledImage {
  readonly image: RawImage;
  /** A class by its index or by its name; or a list of them, for images with several labels or none. */
  readonly label: number | string | readonly (number | string)[];
  /** Default: `train`, of which the validation set is held out. */
  readonly split?: "train" | "validation" | "test";
}

/** Options of a data set from an iterable. */
export interface IterableOptions extends MemoryOptions {
  /** Number of images to expect: an iterable that ends earlier is an error. Default: any number. */
  readonly length?: number;
  /** Aborting ends reading: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each image with the number of images so far. */
  readonly onProgress?: (images: number) => void;
}

/**
 * Creates a data set from an iterable of images, such as an async generator that reads files, a database or a stream. All are read once, copied, and kept
 * in memory, since training reads them in another order in every epoch.
 *
 * Throws DataError, naming the image, for an invalid image or label, for an iterable that throws (its error is the `cause`), or that ends before
 * `length` images; ConfigError as `fromArrays`; the signal's reason if that is aborted.
 */
export async function fromIterable(
  source: AsyncIterable<LabelledImage> | Iterable<LabelledImage>,
  options: IterableOptions = {},
): Promise<Dataset> {
  const { name = "data", length } = options;
  const parts = { train: newPart(), validation: newPart(), test: newPart() };
  let count = 0;
  for await (const { image, label, split = "train" } of readingAll(source, name, options)) {
    const part = parts[split];
    if (!part)
      throw new DataError(`${name}: image ${count}: split: expected train, validation or test, got "${split}"`);
    part.images.push(
      explaining(
        () => `${name}: image ${count}`,
        () => ownImage(image),
      ),
    );
    part.labels.push(label);
    count++;
    options.onProgress?.(count);
  }
  if (length !== undefined && count !== length) {
    throw new DataError(`${name}: expected ${length} images, but the iterable ended after ${count}`);
  }
  const { train, validation, test } = parts;
  const given = (part: typeof train) => (part.images.length > 0 ? part : undefined);
  const [own, tested] = [given(validation), given(test)];
  return fromArrays(train.images, train.labels as readonly string[], {
    ...options,
    ...(own && { validation: own as LabelledArrays }),
    ...(tested && { test: tested as LabelledArrays }),
  });
}

function newPart(): { readonly images: RawImage[]; readonly labels: LabelledImage["label"][] } {
  return { images: [], labels: [] };
}

/** A copy, since a generator may use its memory again for the next image. */
function ownImage(image: RawImage): RawImage {
  const { data, ...size } = imageOfPixels(image);
  return { ...size, data: data.slice() };
}

/** The items of a source until it ends or the signal is aborted, at which the source is closed. */
async function* readingAll(
  source: AsyncIterable<LabelledImage> | Iterable<LabelledImage>,
  name: string,
  { signal, length = Number.POSITIVE_INFINITY }: IterableOptions,
): AsyncGenerator<LabelledImage> {
  signal?.throwIfAborted();
  const aborted = abortedBy(signal);
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let isDone = false;
  try {
    for (let count = 0; count < length; count++) {
      const next = await Promise.race([Promise.resolve().then(() => iterator.next()), aborted.promise]).catch(
        (cause) => {
          if (signal?.aborted && cause === signal.reason) throw cause;
          isDone = true;
          throw new DataError(`${name}: image ${count}: ${messageOf(cause)}`, { cause });
        },
      );
      if (next.done) {
        isDone = true;
        return;
      }
      yield next.value;
    }
  } finally {
    aborted.stop();
    // A source that hangs in `next` also hangs in `return`: nobody waits for it.
    if (!isDone) void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** A promise that rejects with the signal's reason once that is aborted. */
function abortedBy(signal: AbortSignal | undefined): { readonly promise: Promise<never>; stop(): void } {
  let stop = () => {};
  const promise = new Promise<never>((_, reject) => {
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    stop = () => signal?.removeEventListener("abort", abort);
  });
  promise.catch(() => {});
  return { promise, stop };
}
