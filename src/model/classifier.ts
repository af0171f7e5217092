/** A trained classifier, opened from a run or a weights file. */
import type { Model } from "../checkpoint/metadata.ts";
import type { InferencePrecision } from "../engine/engine.ts";
import { copyOfInput, type ImageInput, nameOfInput, readImageInput } from "../image/files/imageInput.ts";
import { tenCropViews } from "../image/prepare/views.ts";
import type { HeadName } from "../network/head.ts";
import { sizeOf } from "../shape.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { type CallQueue, createCallQueue } from "./callQueue.ts";
import type { EvaluationDataOptions } from "./evaluationData.ts";
import { type ClassModel, type OpenOptions, openClassModel } from "./openModel.ts";
import { type ClassScore, multiLabelNote, type PredictOptions, requireThreshold } from "./predictRows.ts";
import { createPredict, type EvaluateSplitOptions, evaluateInTurns, type ImageReader, unlessAborted } from "./turns.ts";

/** Images to evaluate a trained network on, and how. */
export interface EvaluateRunOptions extends EvaluationDataOptions, EvaluateSplitOptions {
  readonly signal?: AbortSignal;
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
  return {
    file,
    model,
    head: model.head ?? "softmax",
    isMultiLabel: opened.head.isMultiLabel,
    engine,
    precision: opened.program.precision,
    isRandom,
    predict: createPredict(opened, calls, anyImage, options.onMessage),
    evaluate: (given = {}) => calls.call(() => unlessAborted(given.signal, () => evaluateModel(opened, calls, given))),
    close: calls.close,
  };
}

const anyImage: ImageReader<ImageInput> = { copy: copyOfInput, read: readImageInput, name: nameOfInput };

async function evaluateModel(
  opened: ClassModel,
  calls: CallQueue,
  options: EvaluateRunOptions,
): Promise<Evaluation | undefined> {
  const { path, file, model, isForeign, head, threads, program } = opened;
  requireThreshold(opened, options.threshold);
  if (head.isMultiLabel) options.onMessage?.(multiLabelNote);
  const { preprocessing } = model;
  // Wrong views are refused before the data set is loaded.
  if (options.tenCrop) tenCropViews(preprocessing);
  // What reads data sets is loaded here, so that a first prediction does not wait for it.
  const { loadEvaluationData } = await import("./evaluationData.ts");
  const { createThreadedPreparation } = await import("../dataset/prepare/threadedPreparation.ts");
  const { split, close } = await loadEvaluationData(path, file, model, { ...options, isForeign });
  const preparation = createThreadedPreparation({ preprocessing, threads });
  // Threads that prepare batches write to it.
  const input = new Float32Array(new SharedArrayBuffer(4 * program.batchSize * sizeOf(model.network.input)));
  try {
    return await evaluateInTurns(opened, calls, split, { preparation, input }, options);
  } finally {
    preparation.close();
    close();
  }
}
