/** Calibrates a trained network for 8 bits, and measures what these cost. */
import type { Model } from "../checkpoint/metadata.ts";
import { readingInto, type TensorSource } from "../checkpoint/safetensorsWriter.ts";
import type { Split } from "../dataset/dataset.ts";
import { createPreparation, type Preparation } from "../dataset/prepare/preparation.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { planQuantization, type Quantization } from "../formats/quantization.ts";
import type { Range } from "../int8.ts";
import { type EvaluationDataOptions, loadEvaluationData } from "../model/evaluationData.ts";
import type { OpenOptions } from "../model/openModel.ts";
import type { SplitName } from "../settings/splitNames.ts";
import { countEvaluation, type Figures } from "../training/evaluation/metrics.ts";
import { scoreSplit } from "../training/evaluation/scores.ts";
import { type EightBitNetwork, openEightBitNetwork } from "./int8Network.ts";

/** On what a network is calibrated and measured. */
export interface QuantizeOptions
  extends Omit<EvaluationDataOptions, "split" | "limit" | "divided">,
    Omit<OpenOptions, "batchSize"> {
  /** Training pictures whose ranges are those of the file. Default 256. */
  readonly calibrationImages?: number;
  /** Test pictures that it is measured on. Default 1000. */
  readonly testLimit?: number;
  readonly onProgress?: (what: "calibrate" | "test", images: number, of: number) => void;
}

/** What 8 bits cost: measured on the same test pictures, in f32 and rounded as the file says. */
export interface QuantizationReport {
  readonly calibration: Quantization["calibration"];
  readonly test: {
    readonly images: number;
    readonly f32: Accuracy;
    readonly int8: Accuracy;
    /** Of which both say the same class. */
    readonly sameClass: number;
  };
}

export interface Accuracy {
  readonly top1Accuracy: number;
  readonly topK: Figures["topK"];
}

/** Pictures computed at a time. */
const BATCH = 32;

/**
 * The rounding of a trained network, from the ranges of its activations on training pictures. `weights` are by their names in the network.
 *
 * Throws as `loadEvaluationData` if there are no pictures, CheckpointError if weights or activations are not finite; the signal's reason if that is aborted.
 */
export async function quantizeModel(
  path: string,
  file: string,
  model: Model,
  weights: TensorSource,
  options: QuantizeOptions,
): Promise<{ quantization: Quantization; report: QuantizationReport }> {
  const { engine, warning } = await selectEngine(options.engine ?? "auto", options.threads);
  if (warning) options.onMessage?.(warning);
  const load = (split: SplitName, limit: number) =>
    loadEvaluationData(path, file, model, { ...options, split, limit, divided: true });
  const scope: { close(): void }[] = [engine];
  try {
    const { preprocessing } = model;
    const preparation = closing(scope, createPreparation({ preprocessing, threads: engine.threads }));
    const network = closing(scope, await openEightBitNetwork(model.network, weights, engine, BATCH));
    const train = await load("train", options.calibrationImages ?? 256);
    const calibration = { dataset: train.name, images: train.split.length };
    try {
      await seeRanges(network, train.split, preparation, options);
    } finally {
      train.close();
    }
    const ranges = network.takeRanges();
    tellDead(ranges, options);
    const quantization = await planQuantization(model.network, ranges, readingInto(weights), calibration);
    const { split } = closing(scope, await load("test", options.testLimit ?? 1000));
    const judge = () => judgeAll(network, split, preparation, model, options);
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

/** The thing itself, which is closed with the others. */
function closing<T extends { close(): void }>(scope: { close(): void }[], thing: T): T {
  scope.push(thing);
  return thing;
}

/** Runs training pictures through a network that keeps its ranges. */
async function seeRanges(
  network: EightBitNetwork,
  split: Split,
  preparation: Preparation,
  { onProgress, signal }: QuantizeOptions,
): Promise<void> {
  let images = 0;
  for await (const { count } of scoreSplit(network, { split, preparation, seed: 0 })) {
    signal?.throwIfAborted();
    images += count;
    onProgress?.("calibrate", images, split.length);
  }
}

function tellDead(ranges: ReadonlyMap<string, Range>, { onMessage }: QuantizeOptions): void {
  for (const [name, { min, max }] of ranges) {
    if (min === 0 && max === 0)
      onMessage?.(`${name}: all 0 on the calibration images, and therefore always 0 in 8 bits`);
  }
}

/** How a network does on test pictures, and the class that it says of each. */
async function judgeAll(
  network: EightBitNetwork,
  split: Split,
  preparation: Preparation,
  { classNames }: Model,
  { onProgress, signal }: QuantizeOptions,
): Promise<{ readonly accuracy: Accuracy; readonly predicted: readonly string[] }> {
  const counter = countEvaluation(classNames);
  const predicted: string[] = [];
  for await (const { scores, labels, count } of scoreSplit(network, { split, preparation, seed: 0 })) {
    signal?.throwIfAborted();
    for (const judgement of counter.add(scores, labels, count))
      predicted.push(classNames[judgement.predicted] as string);
    onProgress?.("test", predicted.length, split.length);
  }
  const { top1Accuracy, topK } = counter.result();
  return { accuracy: { top1Accuracy, topK }, predicted };
}
