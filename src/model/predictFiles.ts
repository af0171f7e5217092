/** Predictions and features of any number of image files. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Model } from "../checkpoint/metadata.ts";
import { type FileEntry, fileSizes } from "../dataset/folder/folderEntries.ts";
import { searchFolder } from "../dataset/folder/folderSearch.ts";
import { type SkippedFile, skippedNotes } from "../dataset/folder/skippedFile.ts";
import type { ImageJob } from "../dataset/pack/imageJob.ts";
import { type StreamedImage, streamImages } from "../dataset/pack/imageWorkers.ts";
import { DataError } from "../errors.ts";
import { isStochastic, type PlacedLayer } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { createFeatureWriter, rowFormatOf } from "./featureWriter.ts";
import type { FilePrediction, PredictFilesOptions } from "./filePrediction.ts";
import { expandFolds } from "./foldRuns.ts";
import { openLayerOutputs } from "./layerOutputs.ts";
import { openSource } from "./modelSource.ts";
import { openClassModel } from "./openModel.ts";
import { createPredictionInput } from "./predictionInput.ts";
import { predictRows, type RowPrediction } from "./predictRows.ts";

/** Image files: paths, or objects with paths. */
export type ImageFiles = string | readonly (string | ImageJob)[];

/** Throws DataError for anything else. */
function jobsOf(files: ImageFiles): readonly ImageJob[] {
  const list: readonly unknown[] = Array.isArray(files) ? files : [files];
  return list.map((file) => {
    if (typeof file === "string") return { path: file };
    if (typeof file === "object" && file !== null && "path" in file && typeof file.path === "string") {
      return file as ImageJob;
    }
    throw new DataError(`files: expected paths of image files, got ${file === null ? "null" : typeof file}`);
  });
}

/**
 * Expands paths to files: a file is itself, a folder is all its images, recursively, in order. Throws DataError for a folder without images, and
 * for a value that is not a path.
 */
export async function findPictures(
  paths: ImageFiles,
  onMessage?: (message: string) => void,
): Promise<readonly ImageJob[]> {
  const jobs: ImageJob[] = [];
  for (const { path } of jobsOf(paths)) {
    // A missing file is reported when it is read, like any other unreadable one.
    const isFolder = await stat(path).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (!isFolder) {
      jobs.push({ path });
      continue;
    }
    const skipped: SkippedFile[] = [];
    const found: FileEntry[] = [];
    await searchFolder({ root: path, seen: new Set(), skipped }, "", found);
    for (const note of skippedNotes(skipped)) onMessage?.(`${path}: ${note}`);
    if (found.length === 0) throw new DataError(`${path}: expected images in it or its subfolders, found none`);
    const files = found.map((file) => join(path, file.path));
    for (const [i, bytes] of (await fileSizes(files)).entries()) jobs.push({ path: files[i] as string, bytes });
  }
  return jobs;
}

/**
 * Classifies files with a run (its best weights), all folds of a cross-validation, or a weights file, in order, a batch at a time. Memory does not grow with their number. A file
 * that is not an image yields an error in its place; the others are classified.
 *
 * Throws CheckpointError or NativeError as `openClassifier`; the signal's reason if that is aborted.
 */
export async function* predictFiles(
  path: string,
  files: ImageFiles,
  options: PredictFilesOptions = {},
): AsyncGenerator<readonly FilePrediction[]> {
  const paths = await expandFolds([path]);
  const { model } = await openSource(paths[0] as string, options.openSource);
  // Random predictions are a function of the image alone, see `predictRows`.
  const batchSize = isStochastic(model.network) ? 1 : (options.batchSize ?? BATCH_SIZE);
  if (paths.length > 1) {
    const { predictEnsemble } = await import("./predictEnsemble.ts");
    return yield* predictEnsemble(paths, jobsOf(files), { ...options, batchSize });
  }
  const opened = await openClassModel(path, { ...options, batchSize });
  try {
    const { input } = opened.program;
    for await (const { pictures, count } of preparedBatches(model, input, jobsOf(files), options)) {
      const rows = count > 0 ? (await predictRows(opened, input, count, options)).values() : [].values();
      yield pictures.map((picture) =>
        "error" in picture
          ? { file: picture.path, error: picture.error }
          : { file: picture.path, ...(rows.next().value as RowPrediction) },
      );
    }
  } finally {
    opened.close();
  }
}

/** Result of writing the features of files. */
export interface WrittenFeatures {
  /** Shape of one image's features. */
  readonly shape: readonly number[];
  readonly written: number;
  readonly failed: number;
}

/**
 * Writes a layer's output for each file, in order: f32 [files, …shape], as .npy or .safetensors by the extension of `output`, and the names of the
 * files as JSON next to it. Both are written atomically.
 *
 * Throws ConfigError for an unknown layer or extension, CheckpointError if a file cannot be written, otherwise as `predictFiles`.
 */
export async function writeFeatures(
  path: string,
  files: ImageFiles,
  {
    layer,
    output,
    onBad,
    seed = 0,
    ...options
  }: PredictFilesOptions & {
    readonly layer: string;
    readonly output: string;
    readonly onBad?: (file: string, error: string) => void;
  },
): Promise<WrittenFeatures> {
  rowFormatOf(output);
  const jobs = jobsOf(files);
  const opened = await openLayerOutputs(path, () => [layer], {
    ...options,
    batchSize: options.batchSize ?? BATCH_SIZE,
  });
  try {
    const { model, input, layers } = opened;
    const [{ outputShape }] = layers as readonly [PlacedLayer];
    const writer = await createFeatureWriter(output, layer, outputShape);
    let [written, failed] = [0, 0];
    try {
      for await (const { pictures, count } of preparedBatches(model, input, jobs, options)) {
        const good = pictures.filter((picture) => "image" in picture).map((picture) => picture.path);
        if (count > 0) {
          const draws = { seed, first: written };
          const [features] = await opened.forward(input, count, draws, (row) => good[row] ?? `image ${row}`);
          await writer.add(good, features as Float32Array);
        }
        for (const picture of pictures) if ("error" in picture) onBad?.(picture.path, picture.error);
        written += count;
        failed += pictures.length - count;
      }
      await writer.finish();
    } finally {
      await writer.close();
    }
    return { shape: outputShape, written, failed };
  } finally {
    await opened.close();
  }
}

const BATCH_SIZE = 128;

interface PreparedBatch {
  readonly pictures: readonly StreamedImage[];
  /** Images in the input, in order, without unreadable ones. */
  readonly count: number;
}

/** Decodes and prepares images in `input`, a batch at a time; unreadable images take no row. */
export async function* preparedBatches(
  { preprocessing, network }: Model,
  input: Float32Array,
  files: readonly ImageJob[],
  { decodingThreads, onMessage, onProgress, signal }: PredictFilesOptions,
): AsyncGenerator<PreparedBatch> {
  const prepare = createPredictionInput(preprocessing, onMessage);
  const length = sizeOf(network.input);
  let done = 0;
  for await (const decoded of streamImages(files, {
    fitting: preprocessing,
    atATime: input.length / length,
    threads: decodingThreads,
    signal,
  })) {
    let count = 0;
    const pictures = decoded.map((picture): StreamedImage => {
      if ("error" in picture) return picture;
      prepare(picture.image, input, count * length);
      count++;
      return picture;
    });
    yield { pictures, count };
    done += pictures.length;
    onProgress?.(done, files.length);
    signal?.throwIfAborted();
  }
}
