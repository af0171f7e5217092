/** Cached features: the output of frozen layers for a data set's images, computed once to train the layers after them. */
import { createHash } from "node:crypto";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import type { Split } from "../dataset/dataset.ts";
import { type Batch, batches, computing } from "../dataset/prepare/batches.ts";
import type { Preparation } from "../dataset/prepare/preparation.ts";
import { createThreadedPreparation } from "../dataset/prepare/threadedPreparation.ts";
import type { Program } from "../engine/engine.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import { sizeOf } from "../shape.ts";
import { keepRows, type Rows, type RowsRequest } from "./featureFile.ts";

/** The frozen layers before the first trained one. */
export interface FrozenPart {
  /** Everything but the images that determines their output: layers, weights, engine, preprocessing, batch size. */
  readonly key: string;
  /** Names of the first and the last of them, for messages. */
  readonly what: string;
  readonly batchSize: number;
  /** Threads of the engine, which also prepare images. */
  readonly threads: number;
  readonly outputShape: readonly number[];
  /** Compiled on first use: cached features need no program. */
  program(): Promise<Program>;
}

/** Options of the cache, and callbacks. */
export interface KeptFeaturesOptions
  extends Pick<RowsRequest, "cacheDir" | "limitBytes" | "onProgress" | "onMessage" | "signal"> {
  readonly config: RunConfig;
  /** Number of views: 1 for that of evaluation, n for those of n epochs of training. */
  readonly views: number;
}

/** A split with features, and its `close`. */
export interface FeatureSplit {
  readonly split: Split;
  /** Number of rows computed by this call. */
  readonly computed: number;
  close(): Promise<void>;
}

/**
 * Returns the same split, with features for each image.
 *
 * Throws DataError if there is no disk space for them; the signal's reason if that is aborted.
 */
export async function withFeatures(
  split: Split,
  part: FrozenPart,
  options: KeptFeaturesOptions,
): Promise<FeatureSplit> {
  const { views, config } = options;
  const { recipe, colours } = config;
  const random = views > 1 ? { augmentation: recipe.augmentation, seed: recipe.seed, colours } : undefined;
  const preparation = createThreadedPreparation({ preprocessing: config.preprocessing, random, threads: part.threads });
  const pictures = await digestOf(split, part.batchSize, options.signal);
  const keeping = keepRows({
    ...options,
    key: digest(JSON.stringify({ part: part.key, pictures, views, random })).slice(0, 24),
    what: `features of ${part.what}`,
    rows: views * split.length,
    length: sizeOf(part.outputShape),
    compute: (from) => compute(split, part, options, preparation, from),
  });
  const rows = await keeping.finally(() => preparation.close());
  return {
    split: featureSplit(split, rows, sizeOf(part.outputShape), views),
    computed: rows.computed,
    close: rows.close,
  };
}

/** Row view · images + index: all images of one view, then those of the next. */
function featureSplit(split: Split, rows: Rows, length: number, views: number): Split {
  const images = split.length;
  const rowOf = (index: number, epoch: number) => (Math.floor(epoch) % views) * images + index;
  const wanted = new Map<number, Uint32Array>();
  return {
    ...split,
    features: {
      length,
      prefetch(indices, epoch) {
        const numbers = wanted.get(indices.length) ?? new Uint32Array(indices.length);
        wanted.set(indices.length, numbers);
        for (const [i, index] of indices.entries()) numbers[i] = rowOf(index, epoch);
        return rows.prefetch(numbers);
      },
      write: (index, epoch, target, offset) => rows.write(rowOf(index, epoch), target, offset),
    },
  };
}

async function* compute(
  split: Split,
  part: FrozenPart,
  { config: { recipe }, views }: KeptFeaturesOptions,
  preparation: Preparation,
  from: number,
): AsyncGenerator<Float32Array> {
  const program = await part.program();
  const { batchSize } = program;
  const into = () => program.nextInput();
  let start = from % split.length;
  for (let view = Math.floor(from / split.length); view < views; view++, start = 0) {
    const epoch = views > 1 ? view : undefined;
    const source = batches({ split, preparation, batchSize, from: start, epoch, into });
    // These layers have no dropout, so draws have no effect.
    const run = ({ images, count }: Batch) => program.forward(images, count, { seed: recipe.seed, first: 0 });
    for await (const { result } of computing(source, run)) {
      yield await result;
      // Native calls block the event loop: let it run timers and signal handlers.
      await new Promise(setImmediate);
    }
  }
}

/**
 * SHA-256 of a split's images, pixel by pixel, independent of their names and origin. Throws the signal's reason if that is
 * aborted: many images take minutes.
 */
async function digestOf(split: Split, batchSize: number, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  for (let start = 0; start < split.length; start += batchSize) {
    const count = Math.min(batchSize, split.length - start);
    await split.prefetch?.(Uint32Array.from({ length: count }, (_, i) => start + i));
    for (let i = start; i < start + count; i++) {
      const { width, height, channels, data } = split.image(i);
      hash.update(`${width} ${height} ${channels}\n`).update(data.subarray(0, width * height * channels));
    }
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  return hash.digest("hex");
}

/** SHA-256 of tensors: names, shapes and values. */
export async function digestOfTensors(source: TensorSource): Promise<string> {
  const hash = createHash("sha256");
  for (const { name, shape } of source.tensors) {
    const values = await source.read(name, new Float32Array(sizeOf(shape)));
    hash
      .update(JSON.stringify([name, shape]))
      .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest("hex");
}

export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
