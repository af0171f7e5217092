/** A trained classifier, opened from a run or a weights file. */
import type { Model } from "../checkpoint/metadata.ts";
import type { InferencePrecision } from "../engine/engine.ts";
import { copyOfInput, type ImageInput, loadDecoder, nameOfInput, readImageInput } from "../image/files/imageInput.ts";
import type { HeadName } from "../network/head.ts";
import { sizeOf } from "../shape.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { type CallQueue, createCallQueue } from "./callQueue.ts";
import type { EvaluationDataOptions } from "./evaluationData.ts";
import { evaluationViews } from "./evaluationViews.ts";
import { type ClassModel, type OpenOptions, openClassModel } from "./openModel.ts";
import { type ClassScore, noteSingleLabels, type PredictOptions, requireThreshold } from "./predictRows.ts";
import { createPredict, type EvaluateSplitOptions, evaluateInTurns, type ImageReader, unlessAborted } from "./turns.ts";

/** Images and options of an evaluation. */
export interface EvaluateRunOptions extends EvaluationDataOptions, EvaluateSplitOptions {
  readonly signal?: AbortSignal;
}

/**
 * A trained network, ready to use. Calls may overlap: each gets the answer it would get alone, bit for bit, in the order of the calls. Predictions
 * made during an evaluation take turns with its batches.
 */
export interface Classifier {
  /** Weights file that it was read from. */
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
  /** True if predictions are random, since dropout stays active. */
  readonly isRandom: boolean;
  /**
   * Every class, the most probable first. Accepts a path or `file:` URL, which is read when its turn comes, or the bytes of an image file or pixels of
   * 1 to 4 channels, which are read before the call returns. Throws DataError for anything else, for an unreadable image, and if the network's outputs
   * are NaN or infinite.
   */
  predict(image: ImageInput, options?: PredictOptions): Promise<readonly ClassScore[]>;
  /**
   * Metrics over a data set's test images. Undefined if the signal was aborted. Throws ConfigError if the classes are not the model's, DataError
   * naming the image if the network's outputs are NaN or infinite.
   */
  evaluate(options?: EvaluateRunOptions): Promise<Evaluation | undefined>;
  /** Waits for the calls in flight, then frees all memory. Calls afterwards throw ClosedError; closing it again does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a run directory (its best weights) or a weights file.
 *
 * Throws CheckpointError if the file is missing or unreadable, or a weight is NaN or infinite; ConfigError if its outputs are not class scores (head
 * `none`); NativeError if the requested engine is not installed.
 */
export async function openClassifier(path: string, options: OpenOptions = {}): Promise<Classifier> {
  // Reading an image throws the error, if it cannot be loaded.
  const opened = await openClassModel(path, options, () => void loadDecoder().catch(() => {}));
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
  requireThreshold(options.threshold);
  const { preprocessing } = model;
  // Refuses unsuitable views before the data set is loaded.
  evaluationViews(opened, options);
  // Modules that read data sets are loaded here, so that a first prediction does not wait for them.
  const { loadEvaluationData } = await import("./evaluationData.ts");
  const { createThreadedPreparation } = await import("../dataset/prepare/threadedPreparation.ts");
  const { split, close } = await loadEvaluationData(path, file, model, { ...options, isForeign });
  noteSingleLabels(head, split, options.onMessage);
  const preparation = createThreadedPreparation({ preprocessing, threads });
  // Shared, since the threads that prepare batches write to it.
  const input = new Float32Array(new SharedArrayBuffer(4 * program.batchSize * sizeOf(model.network.input)));
  try {
    return await evaluateInTurns(opened, calls, split, { preparation, input }, options);
  } finally {
    preparation.close();
    close();
  }
}
