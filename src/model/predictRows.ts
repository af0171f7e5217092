/** Predictions of a compiled classifier for prepared images. */
import type { Model } from "../checkpoint/metadata.ts";
import type { LabelledImages } from "../dataset/labelSets.ts";
import type { Program } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import { sizeOf } from "../shape.ts";
import { type ClassHead, outputProblem } from "../training/evaluation/classHead.ts";
import { type Thresholds, thresholdOf, thresholdsOf } from "../training/evaluation/multiLabel.ts";

/** A compiled trained network whose outputs are class scores. */
export interface CompiledClassifier {
  /** Its file, or its name, for messages. */
  readonly file: string;
  readonly model: Model;
  readonly head: ClassHead;
  readonly program: Program;
  /** True if predictions depend on random numbers. */
  readonly isRandom: boolean;
}

/** A class with its probability. */
export interface ClassScore {
  readonly className: string;
  /** From 0 to 1; the probabilities of all classes sum to 1, except in a multi-label network. */
  readonly probability: number;
  /**
   * For a multi-label network: true if the probability is at the class's threshold or above. Otherwise only with a threshold: true for the most
   * probable class at its threshold or above; if false for every class, the image shows none of them.
   */
  readonly isPresent?: boolean;
}

/** Options of a prediction. */
export interface PredictOptions {
  /** For a network whose dropout is active at evaluation: number of stochastic predictions to average. Default 1. */
  readonly samples?: number;
  /** Random seed of those predictions. Default 0. */
  readonly seed?: number;
  /** Minimum probability of a class that is present, between 0 and 1. Default: those stored with the weights; for a multi-label network, otherwise 0.5. */
  readonly threshold?: number;
  /** Cancels a prediction that has not begun: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A note on the evaluation of a multi-label network. */
const multiLabelNote =
  "multi-label network: each image is taken to show its folder's class and no other; precision, recall and F1 are at the threshold";

/** Says how images with one class each are evaluated by a multi-label network. */
export function noteSingleLabels(
  { isMultiLabel }: ClassHead,
  { labelSets }: Pick<LabelledImages, "labelSets">,
  onMessage: ((message: string) => void) | undefined,
): void {
  if (isMultiLabel && !labelSets) onMessage?.(multiLabelNote);
}

/** Throws ConfigError for an invalid threshold. */
export function requireThreshold(threshold: number | undefined): void {
  if (threshold === undefined || (threshold > 0 && threshold < 1)) return;
  throw new ConfigError(`threshold: expected a number between 0 and 1, got ${threshold}`);
}

/** Throws ConfigError for an invalid number of samples. */
export function requireSamples(samples: number): void {
  if (Number.isInteger(samples) && samples > 0) return;
  throw new ConfigError(`samples: expected a whole number above 0, got ${samples}`);
}

/** The classes of one image, the most probable first, or the error that prevented a prediction. */
export type RowPrediction = { readonly classes: readonly ClassScore[] } | { readonly error: string };

/**
 * Predictions of the first `count` of the images.
 *
 * If dropout stays active, its masks are a function of the image, so that an image's prediction never depends on others. Then `count` must be 1.
 */
export async function predictRows(
  classifier: CompiledClassifier,
  images: Float32Array,
  count: number,
  options: PredictOptions,
): Promise<readonly RowPrediction[]> {
  const { head, model } = classifier;
  requireThreshold(options.threshold);
  const thresholds = thresholdsOf(model, options.threshold);
  const rows = await predictProbabilities(classifier, images, count, options);
  return rows.map((own) =>
    typeof own === "string" ? { error: own } : { classes: rankClasses(own, model.classNames, head, thresholds) },
  );
}

/** Probabilities of each image's classes in the order of the model, or the error of its outputs, as `predictRows` ranks them. */
export async function predictProbabilities(
  { model, head, program, isRandom }: CompiledClassifier,
  images: Float32Array,
  count: number,
  { samples = 1, seed = 0 }: Pick<PredictOptions, "samples" | "seed">,
): Promise<readonly (Float64Array | string)[]> {
  requireSamples(samples);
  if (!isRandom) {
    const outputs = await program.forward(images, count, { seed, first: 0 });
    const length = outputs.length / count;
    return Array.from({ length: count }, (_, row) =>
      probabilitiesOf(outputs.subarray(row * length, (row + 1) * length), head),
    );
  }
  if (count > 1) throw new Error("predict: expected one image at a time with active dropout");
  // A copy, since the program may overwrite its own input.
  const input = images.slice(0, sizeOf(model.network.input));
  const counter = hashOf(input);
  const mean = new Float64Array(model.classNames.length);
  for (let sample = 0; sample < samples; sample++) {
    const draws = { seed, first: (counter + sample) >>> 0 };
    const own = probabilitiesOf(await program.forward(input, 1, draws), head);
    if (typeof own === "string") return [own];
    for (const [c, probability] of own.entries()) mean[c] = (mean[c] as number) + probability / samples;
  }
  return [mean];
}

/** Probabilities of one image's classes, or the error of its outputs. */
function probabilitiesOf(outputs: Float32Array, head: ClassHead): Float64Array | string {
  return outputProblem(outputs) ?? head.probabilities(head.scores(outputs, 1));
}

/** Every class with its probability, the most probable first. */
export function rankClasses(
  probabilities: Float64Array,
  classNames: readonly string[],
  { isMultiLabel }: Pick<ClassHead, "isMultiLabel">,
  thresholds: Thresholds | undefined,
): readonly ClassScore[] {
  const decides = isMultiLabel || thresholds !== undefined;
  return classNames
    .map((className, c) => ({ className, c, probability: probabilities[c] as number }))
    .sort((a, b) => b.probability - a.probability)
    .map(({ className, c, probability }, rank) => {
      const isPresent = (isMultiLabel || rank === 0) && probability >= thresholdOf(thresholds, c);
      return { className, probability, ...(decides ? { isPresent } : {}) };
    });
}

/** The most probable classes, at most `top`, and all others that are present. */
export function shownClasses(classes: readonly ClassScore[], top: number): readonly ClassScore[] {
  return classes.filter(({ isPresent }, i) => i < top || isPresent);
}

/** Hash of an image, which seeds its dropout masks: FNV-1a over its words. */
function hashOf(values: Float32Array): number {
  let hash = 0x811c9dc5;
  for (const word of new Uint32Array(values.buffer, values.byteOffset, values.length)) {
    hash = Math.imul(hash ^ word, 0x01000193);
  }
  return hash >>> 0;
}
