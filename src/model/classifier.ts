/** A trained classifier, opened from a run or a weights file. */
import type { Model } from "../checkpoint/metadata.ts";
import { decodeImage } from "../image/files/decode.ts";
import type { Image } from "../image/image.ts";
import { createPreprocessor } from "../image/prepare/preprocess.ts";
import { tenCropViews } from "../image/prepare/views.ts";
import { sizeOf } from "../shape.ts";
import { evaluate } from "../training/evaluation/evaluate.ts";
import { type Evaluation, type Prediction, softmax } from "../training/evaluation/metrics.ts";
import type { ScoringProgram } from "../training/evaluation/scores.ts";
import { type CallQueue, createCallQueue } from "./callQueue.ts";
import type { EvaluationDataOptions } from "./evaluationData.ts";
import { type OpenModel, type OpenOptions, openModel } from "./openModel.ts";

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
  /** Drops a prediction whose turn has not come: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
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

/**
 * A trained network, ready to use. Calls may overlap: each gets the answer it would get alone, to the bit, in the order of the calls. Predictions
 * that are made while an evaluation runs take turns with its batches.
 */
export interface Classifier {
  /** The weights file that it was read from. */
  readonly file: string;
  readonly model: Model;
  /** What it computes on. */
  readonly engine: string;
  /** Whether an answer is a draw, since dropout stays active. */
  readonly isRandom: boolean;
  /**
   * Every class, the most probable first. Accepts a path, which is read when its turn comes, or a decoded image, which is read before the call returns.
   * Throws DataError for a file that is no image.
   */
  predict(image: string | Image, options?: PredictOptions): Promise<readonly ClassScore[]>;
  /** Over a data set's test images. Undefined if the signal was aborted. Throws ConfigError if the classes are not the model's. */
  evaluate(options?: EvaluateRunOptions): Promise<Evaluation | undefined>;
  /** Waits for the calls in flight, then frees all memory. Calls afterwards throw ClosedError; closing it again does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a run directory (its best weights) or a weights file.
 *
 * Throws CheckpointError if there is none or it is damaged, NativeError if the engine asked for is not there.
 */
export async function openClassifier(path: string, options: OpenOptions = {}): Promise<Classifier> {
  const opened = await openModel(path, options);
  const { file, model, engine, isRandom } = opened;
  const calls = createCallQueue(`classifier ${path}`, opened.close);
  const prepare = createPreprocessor(model.preprocessing);
  return {
    file,
    model,
    engine,
    isRandom,
    predict: (image, given = {}) =>
      calls.call(async () => {
        const { signal } = given;
        const input = new Float32Array(sizeOf(model.network.input));
        // The caller may change an image's pixels once the call has returned.
        if (typeof image !== "string") prepare(image, input, 0);
        const work = async () => {
          if (typeof image === "string") prepare(await decodeImage(image), input, 0);
          signal?.throwIfAborted();
          const [scores] = await predictRows(opened, input, 1, given);
          return scores as readonly ClassScore[];
        };
        return calls.turn(work, signal);
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
function takingTurns({ model, program }: OpenModel, calls: CallQueue, signal: AbortSignal | undefined): ScoringProgram {
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
  opened: OpenModel,
  calls: CallQueue,
  options: EvaluateRunOptions,
): Promise<Evaluation | undefined> {
  const { path, file, model, threads } = opened;
  const { onProgress, onPrediction, signal, seed = 0, tenCrop } = options;
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
 * Every class, the most probable first, of the first `count` of the images.
 *
 * Where dropout stays active, an image's draws follow from the image, so that it has one answer whatever it is predicted with: one at a time.
 */
export async function predictRows(
  { model, program, isRandom }: OpenModel,
  images: Float32Array,
  count: number,
  { samples = 1, seed = 0 }: PredictOptions,
): Promise<readonly (readonly ClassScore[])[]> {
  if (!isRandom) return rankedRows(await program.forward(images, count, { seed, first: 0 }), count, model);
  if (count > 1) throw new Error("predict: expected one image at a time where dropout is active");
  // The program's own input is its to write over.
  const input = images.slice(0, sizeOf(model.network.input));
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
