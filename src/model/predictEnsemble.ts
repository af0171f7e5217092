/** Predictions of an ensemble for any number of image files: the mean of the networks' probabilities. */
import { isDeepStrictEqual } from "node:util";
import type { ImageJob } from "../dataset/pack/imageJob.ts";
import { streamImages } from "../dataset/pack/imageWorkers.ts";
import { ConfigError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import { sizeOf } from "../shape.ts";
import { columnsOf } from "../training/evaluation/ensemble.ts";
import { checkSameHeads, classesOf, meanThresholds } from "./ensembleModels.ts";
import type { FilePrediction, PredictFilesOptions } from "./filePrediction.ts";
import { type ClassModel, openClassModel } from "./openModel.ts";
import { createPredictionInput } from "./predictionInput.ts";
import { predictProbabilities, type RowPrediction, rankClasses } from "./predictRows.ts";

/**
 * Classifies files with several runs or weights files, in order, a batch at a time, each network with its own normalization. Otherwise as
 * `predictFiles`. Throws ConfigError if heads, classes, or the fit of images differ.
 */
export async function* predictEnsemble(
  paths: readonly string[],
  files: readonly ImageJob[],
  options: PredictFilesOptions & { readonly batchSize: number },
): AsyncGenerator<readonly FilePrediction[]> {
  const opened: ClassModel[] = [];
  try {
    for (const path of paths) opened.push(await openClassModel(path, options));
    checkSameHeads(opened, options.threshold);
    const members = membersOf(opened, options);
    const [first] = opened;
    if (!first) return;
    const { decodingThreads: threads, batchSize: atATime, signal } = options;
    let done = 0;
    for await (const decoded of streamImages(files, { fitting: first.model.preprocessing, atATime, threads, signal })) {
      const images = decoded.flatMap((picture) => ("error" in picture ? [] : [picture.image]));
      const rows = (images.length > 0 ? await predictImages(opened, members, images, options) : []).values();
      yield decoded.map((picture) =>
        "error" in picture
          ? { file: picture.path, error: picture.error }
          : { file: picture.path, ...(rows.next().value as RowPrediction) },
      );
      done += decoded.length;
      options.onProgress?.(done, files.length);
      signal?.throwIfAborted();
    }
  } finally {
    for (const { close } of opened) close();
  }
}

/** A network's preparation of images, and the index of each of the ensemble's classes among its own. */
interface EnsembleMember {
  readonly prepare: ReturnType<typeof createPredictionInput>;
  readonly columns: readonly number[];
}

function membersOf(opened: readonly ClassModel[], { onMessage }: PredictFilesOptions): readonly EnsembleMember[] {
  const classNames = classesOf(opened);
  const fitOf = ({ model: { preprocessing } }: ClassModel) => {
    const { fit, size, channels, resize } = preprocessing;
    return { fit, size, channels, resize };
  };
  const first = opened[0] as ClassModel;
  const other = opened.find((one) => !isDeepStrictEqual(fitOf(one), fitOf(first)));
  if (other)
    throw new ConfigError(
      `${other.file}: expected the input size and fit of ${first.file}, got others; predict with each`,
    );
  return opened.map(({ file, model }, i) => ({
    prepare: createPredictionInput(model.preprocessing, i === 0 ? onMessage : undefined),
    columns: columnsOf(classNames, model.classNames, file),
  }));
}

async function predictImages(
  opened: readonly ClassModel[],
  members: readonly EnsembleMember[],
  images: readonly Image[],
  options: PredictFilesOptions,
): Promise<readonly RowPrediction[]> {
  const classNames = classesOf(opened);
  const means = images.map(() => new Float64Array(classNames.length));
  const errors = images.map((): string | undefined => undefined);
  for (const [m, { prepare, columns }] of members.entries()) {
    const network = opened[m] as ClassModel;
    const length = sizeOf(network.model.network.input);
    const { input } = network.program;
    for (const [row, image] of images.entries()) prepare(image, input, row * length);
    const probabilities = await predictProbabilities(network, input, images.length, options);
    for (const [row, own] of probabilities.entries()) {
      const mean = means[row] as Float64Array;
      if (typeof own === "string") errors[row] ??= own;
      else
        for (const [c, column] of columns.entries())
          mean[c] = (mean[c] as number) + (own[column] as number) / members.length;
    }
  }
  const thresholds = meanThresholds(opened, options.threshold);
  const { head } = opened[0] as ClassModel;
  return means.map((mean, row) => {
    const error = errors[row];
    return error === undefined ? { classes: rankClasses(mean, classNames, head, thresholds) } : { error };
  });
}
