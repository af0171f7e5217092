/** Post-training quantization to 8 bits: calibration, and measurement of the accuracy lost. */

import type { Model } from "../checkpoint/metadata.ts";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import type { Split } from "../dataset/dataset.ts";
import { joinedLabels } from "../dataset/labelSets.ts";
import { requireLimit } from "../dataset/limit.ts";
import type { Preparation } from "../dataset/prepare/preparation.ts";
import { createThreadedPreparation } from "../dataset/prepare/threadedPreparation.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import type { Quantization } from "../formats/quantization.ts";
import { CALIBRATION_BATCH, calibrateNetwork } from "../model/calibration.ts";
import { type EvaluationData, type EvaluationDataOptions, loadEvaluationData } from "../model/evaluationData.ts";
import { type Int8Network, openInt8Network } from "../model/int8Network.ts";
import type { OpenOptions } from "../model/openModel.ts";
import { classesOf } from "../network/network.ts";
import { type ClassHead, headOfModel } from "../training/evaluation/classHead.ts";
import { countEvaluation, type Figures } from "../training/evaluation/metrics.ts";
import { thresholdsOf } from "../training/evaluation/multiLabel.ts";
import { scoreSplit } from "../training/evaluation/scores.ts";

/** Options of calibration and measurement. */
export interface QuantizeOptions
  extends Omit<EvaluationDataOptions, "split" | "limit" | "divided">,
    Omit<OpenOptions, "batchSize" | "precision" | "calibration"> {
  /** Training images whose ranges are those of the file, some of each class. Default 256, or the number of classes if that is more. */
  readonly calibrationImages?: number;
  /** Number of test images, balanced over classes, to measure on. Default 1000. */
  readonly testLimit?: number;
  /** Called after each batch of calibration or test images. */
  readonly onProgress?: (what: "calibrate" | "test", images: number, of: number) => void;
}

/** Accuracy on the same test images in f32 and in 8 bits, rounded like the file. */
export interface QuantizationReport {
  readonly calibration: Quantization["calibration"];
  readonly test: {
    readonly images: number;
    readonly f32: Accuracy;
    readonly int8: Accuracy;
    /** Number of images with the same prediction in both. */
    readonly sameClass: number;
  };
}

/** Accuracy on the test images. */
export interface Accuracy {
  readonly top1Accuracy: number;
  readonly topK: Figures["topK"];
}

/**
 * Computes the quantization of a trained network from the ranges of its activations on training images. `weights` uses the network's tensor
 * names.
 *
 * Throws the errors of `loadEvaluationData`, ConfigError for a head without probabilities, CheckpointError if weights or activations are
 * not finite, and the signal's reason on abort.
 */
export async function quantizeModel(
  path: string,
  file: string,
  model: Model,
  weights: TensorSource,
  options: QuantizeOptions,
): Promise<{ quantization: Quantization; report: QuantizationReport }> {
  requireLimit("calibration images", options.calibrationImages);
  requireLimit("test limit", options.testLimit);
  const { engine, warning } = await selectEngine(options.engine ?? "auto", options.threads);
  if (warning) options.onMessage?.(warning);
  const scope: { close(): void }[] = [engine];
  try {
    const { preprocessing } = model;
    const head = headOfModel(model, classesOf(model.network), file);
    const network = closing(scope, await openInt8Network(model.network, weights, engine, CALIBRATION_BATCH));
    const { onProgress, ...given } = options;
    const quantization = await calibrateNetwork({ path, file, model, weights }, network, engine.threads, {
      ...given,
      onCalibrate: (images, of) => onProgress?.("calibrate", images, of),
    });
    const { calibration } = quantization;
    const preparation = closing(scope, createThreadedPreparation({ preprocessing, threads: engine.threads }));
    const { split } = closing(scope, await loadTestImages(path, file, model, options));
    const judge = () => judgeAll(network, split, preparation, { model, head }, options);
    const f32 = await judge();
    await network.round(quantization);
    const int8 = await judge();
    const sameClass = f32.predicted.filter((name, i) => name === int8.predicted[i]).length;
    const test = { images: split.length, f32: f32.accuracy, int8: int8.accuracy, sameClass };
    return { quantization, report: { calibration, test } };
  } finally {
    for (const each of scope.reverse()) each.close();
  }
}

const USUAL_TEST_IMAGES = 1000;

function loadTestImages(path: string, file: string, model: Model, options: QuantizeOptions): Promise<EvaluationData> {
  const limit = options.testLimit ?? Math.max(USUAL_TEST_IMAGES, model.classNames.length);
  return loadEvaluationData(path, file, model, { ...options, split: "test", limit, divided: true });
}

/** The thing itself, which is closed with the others. */
function closing<T extends { close(): void }>(scope: { close(): void }[], thing: T): T {
  scope.push(thing);
  return thing;
}

/** Accuracy of a network on test images, and its prediction for each. */
async function judgeAll(
  network: Int8Network,
  split: Split,
  preparation: Preparation,
  { model, head }: { readonly model: Model; readonly head: ClassHead },
  { onProgress, signal }: QuantizeOptions,
): Promise<{ readonly accuracy: Accuracy; readonly predicted: readonly string[] }> {
  const { classNames } = model;
  const counter = countEvaluation(classNames, { head, threshold: thresholdsOf(model), labelSets: split.labelSets });
  const predicted: string[] = [];
  for await (const { scores, labels, count } of scoreSplit(network, { split, preparation, seed: 0, head })) {
    signal?.throwIfAborted();
    for (const judgement of counter.add(scores, labels, count))
      predicted.push(joinedLabels(judgement.predicted, classNames));
    onProgress?.("test", predicted.length, split.length);
  }
  const { top1Accuracy, topK } = counter.result();
  return { accuracy: { top1Accuracy, topK }, predicted };
}
