/** A trained classifier, opened from a run or a weights file. */
import type { Model } from "../checkpoint/metadata.ts";
import type { InferencePrecision } from "../engine/engine.ts";
import { ConfigError, NonFiniteError } from "../errors.ts";
import { copyOfInput, type ImageInput, nameOfInput, readImageInput } from "../image/files/imageInput.ts";
import { tenCropViews } from "../image/prepare/views.ts";
import type { HeadName } from "../network/head.ts";
import { sizeOf } from "../shape.ts";
import { type ClassHead, outputProblem } from "../training/evaluation/classHead.ts";
import { evaluate } from "../training/evaluation/evaluate.ts";
import type { Evaluation, Prediction } from "../training/evaluation/metrics.ts";
import { DEFAULT_THRESHOLD } from "../training/evaluation/multiLabel.ts";
import type { ScoringProgram } from "../training/evaluation/scores.ts";
import { type CallQueue, createCallQueue } from "./callQueue.ts";
import type { EvaluationDataOptions } from "./evaluationData.ts";
import { type ClassModel, type OpenOptions, openClassModel } from "./openModel.ts";
import { createPredictionInput } from "./predictionInput.ts";

/** A class with its probability. */
export interface ClassScore {
  readonly className: string;
  readonly probability: number;
  /** For a multi-label network only: true if the probability is at the threshold or above. */
  readonly isPresent?: boolean;
}

