/** Images of a map, and the features computed for them. */
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Model } from "../checkpoint/metadata.ts";
import { classesAt } from "../dataset/labelSets.ts";
import { limitedIndices } from "../dataset/limit.ts";
import type { ImageJob } from "../dataset/pack/imageJob.ts";
import { batches } from "../dataset/prepare/batches.ts";
import { createThreadedPreparation } from "../dataset/prepare/threadedPreparation.ts";
import { ConfigError, DataError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import { loadEvaluationData } from "../model/evaluationData.ts";
import type { LayerOutputs } from "../model/layerOutputs.ts";
import { findPictures, preparedBatches } from "../model/predictFiles.ts";
import { classesOf, type PlacedLayer } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { headOfModel } from "../training/evaluation/classHead.ts";
import { bestOf } from "../training/evaluation/metrics.ts";

/** Source and number of the images. */
export interface MapImagesOptions {
  /** Folder of images. Default: the run's held-out images. */
  readonly folder?: string;
  readonly dataDir?: string;
  readonly limit: number;
  /** Called while images are decoded into the cache. */
  readonly onPacking?: (images: number, of: number) => void;
  /** Called with facts and warnings for people. */
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** An image of a map before its features are computed. */
interface MapImage {
  /** Index in the split; for a folder, index among its readable images. */
  readonly index: number;
  readonly file?: string;
  /** Index of its class, if known. */
  readonly label?: number;
  /** Decoded pixels; valid until the next call. */
  image(): Image;
}

/** Images that are prepared batch by batch in the network's input. */
export interface MapSource {
  /** Maximum number of images. */
  readonly length: number;
  /** Description of the source. */
  readonly name: string;
  /** Images of the batch that is in the input. */
  batches(): AsyncIterable<readonly MapImage[]>;
  close(): void;
}

/** Opens the images. Throws the errors of `loadEvaluationData`, and DataError for a folder without images. */
export function openMapImages(path: string, opened: LayerOutputs, options: MapImagesOptions): Promise<MapSource> {
  const { folder } = options;
  return folder === undefined ? heldOut(path, opened, options) : below(folder, opened, options);
}

async function heldOut(
  path: string,
  { model, file, threads, input }: LayerOutputs,
  { folder: _, ...options }: MapImagesOptions,
): Promise<MapSource> {
  const { split, close } = await loadEvaluationData(path, file, model, options);
  const { preprocessing, network } = model;
  const preparation = createThreadedPreparation({ preprocessing, threads });
  const batchSize = input.length / sizeOf(network.input);
  return {
    length: split.length,
    name: "test images",
    async *batches() {
      for await (const { indices, count } of batches({ split, preparation, batchSize, into: input })) {
        yield Array.from(indices.subarray(0, count), (index) => {
          const own = split.path?.(index);
          const named = own === undefined ? {} : { file: own };
          const [label, ...others] = classesAt(split, index);
          // Images with several labels or none have no class of their own.
          const known = label === undefined || others.length > 0 ? {} : { label };
          return { index, ...named, ...known, image: () => split.image(index) };
        });
      }
    },
    close() {
      preparation.close();
      close();
    },
  };
}

/** Opens a folder. An image's class is the name of the folder that contains it, if the model has a class of that name. */
async function below(
  folder: string,
  { model, input }: LayerOutputs,
  { limit, onMessage, signal }: MapImagesOptions,
): Promise<MapSource> {
  const isFolder = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new DataError(`${folder}: expected a folder that contains images, found none`);
  const found = await findPictures([folder], onMessage);
  const labels = found.map(({ path }) => labelOf(path, model));
  const labelled = { length: found.length, label: (index: number) => labels[index] as number };
  const files = Array.from(limitedIndices(labelled, limit, "sorted", "given"), (index) => found[index] as ImageJob);
  const { length } = files;
  return {
    length,
    name: `images of ${basename(resolve(folder))}`,
    async *batches() {
      let index = 0;
      for await (const { pictures } of preparedBatches(model, input, files, signal ? { signal } : {})) {
        yield pictures.flatMap((picture) => {
          if ("error" in picture) {
            onMessage?.(`${picture.path}: ${picture.error}`);
            return [];
          }
          const label = labelOf(picture.path, model);
          const known = label < 0 ? {} : { label };
          return { index: index++, file: picture.path, ...known, image: () => picture.image };
        });
      }
    },
    close() {},
  };
}

/** Index of the class that the image's folder is named after; -1 if there is none. */
function labelOf(path: string, { classNames }: Model): number {
  return classNames.indexOf(basename(dirname(path)).normalize("NFC"));
}

/** An image with its true and predicted class. */
export interface SeenImage extends Omit<MapImage, "image"> {
  readonly predicted: number;
}

/** Images and their features, one row per image. */
export interface MapFeatures {
  readonly images: readonly SeenImage[];
  readonly length: number;
  /** [images, length]. */
  readonly values: Float32Array;
}

/** Limit of the features' memory: 2 GB. */
const MOST_NUMBERS = 2 ** 29;

/**
 * Runs the network over the images and calls `onImage` with each decoded image. The opened layers are the feature layer and the last layer.
 *
 * Throws ConfigError if the features exceed 2 GB, DataError if one is not finite, and the signal's reason on abort.
 */
export async function computeFeatures(
  opened: LayerOutputs,
  source: MapSource,
  onImage: (image: Image) => void,
  { onProgress, signal }: { onProgress?: (images: number, of: number) => void; signal?: AbortSignal },
): Promise<MapFeatures> {
  const [{ layer, outputShape }] = opened.layers as readonly [PlacedLayer];
  const length = sizeOf(outputShape);
  const { model, file } = opened;
  const head = headOfModel(model, classesOf(model.network), file);
  if (source.length * length > MOST_NUMBERS) {
    throw new ConfigError(
      `layer "${layer.name}": expected at most ${MOST_NUMBERS} features together, got ${source.length} images with ${length} each; ` +
        "give fewer with --limit, or choose a later layer",
    );
  }
  const values = new Float32Array(source.length * length);
  const images: SeenImage[] = [];
  for await (const batch of source.batches()) {
    if (batch.length > 0) {
      const draws = { seed: 0, first: images.length };
      const nameOf = (row: number) => batch[row]?.file ?? `image ${batch[row]?.index}`;
      const outputs = await opened.forward(opened.input, batch.length, draws, nameOf);
      const features = (outputs[0] as Float32Array).subarray(0, batch.length * length);
      values.set(features, images.length * length);
      const scores = head.scores(outputs.at(-1) as Float32Array, batch.length);
      const classes = scores.length / batch.length;
      for (const [row, { image, ...known }] of batch.entries()) {
        onImage(image());
        images.push({ ...known, predicted: bestOf(scores.subarray(row * classes, (row + 1) * classes)) });
      }
    }
    onProgress?.(images.length, source.length);
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  return { images, length, values: values.subarray(0, images.length * length) };
}
