/** Search for the images of a folder that are most similar to others. */
import { realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Model } from "../checkpoint/metadata.ts";
import { sortedByPath } from "../dataset/folder/codePoints.ts";
import type { FileEntry } from "../dataset/folder/folderEntries.ts";
import { ancestorsOf, searchFolder } from "../dataset/folder/folderSearch.ts";
import { requireLimit } from "../dataset/limit.ts";
import { DataError } from "../errors.ts";
import { type ImageInput, nameOfInput, readImageInput } from "../image/files/imageInput.ts";
import { type LayerOutputs, lastHiddenLayer, openLayerOutputs } from "../model/layerOutputs.ts";
import type { OpenOptions } from "../model/openModel.ts";
import { createPredictionInput } from "../model/predictionInput.ts";
import type { PlacedLayer } from "../network/network.ts";
import { drawImageRows, type ImageRows } from "../report/figures/imageRows.ts";
import { zoom } from "../report/figures/tiles.ts";
import { truncateStart } from "../report/text.ts";
import { sizeOf } from "../shape.ts";
import { createInputImage } from "./inputImage.ts";

/** Options of a search for similar images. */
export interface SimilarOptions extends Omit<OpenOptions, "batchSize" | "precision" | "calibration"> {
  /** Images found for each. Default 6, as in the paper. */
  readonly top?: number;
  /** Layer whose outputs are compared. Default: the last hidden layer. */
  readonly layer?: string;
  /** Called after each batch of images. */
  readonly onProgress?: (images: number, of: number) => void;
  /** Called for each unreadable file. */
  readonly onBad?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** An image and its distance from the query. */
export interface Neighbour {
  readonly file: string;
  /** Euclidean distance between the layer's outputs. */
  readonly distance: number;
}

/** The images most similar to a query, by a layer's outputs. */
export interface SimilarPictures {
  readonly layer: string;
  readonly features: number;
  /** Number of images searched. */
  readonly pictures: number;
  readonly bad: number;
  readonly queries: readonly { readonly query: string; readonly nearest: readonly Neighbour[] }[];
}

const BATCH = 32;

/**
 * Finds the images below a folder whose features have the smallest Euclidean distance from those of each query, nearest first; ties are in
 * order of name. A query inside the folder is not its own result. Returns undefined if the signal is aborted.
 *
 * Throws the errors of `openClassifier`, DataError for an unreadable query or a folder without images, and ConfigError for an unknown
 * layer.
 * Source: Krizhevsky et al. 2012, §6.1, figure 4.
 */
export async function findSimilar(
  path: string,
  folder: string,
  queries: readonly ImageInput[],
  { top = 6, layer, onProgress, onBad, signal, ...options }: SimilarOptions = {},
): Promise<(SimilarPictures & { readonly svg: string }) | undefined> {
  requireLimit("top", top);
  const files = await imagesBelow(folder);
  const opened = await openLayerOutputs(path, (network) => [layer ?? lastHiddenLayer(network)], {
    ...options,
    batchSize: BATCH,
  });
  try {
    const featuresOf = createExtractor(opened, options.onMessage);
    const asked = await featuresOfQueries(featuresOf, queries);
    const search = await createSearch(folder, queries, asked, top);
    let bad = 0;
    for (let start = 0; start < files.length; start += BATCH) {
      if (signal?.aborted) return undefined;
      const some = files.slice(start, start + BATCH).map((file) => ({ file, input: join(folder, file) }));
      const found = await featuresOf(some, (error) => {
        bad++;
        onBad?.(error.message);
      });
      for (const features of found) search.add(features);
      onProgress?.(Math.min(start + BATCH, files.length), files.length);
    }
    if (bad === files.length) throw new DataError(`${folder}: none of its ${bad} images can be read`);
    const [{ layer: compared, outputShape }] = opened.layers as readonly [PlacedLayer];
    const made = {
      layer: compared.name,
      features: sizeOf(outputShape),
      pictures: files.length - bad,
      bad,
      queries: queries.map((query, q) => ({
        query: nameOfInput(query),
        nearest: search.nearest[q] as readonly Neighbour[],
      })),
    };
    return { ...made, svg: await drawSimilar(opened.model, folder, queries, made) };
  } finally {
    await opened.close();
  }
}

async function featuresOfQueries(featuresOf: ReturnType<typeof createExtractor>, queries: readonly ImageInput[]) {
  const asked: Float32Array[] = [];
  for (const query of queries) {
    const found = await featuresOf([{ file: nameOfInput(query), input: query }], (error) => {
      throw error;
    });
    asked.push(...found.map(({ values }) => values));
  }
  return asked;
}

/** Collects the nearest images of each query, without the query's own file. */
async function createSearch(
  folder: string,
  queries: readonly ImageInput[],
  asked: readonly Float32Array[],
  top: number,
) {
  const own = await Promise.all(queries.map(fileOf));
  const root = await realpath(folder);
  const nearest = queries.map((): Neighbour[] => []);
  return {
    nearest,
    add({ file, values }: Features) {
      asked.forEach((query, q) => {
        if (join(root, file) === own[q]) return;
        insert(nearest[q] as Neighbour[], { file: join(folder, file), distance: distanceOf(query, values) }, top);
      });
    },
  };
}

/** Real path of a query given as a file. */
async function fileOf(query: ImageInput): Promise<string | undefined> {
  const isFile = typeof query === "string" || query instanceof URL;
  return isFile ? realpath(query) : undefined;
}

/** Image paths relative to the folder, sorted. Throws DataError if there are none. */
async function imagesBelow(folder: string): Promise<readonly string[]> {
  const root = resolve(folder);
  const images: FileEntry[] = [];
  const search = { root, seen: new Set(await ancestorsOf(dirname(root))), skipped: [] };
  await searchFolder(search, "", images);
  if (images.length === 0) throw new DataError(`${folder}: expected a folder that contains images, found none`);
  return sortedByPath(images).map(({ path }) => path);
}

interface Features {
  readonly file: string;
  /** In memory of its own. */
  readonly values: Float32Array;
}

/** Returns a function that reads images and computes their features; it reports unreadable images to `onBad`. */
function createExtractor({ model, forward }: LayerOutputs, onMessage: OpenOptions["onMessage"]) {
  const prepare = createPredictionInput(model.preprocessing, onMessage);
  const imageSize = sizeOf(model.network.input);
  const input = new Float32Array(BATCH * imageSize);
  return async (
    files: readonly { readonly file: string; readonly input: ImageInput }[],
    onBad: (error: DataError) => void,
  ): Promise<readonly Features[]> => {
    const images = await Promise.all(files.map(({ input }) => readOrError(input)));
    const good: string[] = [];
    const names: string[] = [];
    images.forEach((image, i) => {
      if (image instanceof DataError) onBad(image);
      else {
        prepare(image, input, good.length * imageSize);
        good.push((files[i] as { readonly file: string }).file);
        names.push(nameOfInput((files[i] as { readonly input: ImageInput }).input));
      }
    });
    if (good.length === 0) return [];
    const nameOf = (row: number) => names[row] as string;
    const outputs = (await forward(input, good.length, undefined, nameOf))[0] as Float32Array;
    const size = outputs.length / good.length;
    return good.map((file, i) => ({ file, values: outputs.slice(i * size, (i + 1) * size) }));
  };
}

async function readOrError(input: ImageInput) {
  try {
    return await readImageInput(input);
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
}

/** Euclidean distance: √Σ (a − b)². */
function distanceOf(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return Math.sqrt(sum);
}

/** Inserts into the `top` nearest, in order; ties keep their order of arrival. */
function insert(nearest: Neighbour[], candidate: Neighbour, top: number): void {
  const before = nearest.findIndex(({ distance }) => candidate.distance < distance);
  if (before < 0) nearest.push(candidate);
  else nearest.splice(before, 0, candidate);
  nearest.length = Math.min(nearest.length, top);
}

/** Content of the figure. */
interface ShownImages {
  readonly layer: string;
  readonly features: number;
  readonly pictures: number;
  readonly queries: readonly {
    readonly query: string;
    readonly nearest: readonly { readonly file: string; readonly distance: number }[];
  }[];
}

const SHOWN_SIDE = 192;

/** Draws one row per query: the query, then the results. */
async function drawSimilar(
  { network, preprocessing }: Model,
  folder: string,
  queries: readonly ImageInput[],
  found: ShownImages,
): Promise<string> {
  const seen = createInputImage(preprocessing);
  const shown = async (asked: ImageInput, line: string) => {
    const file = nameOfInput(asked);
    const fitted = seen(await readImageInput(asked));
    const factor = Math.max(1, Math.round(SHOWN_SIDE / Math.max(fitted.width, fitted.height)));
    const image = zoom(fitted, factor);
    return { image, lines: [line, truncateStart(file, Math.floor(image.width / 11.2))] };
  };
  const rows: ImageRows["rows"][number][] = [];
  for (const [q, { query, nearest }] of found.queries.entries()) {
    const images = [await shown(queries[q] as ImageInput, "query")];
    for (const { file, distance } of nearest) images.push(await shown(file, `distance ${distance.toPrecision(3)}`));
    rows.push({ heading: query, images });
  }
  const what = `nearest of ${found.pictures} images in ${folder} by the ${found.features} outputs of ${found.layer}`;
  return drawImageRows({ title: `${network.name}: ${what}`, rows });
}
