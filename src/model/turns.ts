/** Predictions and evaluations that take turns on one compiled classifier. */

import type { Split } from "../dataset/dataset.ts";
import type { Preparation } from "../dataset/prepare/preparation.ts";
import { NonFiniteError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import { sizeOf } from "../shape.ts";
import { evaluateInDetail } from "../training/evaluation/evaluate.ts";
import type { Evaluation, Prediction } from "../training/evaluation/metrics.ts";
import { thresholdsOf } from "../training/evaluation/multiLabel.ts";
import { type ScoringProgram, scoreSplit } from "../training/evaluation/scores.ts";
import type { CallQueue } from "./callQueue.ts";
import { type AveragingOptions, evaluationViews } from "./evaluationViews.ts";
import { createPredictionInput } from "./predictionInput.ts";
import { type ClassScore, type CompiledClassifier, type PredictOptions, predictRows } from "./predictRows.ts";

/** Access to the images that a classifier accepts. */
export interface ImageReader<Input> {
  /** Copies data that the caller may change after the call. */
  copy(input: Input): Input;
  /** Throws DataError for a value that is not an image. */
  read(input: Input): Promise<Image>;
  /** Its name in messages. */
  name(input: Input): string;
}

/** Creates a function that predicts one image at a time, in the order of the calls. */
export function createPredict<Input>(
  classifier: CompiledClassifier,
  calls: CallQueue,
  reader: ImageReader<Input>,
  onMessage: ((message: string) => void) | undefined,
): (image: Input, options?: PredictOptions) => Promise<readonly ClassScore[]> {
  const { model } = classifier;
  const prepare = createPredictionInput(model.preprocessing, onMessage);
  return (image, given = {}) =>
    calls.call(async () => {
      const own = { ...given };
      const input = new Float32Array(sizeOf(model.network.input));
      // The caller may change options, bytes and pixels once the call has returned.
      const asked = reader.copy(image);
      const work = async () => {
        prepare(await reader.read(asked), input, 0);
        own.signal?.throwIfAborted();
        const [row] = await predictRows(classifier, input, 1, own);
        if (row && "classes" in row) return row.classes;
        throw new NonFiniteError(`${reader.name(asked)}: ${row?.error}`);
      };
      return calls.turn(work, own.signal);
    });
}

/** Options of an evaluation. */
export interface EvaluateSplitOptions extends AveragingOptions {
  /** Random seed of dropout that is active at evaluation. Default 0. */
  readonly seed?: number;
  /** Minimum probability of a class that is present, between 0 and 1. Default: those stored with the weights; for a multi-label network, otherwise 0.5. */
  readonly threshold?: number;
  /** Called after each evaluated batch. */
  readonly onProgress?: (images: number, of: number) => void;
  /** Called with each image's prediction, in order. */
  readonly onPrediction?: (prediction: Prediction) => void;
  /** Aborting ends the evaluation: its result is undefined. */
  readonly signal?: AbortSignal;
}

/** Evaluates a classifier on a split; predictions take turns with its batches. `input` is memory for a batch. Undefined if the signal was aborted. */
export function evaluateInTurns(
  classifier: CompiledClassifier,
  calls: CallQueue,
  split: Split,
  { preparation, input }: { readonly preparation: Preparation; readonly input: Float32Array },
  { onProgress, onPrediction, signal, seed = 0, threshold, ...averaging }: EvaluateSplitOptions,
): Promise<Evaluation | undefined> {
  const { model, head } = classifier;
  const views = evaluationViews(classifier, averaging);
  const program = takingTurns(classifier, calls, input, signal);
  return evaluateInDetail(scoreSplit(program, { split, preparation, seed, views, head, signal }), {
    split,
    classNames: model.classNames,
    head,
    threshold: thresholdsOf(model, threshold),
    onProgress: (images) => onProgress?.(images, split.length),
    onPrediction,
    signal,
  });
}

/** Wraps a classifier's program for one evaluation, with its own input memory and a turn for every batch. */
function takingTurns(
  { program }: CompiledClassifier,
  calls: CallQueue,
  input: Float32Array,
  signal: AbortSignal | undefined,
): ScoringProgram {
  const { batchSize } = program;
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

/** The result of an evaluation; undefined if it was aborted while reading images or waiting for a turn. */
export async function unlessAborted<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return undefined;
    throw error;
  }
}
