/** Calibrates a trained network for 8 bits, and measures what these cost. */
import type { Model } from "../checkpoint/metadata.ts";
import { readingInto, type TensorSource } from "../checkpoint/safetensorsWriter.ts";
import type { Split, SplitName } from "../dataset/dataset.ts";
import { requireLimit } from "../dataset/limit.ts";
import { createPreparation, type Preparation } from "../dataset/prepare/preparation.ts";
import type { Engine, Program } from "../engine/engine.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { checkedRange, planQuantization, type Quantization, roundedPlaces } from "../formats/quantization.ts";
import { dequantizeParameter, IMAGES, type Range, roundActivations } from "../int8.ts";
import { type EvaluationDataOptions, loadEvaluationData } from "../model/evaluationData.ts";
import type { OpenOptions } from "../model/openModel.ts";
import { classesOf, deterministic, type Network, operations } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { type ClassHead, classHeadOf } from "../training/evaluation/classHead.ts";
import { countEvaluation, type Figures } from "../training/evaluation/metrics.ts";
import { type ScoringProgram, scoreSplit } from "../training/evaluation/scores.ts";

/** On what a network is calibrated and measured. */
export interface QuantizeOptions
  extends Omit<EvaluationDataOptions, "split" | "limit" | "divided">,
    Omit<OpenOptions, "batchSize"> {
  /** Training images whose ranges are those of the file, some of each class. Default 256, or the number of classes if that is more. */
  readonly calibrationImages?: number;
  /** Test images to measure on, some of each class. Default 1000. */
  readonly testLimit?: number;
  readonly onProgress?: (what: "calibrate" | "test", images: number, of: number) => void;
}

/** Cost of 8 bits, measured on the same test images in f32 and rounded as the file says. */
export interface QuantizationReport {
  readonly calibration: Quantization["calibration"];
  readonly test: {
    readonly images: number;
    readonly f32: Accuracy;
    readonly int8: Accuracy;
    /** Number of images that both give the same class. */
    readonly sameClass: number;
  };
}

export interface Accuracy {
  readonly top1Accuracy: number;
  readonly topK: Figures["topK"];
}

/** Images computed at a time. */
const BATCH = 32;

/**
 * The rounding of a trained network, from the ranges of its activations on training images. `weights` are by their names in the network.
 *
 * Throws as `loadEvaluationData` if there are no images, ConfigError for a head without probabilities, CheckpointError if weights or activations are not
 * finite; the signal's reason if that is aborted.
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
  const load = (split: SplitName, limit: number | undefined, usual: number) =>
    loadEvaluationData(path, file, model, {
      ...options,
      split,
      limit: limit ?? Math.max(usual, model.classNames.length),
      divided: true,
    });
  const scope: { close(): void }[] = [engine];
  try {
    const { preprocessing } = model;
    const head = classHeadOf(model.head, classesOf(model.network), file);
    const preparation = closing(scope, createPreparation({ preprocessing, threads: engine.threads }));
    const network = closing(scope, await openInt8Network(model.network, weights, engine, BATCH));
    const train = await load("train", options.calibrationImages, 256);
    const calibration = { dataset: train.name, images: train.split.length };
    try {
      await seeRanges(network, train.split, preparation, options);
    } finally {
      train.close();
    }
    const ranges = network.takeRanges();
    tellDead(ranges, options);
    const quantization = await planQuantization(model.network, ranges, readingInto(weights), calibration);
    const { split } = closing(scope, await load("test", options.testLimit, 1000));
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

/** The thing itself, which is closed with the others. */
function closing<T extends { close(): void }>(scope: { close(): void }[], thing: T): T {
  scope.push(thing);
  return thing;
}

/** Runs training images through a network that keeps its ranges. */
async function seeRanges(
  network: Int8Network,
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

/** Accuracy of a network on test images, and its prediction for each. */
async function judgeAll(
  network: Int8Network,
  split: Split,
  preparation: Preparation,
  { model: { classNames }, head }: { readonly model: Model; readonly head: ClassHead },
  { onProgress, signal }: QuantizeOptions,
): Promise<{ readonly accuracy: Accuracy; readonly predicted: readonly string[] }> {
  const counter = countEvaluation(classNames, { head });
  const predicted: string[] = [];
  for await (const { scores, labels, count } of scoreSplit(network, { split, preparation, seed: 0, head })) {
    signal?.throwIfAborted();
    for (const judgement of counter.add(scores, labels, count))
      predicted.push(classNames[judgement.predicted] as string);
    onProgress?.("test", predicted.length, split.length);
  }
  const { top1Accuracy, topK } = counter.result();
  return { accuracy: { top1Accuracy, topK }, predicted };
}

/** Computes in f32, without dropout. Calls must not overlap. */
interface Int8Network extends ScoringProgram {
  /**
   * Least and largest of the images and of each layer's outputs that can be rounded, by the names of `Quantization.activations`, over all calls of `forward`
   * so far. From now on they are no longer looked at.
   */
  takeRanges(): ReadonlyMap<string, Range>;
  /** From now on weights and activations are rounded, as in a file with this quantization. */
  round(quantization: Quantization): Promise<void>;
  close(): void;
}

/** `weights` are by their names in the network. The engine stays the caller's. */
export async function openInt8Network(
  network: Network,
  weights: TensorSource,
  engine: Engine,
  batchSize: number,
): Promise<Int8Network> {
  const places = roundedPlaces(network);
  const names = places.map((place) => network.layers[place]?.name ?? IMAGES);
  const programs: Program[] = [];
  const close = () => {
    for (const program of programs) program.close();
  };
  try {
    const ops = operations(deterministic(network));
    for (const [i, place] of places.entries()) {
      const piece = ops.slice(place + 1, (places[i + 1] ?? ops.length) + 1);
      const inputShape = piece[0]?.inputShape ?? network.input;
      programs.push(await engine.compile({ ops: piece, inputShape, batchSize, precision: "f32" }));
    }
    await writeWeights(programs, weights);
  } catch (error) {
    close();
    throw error;
  }
  const first = programs[0] as Program;
  const ranges = new Map<string, Range>();
  let isWatched = true;
  let quantization: Quantization | undefined;
  return {
    batchSize,
    nextInput: () => first.nextInput(),
    takeRanges() {
      isWatched = false;
      return ranges;
    },
    async forward(images, count, draws) {
      let values = images.subarray(0, count * sizeOf(network.input));
      for (const [i, program] of programs.entries()) {
        const name = names[i] as string;
        const rounding = quantization?.activations.get(name);
        if (isWatched) ranges.set(name, checkedRange(name, widened(ranges.get(name), values)));
        if (rounding) values = roundActivations(values, rounding, program.input.subarray(0, values.length));
        values = await program.forward(values, count, draws);
      }
      return values;
    },
    async round(given) {
      await writeWeights(programs, weights, given);
      quantization = given;
    },
    close,
  };
}

/** As they are, or as they are once they are rounded. */
async function writeWeights(
  programs: readonly Program[],
  weights: TensorSource,
  quantization?: Quantization,
): Promise<void> {
  for (const program of programs) {
    for (const { name, value } of program.parameters) {
      const values = await weights.read(name, program.scratch(sizeOf(value.shape)));
      const rounded = quantization?.parameters.get(name);
      if (rounded) dequantizeParameter(values, rounded);
      await program.write(value, values);
    }
  }
}

/** The range with the values in it; not finite once a value is not. */
function widened({ min, max }: Range = { min: Infinity, max: -Infinity }, values: Float32Array): Range {
  let [low, high] = [min, max];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { min: low, max: high };
}
