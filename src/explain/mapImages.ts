/** The pictures that a map is of: what a run holds out, or those of a folder. */
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { ImageJob } from "../dataset/pack/imageJob.ts";
import { batches } from "../dataset/prepare/batches.ts";
import { createPreparation } from "../dataset/prepare/preparation.ts";
import { DataError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import { loadEvaluationData } from "../model/evaluationData.ts";
import type { LayerOutputs } from "../model/layerOutputs.ts";
import { findPictures, preparedBatches } from "../model/predictFiles.ts";
import { sizeOf } from "../shape.ts";

/** Where pictures are looked for, and how many are taken. */
export interface MapPicturesOptions {
  /** A folder. Default: what the run held out. */
  readonly folder?: string;
  readonly dataDir?: string;
  readonly limit: number;
  readonly onPacking?: (images: number, of: number) => void;
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** A picture of a map, before anything is computed of it. */
export interface MapPicture {
  /** Its position in the split; of a folder, among the pictures that could be read. */
  readonly index: number;
  readonly file?: string;
  /** Number of its class, where that is known. */
  readonly label?: number;
  /** As it was decoded; valid until the next call. */
  image(): Image;
}

/** Pictures, prepared in the network's input. */
export interface MapSource {
  /** At most so many. */
  readonly length: number;
  /** Where they are from, in words. */
  readonly name: string;
  /** The pictures of each batch that is in the input. */
  batches(): AsyncIterable<readonly MapPicture[]>;
  close(): void;
}

/** Finds them. Throws as `loadEvaluationData`, or DataError for a folder without pictures. */
export function openMapPictures(path: string, opened: LayerOutputs, options: MapPicturesOptions): Promise<MapSource> {
  const { folder } = options;
  return folder === undefined ? heldOut(path, opened, options) : below(folder, opened, options);
}

async function heldOut(
  path: string,
  { model, file, threads, input }: LayerOutputs,
  { folder: _, ...options }: MapPicturesOptions,
): Promise<MapSource> {
  const { split, close } = await loadEvaluationData(path, file, model, options);
  const { preprocessing, network } = model;
  const preparation = createPreparation({ preprocessing, threads });
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

/** The class of a picture is the folder that it lies in, if the model has a class of that name. */
async function below(
  folder: string,
  { model, input }: LayerOutputs,
  { limit, onMessage, signal }: MapPicturesOptions,
): Promise<MapSource> {
  const isFolder = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new DataError(`${folder}: expected a folder with pictures in it or below, found none`);
  const found = await findPictures([folder], onMessage);
  const length = Math.min(limit, found.length);
  // Spread over all of them, so that every folder has its share.
  const files = Array.from({ length }, (_, i) => found[Math.floor((i * found.length) / length)] as ImageJob);
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
          const label = model.classNames.indexOf(basename(dirname(picture.path)));
          const known = label < 0 ? {} : { label };
          return { index: index++, file: picture.path, ...known, image: () => picture.image };
        });
      }
    },
    close() {},
  };
}