/** Options of a prediction. */
export interface PredictOptions {
  /** For a network whose dropout is active at evaluation: number of draws to average. Default 1. */
  readonly samples?: number;
  /** Random seed of those draws. Default 0. */
  readonly seed?: number;
  /** For a multi-label network: least probability of a class that is present, between 0 and 1. Default 0.5. */
  readonly threshold?: number;
  /** Drops a prediction whose turn has not come: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Images to evaluate a trained network on, and how. */
export interface EvaluateRunOptions extends EvaluationDataOptions {
  /** Random seed of dropout that is active at evaluation. Default 0. */
  readonly seed?: number;
  /** For a multi-label network: least probability of a class that is present, between 0 and 1. Default 0.5. */
  readonly threshold?: number;
  /**
   * The mean of ten views of each image: the four corners and the centre of what its fit keeps, and their reflections. ConfigError where the fit
   * keeps no more than the input. Source: Krizhevsky et al. 2012, §4.1.
   */
  readonly tenCrop?: boolean;
  readonly onProgress?: (images: number, of: number) => void;
  /** Called with each image's prediction, in order. */
  readonly onPrediction?: (prediction: Prediction) => void;
}

/**
 * A trained network, ready to use. Calls may overlap: each gets the answer it would get alone, to the bit, in the order of the calls. Predictions
 * that are made while an evaluation runs take turns with its batches.
 */
export interface Classifier {
  /** The weights file that it was read from. */
  readonly file: string;
  readonly model: Model;
  /** The step from the network's outputs to probabilities. */
  readonly head: HeadName;
  /** True if every class has a probability of its own, so that an image may show several classes or none. */
  readonly isMultiLabel: boolean;
  /** Engine and threads, in words. */
  readonly engine: string;
  /** Number format of the computation. */
  readonly precision: InferencePrecision;
  /** True if an answer is a draw, since dropout stays active. */
  readonly isRandom: boolean;
  /**
   * Every class, the most probable first. Accepts a path or `file:` URL, which is read when its turn comes, or the bytes of an image file or pixels of
   * 1 to 4 channels, which are read before the call returns. Throws DataError for anything else, for what cannot be read, and if the network's outputs
   * are not finite.
   */
  predict(image: ImageInput, options?: PredictOptions): Promise<readonly ClassScore[]>;
  /**
   * Figures over a data set's test images. Undefined if the signal was aborted. Throws ConfigError if the classes are not the model's, DataError
   * naming the image if the network's outputs are not finite.
   */
  evaluate(options?: EvaluateRunOptions): Promise<Evaluation | undefined>;
  /** Waits for the calls in flight, then frees all memory. Calls afterwards throw ClosedError; closing it again does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a run directory (its best weights) or a weights file.
 *
 * Throws CheckpointError if there is none, it is damaged or a weight is not finite; ConfigError if its outputs are no scores of classes (head `none`);
 * NativeError if the engine asked for is not there.
 */
export async function openClassifier(path: string, options: OpenOptions = {}): Promise<Classifier> {
  const opened = await openClassModel(path, options);
  const { file, model, engine, isRandom } = opened;
  const calls = createCallQueue(`classifier ${path}`, opened.close);
  const prepare = createPredictionInput(model.preprocessing, options.onMessage);
  return {
    file,
    model,
    head: model.head ?? "softmax",
    isMultiLabel: opened.head.isMultiLabel,
    engine,
    precision: opened.program.precision,
    isRandom,
    predict: (image, given = {}) =>
      calls.call(async () => {
        const own = { ...given };
        const input = new Float32Array(sizeOf(model.network.input));
        // The caller may change options, bytes and pixels once the call has returned.
        const asked = copyOfInput(image);
        const work = async () => {
          prepare(await readImageInput(asked), input, 0);
          own.signal?.throwIfAborted();
          const [row] = await predictRows(opened, input, 1, own);
          if (row && "classes" in row) return row.classes;
          throw new NonFiniteError(`${nameOfInput(asked)}: ${row?.error}`);
        };
        return calls.turn(work, own.signal);
      }),
    evaluate: (given = {}) =>
      calls.call(async () => {
        try {
          return await evaluateModel(opened, calls, given);
        } catch (error) {
          // Aborted while images were read or a turn was waited for.
          if (given.signal?.aborted && error === given.signal.reason) return undefined;
          throw error;
        }
      }),
    close: calls.close,
  };
}

/** The program of a classifier for one evaluation: input memory of its own, and a turn for every batch. */
function takingTurns(
  { model, program }: ClassModel,
  calls: CallQueue,
  signal: AbortSignal | undefined,
): ScoringProgram {
  const { batchSize } = program;
  const length = batchSize * sizeOf(model.network.input);
  // Threads that prepare batches write to it.
  const input = new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
  let read: Promise<void> = Promise.resolve();
  return {
    batchSize,
    async nextInput() {
      await read;
      return input;
    },
    forward(images, count, draws) {
      let onRead = () => {};
      read = new Promise((resolve) => {
        onRead = resolve;
      });
      const result = calls.turn(() => {
        const pending = program.forward(images, count, draws);
        onRead();
        return pending;
      }, signal);
      result.catch(onRead);
      return result;
    },
  };
}

async function evaluateModel(
  opened: ClassModel,
  calls: CallQueue,
  options: EvaluateRunOptions,
): Promise<Evaluation | undefined> {
  const { path, file, model, head, threads } = opened;
  const { onProgress, onPrediction, signal, seed = 0, tenCrop, threshold } = options;
  requireThreshold(opened, threshold);
  if (head.isMultiLabel) options.onMessage?.(multiLabelNote);
  const { preprocessing, classNames } = model;
  const views = tenCrop ? tenCropViews(preprocessing) : undefined;
  // What reads data sets is loaded here, so that a first prediction does not wait for it.
  const { loadEvaluationData } = await import("./evaluationData.ts");
  const { createPreparation } = await import("../dataset/prepare/preparation.ts");
  const { split, close } = await loadEvaluationData(path, file, model, options);
  const preparation = createPreparation({ preprocessing, threads });
  try {
    return await evaluate(takingTurns(opened, calls, signal), {
      split,
      preparation,
      classNames,
      head,
      threshold,
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

/** A note on the evaluation of a multi-label network. */
export const multiLabelNote =
  "multi-label network: each image counts as one of its folder's class and of no other; precision, recall and F1 are those at the threshold";

/** Throws ConfigError for a threshold that is none, or that the model does not have. */
export function requireThreshold({ head, file }: Pick<ClassModel, "head" | "file">, threshold?: number): void {
  if (threshold === undefined) return;
  if (!head.isMultiLabel) {
    throw new ConfigError(
      `threshold: ${file} is no multi-label network, its most probable class is the one predicted; leave it out`,
    );
  }
  if (threshold > 0 && threshold < 1) return;
  throw new ConfigError(`threshold: expected a number between 0 and 1, got ${threshold}`);
}

/** The classes of one image, the most probable first, or the reason why there are none. */
export type RowPrediction = { readonly classes: readonly ClassScore[] } | { readonly error: string };

/**
 * Predictions of the first `count` of the images.
 *
 * Where dropout stays active, an image's draws follow from the image, so that it has one answer whatever it is predicted with: one at a time.
 */
export async function predictRows(
  { file, model, head, program, isRandom }: ClassModel,
  images: Float32Array,
  count: number,
  { samples = 1, seed = 0, threshold }: PredictOptions,
): Promise<readonly RowPrediction[]> {
  requireThreshold({ head, file }, threshold);
  if (!Number.isInteger(samples) || samples < 1) {
    throw new ConfigError(`samples: expected a whole number above 0, got ${samples}`);
  }
  const rank = (probabilities: Float64Array) => ranked(probabilities, model.classNames, head, threshold);
  if (!isRandom) {
    const outputs = await program.forward(images, count, { seed, first: 0 });
    const length = outputs.length / count;
    return Array.from({ length: count }, (_, row) => {
      const own = probabilitiesOf(outputs.subarray(row * length, (row + 1) * length), head);
      return typeof own === "string" ? { error: own } : { classes: rank(own) };
    });
  }
  if (count > 1) throw new Error("predict: expected one image at a time where dropout is active");
  // The program's own input is its to write over.
  const input = images.slice(0, sizeOf(model.network.input));
  const counter = hashOf(input);
  const mean = new Float64Array(model.classNames.length);
  for (let sample = 0; sample < samples; sample++) {
    const draws = { seed, first: (counter + sample) >>> 0 };
    const own = probabilitiesOf(await program.forward(input, 1, draws), head);
    if (typeof own === "string") return [{ error: own }];
    for (const [c, probability] of own.entries()) mean[c] = (mean[c] as number) + probability / samples;
  }
  return [{ classes: rank(mean) }];
}

/** Probabilities of one image's classes, or the complaint about its outputs. */
function probabilitiesOf(outputs: Float32Array, head: ClassHead): Float64Array | string {
  return outputProblem(outputs) ?? head.probabilities(head.scores(outputs, 1));
}

function ranked(
  probabilities: Float64Array,
  classNames: readonly string[],
  { isMultiLabel }: ClassHead,
  threshold = DEFAULT_THRESHOLD,
): readonly ClassScore[] {
  return classNames
    .map((className, c) => {
      const probability = probabilities[c] as number;
      return { className, probability, ...(isMultiLabel ? { isPresent: probability >= threshold } : {}) };
    })
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
