/** A trained classifier, opened from a run or a weights file. */
import type { Model } from "../checkpoint/metadata.ts";
import { ConfigError } from "../errors.ts";
import { type ImageInput, readImageInput } from "../image/files/imageInput.ts";
import { tenCropViews } from "../image/prepare/views.ts";
import { evaluate } from "../training/evaluation/evaluate.ts";
import { type Evaluation, type Prediction, softmax } from "../training/evaluation/metrics.ts";
import type { EvaluationDataOptions } from "./evaluationData.ts";
import { type OpenModel, type OpenOptions, openModel } from "./openModel.ts";
import { createPredictionInput } from "./predictionInput.ts";

/** A class with its probability. */
export interface ClassScore {
  readonly className: string;
  readonly probability: number;
}

/** How one image is classified. */
export interface PredictOptions {
  /** For a network whose dropout is active at evaluation: average so many draws. Default 1. */
  readonly samples?: number;
  /** The seed of those draws. Default 0. */
  readonly seed?: number;
}

/** On what a trained network is measured, and how. */
export interface EvaluateRunOptions extends EvaluationDataOptions {
  /** Of dropout that is active at evaluation. Default 0. */
  readonly seed?: number;
  /**
   * The mean of ten views of each image: the four corners and the centre of what its fit keeps, and their reflections. ConfigError where the fit
   * keeps no more than the input. Source: Krizhevsky et al. 2012, §4.1.
   */
  readonly tenCrop?: boolean;
  readonly onProgress?: (images: number, of: number) => void;
  /** Is told what became of each image, in order. */
  readonly onPrediction?: (prediction: Prediction) => void;
}

/** A trained network, ready to use. Calls must not overlap. */
export interface Classifier {
  /** The weights file that it was read from. */
  readonly file: string;
  readonly model: Model;
  /** What it computes on. */
  readonly engine: string;
  /** Whether an answer is a draw, since dropout stays active. */
  readonly isRandom: boolean;
  /**
   * Every class, the most probable first. Accepts a path or `file:` URL, the bytes of an image file, or pixels of 1 to 4 channels. Throws DataError for
   * anything else, and for what cannot be read.
   */
  predict(image: ImageInput, options?: PredictOptions): Promise<readonly ClassScore[]>;
  /** Over a data set's test images. Undefined if the signal was aborted. Throws ConfigError if the classes are not the model's. */
  evaluate(options?: EvaluateRunOptions): Promise<Evaluation | undefined>;
  close(): void;
}

/**
 * Opens a run directory (its best weights) or a weights file.
 *
 * Throws CheckpointError if there is none or it is damaged, NativeError if the engine asked for is not there.
 */
export async function openClassifier(path: string, options: OpenOptions = {}): Promise<Classifier> {
  const opened = await openModel(path, options);
  const { file, model, engine, program, isRandom, close } = opened;
  const prepare = createPredictionInput(model.preprocessing, options.onMessage);
  return {
    file,
    model,
    engine,
    isRandom,
    async predict(image, given = {}) {
      prepare(await readImageInput(image), program.input, 0);
      const [scores] = await predictRows(opened, 1, given);
      return scores as readonly ClassScore[];
    },
    evaluate: (given = {}) => evaluateModel(opened, given),
    close,
  };
}

async function evaluateModel(
  { path, file, model, program, threads }: OpenModel,
  options: EvaluateRunOptions,
): Promise<Evaluation | undefined> {
  const { onProgress, onPrediction, signal, seed = 0, tenCrop } = options;
  const { preprocessing, classNames } = model;
  const views = tenCrop ? tenCropViews(preprocessing) : undefined;
  // What reads data sets is loaded here, so that a first prediction does not wait for it.
  const { loadEvaluationData } = await import("./evaluationData.ts");
  const { createPreparation } = await import("../dataset/prepare/preparation.ts");
  const { split, close } = await loadEvaluationData(path, file, model, options);
  const preparation = createPreparation({ preprocessing, threads });
  try {
    return await evaluate(program, {
      split,
      preparation,
      classNames,
      seed,
      views,
      onProgress: (images) => onProgress?.(images, split.length),
      onPrediction,
      signal,
    });
  } finally {
    preparation.close();
    close();
  }
}

/**
 * Every class, the most probable first, of the first so many images in the program's own input.
 *
 * Where dropout stays active, an image's draws follow from the image, so that it has one answer whatever it is predicted with: one at a time.
 */
export async function predictRows(
  { model, program, isRandom }: OpenModel,
  count: number,
  { samples = 1, seed = 0 }: PredictOptions,
): Promise<readonly (readonly ClassScore[])[]> {
  if (!Number.isInteger(samples) || samples < 1) {
    throw new ConfigError(`samples: expected a positive whole number, got ${samples}`);
  }
  if (!isRandom) return rankedRows(await program.forward(program.input, count, { seed, first: 0 }), count, model);
  if (count > 1) throw new Error("predict: expected one image at a time where dropout is active");
  // The input is the program's to write over.
  const input = program.input.slice();
  const counter = hashOf(input);
  const mean = new Float64Array(model.classNames.length);
  for (let sample = 0; sample < samples; sample++) {
    const draws = { seed, first: (counter + sample) >>> 0 };
    const probabilities = softmax(await program.forward(input, 1, draws));
    for (const [c, probability] of probabilities.entries()) mean[c] = (mean[c] as number) + probability / samples;
  }
  return [ranked(mean, model.classNames)];
}

function rankedRows(logits: Float32Array, count: number, { classNames }: Model): readonly (readonly ClassScore[])[] {
  const classes = classNames.length;
  return Array.from({ length: count }, (_, row) =>
    ranked(softmax(logits.subarray(row * classes, (row + 1) * classes)), classNames),
  );
}

function ranked(probabilities: Float64Array, classNames: readonly string[]): readonly ClassScore[] {
  return classNames
    .map((className, c) => ({ className, probability: probabilities[c] as number }))
    .sort((a, b) => b.probability - a.probability);
}

/** A number of the image's own, from which its dropout masks follow: FNV-1a over its words. */
function hashOf(values: Float32Array): number {
  let hash = 0x811c9dc5;
  for (const word of new Uint32Array(values.buffer, values.byteOffset, values.length)) {
    hash = Math.imul(hash ^ word, 0x01000193);
  }
  return hash >>> 0;
}
