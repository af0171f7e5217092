/** Images of a map, and the features computed for them. */
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Model } from "../checkpoint/metadata.ts";
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
import { classHeadOf } from "../training/evaluation/classHead.ts";
import { bestOf } from "../training/evaluation/metrics.ts";

/** Where images are looked for, and how many are taken. */
export interface MapImagesOptions {
  /** A folder. Default: what the run held out. */
  readonly folder?: string;
  readonly dataDir?: string;
  readonly limit: number;
  /** Called while images are decoded into the cache. */
  readonly onPacking?: (images: number, of: number) => void;
  /** Called with facts and warnings for people. */
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** An image of a map, before anything is computed of it. */
interface MapImage {
  /** Its position in the split; of a folder, among the images that could be read. */
  readonly index: number;
  readonly file?: string;
  /** Number of its class, where that is known. */
  readonly label?: number;
  /** As it was decoded; valid until the next call. */
  image(): Image;
}

/** Images, prepared in the network's input. */
export interface MapSource {
  /** At most so many. */
  readonly length: number;
  /** Where they are from, in words. */
  readonly name: string;
  /** The images of each batch that is in the input. */
  batches(): AsyncIterable<readonly MapImage[]>;
  close(): void;
}

/** Finds them. Throws as `loadEvaluationData`, or DataError for a folder without images. */
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
    name: "test pictures",
    async *batches() {
      for await (const { indices, count } of batches({ split, preparation, batchSize, into: input })) {
        yield Array.from(indices.subarray(0, count), (index) => {
          const own = split.path?.(index);
          const named = own === undefined ? {} : { file: own };
          return { index, ...named, label: split.label(index), image: () => split.image(index) };
        });
      }
    },
    close() {
      preparation.close();
      close();
    },
  };
}

/** The class of an image is the folder that it lies in, if the model has a class of that name. */
async function below(
  folder: string,
  { model, input }: LayerOutputs,
  { limit, onMessage, signal }: MapImagesOptions,
): Promise<MapSource> {
  const isFolder = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new DataError(`${folder}: expected a folder with pictures in it or below, found none`);
  const found = await findPictures([folder], onMessage);
  const labels = found.map(({ path }) => labelOf(path, model));
  const labelled = { length: found.length, label: (index: number) => labels[index] as number };
  const files = Array.from(limitedIndices(labelled, limit, "sorted", "given"), (index) => found[index] as ImageJob);
  const { length } = files;
  return {
    length,
    name: `pictures of ${basename(resolve(folder))}`,
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

/** The class that the folder of an image is named after; -1 if there is none. */
function labelOf(path: string, { classNames }: Model): number {
  return classNames.indexOf(basename(dirname(path)).normalize("NFC"));
}

/** An image with its class and the one predicted. */
export interface SeenImage extends Omit<MapImage, "image"> {
  readonly predicted: number;
}

/** Images with a row of features for each. */
export interface MapFeatures {
  readonly pictures: readonly SeenImage[];
  readonly length: number;
  /** [images, length]. */
  readonly values: Float32Array;
}

/** 2 GB. */
const MOST_NUMBERS = 2 ** 29;

/**
 * Runs the network over the images; `onImage` is given each of them as it was decoded. The layers that were opened are the one looked at, and the last.
 *
 * Throws ConfigError if their features do not fit in 2 GB, DataError if one is not finite; the signal's reason if that is aborted.
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
  const head = classHeadOf(model.head, classesOf(model.network), file);
  if (source.length * length > MOST_NUMBERS) {
    throw new ConfigError(
      `layer "${layer.name}": expected at most ${MOST_NUMBERS} features together, got ${source.length} pictures with ${length} each; ` +
        "give fewer with --limit, or a layer further on",
    );
  }
  const values = new Float32Array(source.length * length);
  const pictures: SeenImage[] = [];
  for await (const batch of source.batches()) {
    if (batch.length > 0) {
      const draws = { seed: 0, first: pictures.length };
      const nameOf = (row: number) => batch[row]?.file ?? `image ${batch[row]?.index}`;
      const outputs = await opened.forward(opened.input, batch.length, draws, nameOf);
      const features = (outputs[0] as Float32Array).subarray(0, batch.length * length);
      values.set(features, pictures.length * length);
      const scores = head.scores(outputs.at(-1) as Float32Array, batch.length);
      const classes = scores.length / batch.length;
      for (const [row, { image, ...picture }] of batch.entries()) {
        onImage(image());
        pictures.push({ ...picture, predicted: bestOf(scores.subarray(row * classes, (row + 1) * classes)) });
      }
    }
    onProgress?.(pictures.length, source.length);
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  return { pictures, length, values: values.subarray(0, pictures.length * length) };
}
