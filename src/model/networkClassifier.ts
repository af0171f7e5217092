/** A classifier of a network in memory. */
import type { Split } from "../dataset/dataset.ts";
import { checkedSplit } from "../dataset/ownDataset.ts";
import { createPreparation } from "../dataset/prepare/preparation.ts";
import type { Engine } from "../engine/engine.ts";
import { ConfigError, DataError } from "../errors.ts";
import { imageOfPixels, type RawImage } from "../image/rawImage.ts";
import { isByteArray } from "../image/typedArray.ts";
import type { HeadName } from "../network/head.ts";
import { classesOf, isStochastic, operations } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { headOfModel } from "../training/evaluation/classHead.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { createCallQueue } from "./callQueue.ts";
import { checkWeights, type NetworkModel, writeWeights } from "./networkModel.ts";
import { type ClassScore, type CompiledClassifier, type PredictOptions, requireThreshold } from "./predictRows.ts";
import { createPredict, type EvaluateSplitOptions, evaluateInTurns, type ImageReader, unlessAborted } from "./turns.ts";

/** The parts of a model that a classifier needs, with defaults for those left out. */
export type ClassifierModel = Pick<NetworkModel, "network" | "weights" | "classNames" | "preprocessing"> &
  Partial<Pick<NetworkModel, "head" | "temperature" | "thresholds" | "metrics" | "precision" | "exact">>;

/** Options of `createClassifier`. */
export interface ClassifierOptions {
  /** Compute engine; the caller closes it. */
  readonly engine: Engine;
  /** Images computed at a time; default 1, for predictions of single images. */
  readonly batchSize?: number;
  /** Called with notes and warnings. */
  readonly onMessage?: (message: string) => void;
}

/**
 * A network in memory, ready to use. Calls may overlap: each gets the answer it would get alone, bit for bit, in the order of the calls.
 */
export interface NetworkClassifier {
  readonly model: NetworkModel;
  /** The step from the network's outputs to probabilities. */
  readonly head: HeadName;
  /** True if every class has a probability of its own, so that an image may show several classes or none. */
  readonly isMultiLabel: boolean;
  /** True if predictions are random, since dropout stays active. */
  readonly isRandom: boolean;
  /**
   * Every class, the most probable first. The pixels are copied before the call returns. Throws DataError for pixels that are not an image, and if
   * the network's outputs are NaN or infinite; ConfigError for invalid options; the signal's reason if that is aborted before the prediction begins.
   */
  predict(image: RawImage, options?: PredictOptions): Promise<readonly ClassScore[]>;
  /**
   * Metrics over a part of a data set, such as `dataset.test`, whose labels are indices of the model's classes. Undefined if the signal was aborted.
   * Throws DataError for a split without images, and naming an image that is unusable, has no label of the model's, or for which the network's outputs
   * are NaN or infinite; ConfigError for invalid options.
   */
  evaluate(split: Split, options?: EvaluateSplitOptions): Promise<Evaluation | undefined>;
  /** Waits for the calls in flight, then frees all memory. Calls afterwards throw ClosedError; closing it again does nothing. */
  close(): Promise<void>;
}

/**
 * Compiles a network in memory for predictions and evaluations: one that `trainNetwork` returned, or that was read from a file.
 *
 * Throws ConfigError if its outputs are not scores of its classes or its preprocessing is invalid, CheckpointError for weights that do not fit the
 * network or are NaN or infinite, ShapeError or NativeError if the engine cannot run it.
 */
export async function createClassifier(
  given: ClassifierModel,
  { engine, batchSize = 1, onMessage }: ClassifierOptions,
): Promise<NetworkClassifier> {
  const model: NetworkModel = { metrics: {}, precision: "f32", exact: false, ...given };
  const { network, weights, precision, exact } = model;
  const { name } = network;
  const head = headOfModel(model, classesOf(network), name);
  checkClasses(model, head.scores(new Float32Array(classesOf(network)), 1).length);
  checkWeights(name, network, weights);
  const ops = operations(network);
  const program = await engine.compile({ ops, inputShape: network.input, batchSize, precision, exact });
  try {
    await writeWeights(program, program.parameters, weights);
    return classifierOf({ file: name, model, head, program, isRandom: isStochastic(network) }, model, onMessage);
  } catch (error) {
    program.close();
    throw error;
  }
}

function classifierOf(
  compiled: CompiledClassifier,
  model: NetworkModel,
  onMessage: ClassifierOptions["onMessage"],
): NetworkClassifier {
  const { file, head, program, isRandom } = compiled;
  const { network, preprocessing } = model;
  const calls = createCallQueue(`classifier ${file}`, () => program.close());
  return {
    model,
    head: model.head ?? "softmax",
    isMultiLabel: head.isMultiLabel,
    isRandom,
    predict: createPredict(compiled, calls, pixels, onMessage),
    evaluate: (split, options = {}) =>
      calls.call(async () => {
        requireThreshold(options.threshold);
        const checked = checkedSplit("split", split, model.classNames.length);
        if (checked.length === 0) throw new DataError("split: expected images, got none");
        const preparation = createPreparation({ preprocessing });
        const input = new Float32Array(program.batchSize * sizeOf(network.input));
        try {
          return await unlessAborted(options.signal, () =>
            evaluateInTurns(compiled, calls, checked, { preparation, input }, options),
          );
        } finally {
          preparation.close();
        }
      }),
    close: calls.close,
  };
}

function checkClasses({ network, classNames }: NetworkModel, classes: number): void {
  if (classNames.length === classes) return;
  throw new ConfigError(
    `${network.name}: expected ${classes} class names, one for each class, got ${classNames.length}`,
  );
}

const pixels: ImageReader<RawImage> = {
  copy: (image) => (isByteArray(image?.data) ? { ...image, data: image.data.slice() } : image),
  read: async (image) => imageOfPixels(image),
  name: () => "image",
};
