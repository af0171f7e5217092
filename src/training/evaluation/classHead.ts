/** Conversion of a network's outputs to class scores and probabilities, for each head. */
import type { LabelledImages, LabelSet } from "../../dataset/labelSets.ts";
import { NonFiniteError } from "../../errors.ts";
import { firstNonFinite } from "../../finite.ts";
import { type HeadName, isMultiLabel, requireClasses, requireProbabilities } from "../../network/head.ts";

/** An image's class scores, higher for more probable classes: logits, or logarithms of probabilities. */
export type Scores = Float32Array | Float64Array;

/** Two class probabilities of an image, and its loss. */
export interface Judged {
  /** Probability of the predicted class. */
  readonly probability: number;
  /** Probability of the image's own class; with label sets, see `judgeSet`. */
  readonly labelProbability: number;
  readonly loss: number;
}

/** Conversion of outputs to scores, and of scores to probabilities. Rows are images. */
export interface ClassHead {
  /** True if every class has a probability of its own, so that an image may show several classes or none. */
  readonly isMultiLabel: boolean;
  /** Shapes: outputs [count, outputs] → [count, classes]. */
  scores(outputs: Float32Array, count: number): Scores;
  /** Shapes: one row of scores, [classes] → [classes]. */
  probabilities(scores: Scores): Float64Array;
  /** The score of a probability: the inverse of `probabilities` for a complete row. */
  scoreOf(probability: number): number;
  /** Probabilities and loss of one row of scores. */
  judge(scores: Scores, predicted: number, label: number): Judged;
  /**
   * Probabilities and loss of one row of scores with label sets: the geometric means over the classes of the probability that a class is present or absent, as
   * predicted and as labelled; the loss is −ln of the latter. Undefined for a head whose classes exclude each other.
   */
  readonly judgeSet?: (scores: Scores, predicted: LabelSet, labels: LabelSet) => Judged;
}

/** p = exp(score) / Σ exp(score); loss = −log p[label] = log Σ exp(score) − score[label]. */
export const softmaxHead: ClassHead = {
  isMultiLabel: false,
  scores: (outputs) => outputs,
  probabilities: softmax,
  scoreOf: logarithm,
  judge(scores, predicted, label) {
    const max = maxOf(scores);
    const sum = sumOfExponentials(scores, max);
    const shareOf = (c: number) => Math.exp((scores[c] as number) - max) / sum;
    const loss = Math.log(sum) + max - (scores[label] as number);
    return { probability: shareOf(predicted), labelProbability: shareOf(label), loss };
  },
};

/**
 * Two classes from one logit z: the softmax of [0, z] is [1 − σ(z), σ(z)], and its loss is the binary cross-entropy. The rest is that of two logits.
 */
const binaryHead: ClassHead = {
  ...softmaxHead,
  scores: (outputs, count) => Float64Array.from({ length: 2 * count }, (_, i) => (i % 2) * (outputs[i >> 1] as number)),
};

/** p = σ(score) for each class; loss = −Σ (y log p + (1 − y) log (1 − p)) / classes, with y 1 for the label and 0 for the others. */
const multiLabelHead: ClassHead = {
  isMultiLabel: true,
  scores: (outputs) => outputs,
  probabilities: (scores) => Float64Array.from(scores, sigmoid),
  // log p − log (1 − p); both are finite.
  scoreOf: (probability) => logarithm(probability) - logarithm(1 - probability),
  judge: (scores, predicted, label) => ({
    probability: sigmoid(scores[predicted] as number),
    labelProbability: sigmoid(scores[label] as number),
    loss: setLoss(scores, [label]),
  }),
  judgeSet(scores, predicted, labels) {
    const loss = setLoss(scores, labels);
    return { probability: Math.exp(-setLoss(scores, predicted)), labelProbability: Math.exp(-loss), loss };
  },
};

/** −Σ ln p / classes, where p is σ(z) for the classes of the set and σ(−z) for others. */
function setLoss(scores: Scores, set: LabelSet): number {
  let sum = 0;
  // −log (1 − σ(z)) = log (1 + e^z); −log σ(z) = log (1 + e^z) − z.
  for (const score of scores) sum += Math.max(score, 0) + Math.log1p(Math.exp(-Math.abs(score)));
  for (const label of set) sum -= scores[label] as number;
  // Cancellation may leave −1e-17.
  return Math.max(0, sum / scores.length);
}

/** The head of a network trained on images with these labels. */
export function headOfLabels({ labelSets }: Pick<LabelledImages, "labelSets">): ClassHead {
  return labelSets ? multiLabelHead : softmaxHead;
}

/** The facts of a model that its head depends on. */
export interface HeadFacts {
  readonly head?: HeadName | undefined;
  readonly temperature?: number | undefined;
}

/** The head of a model with `outputs` outputs, at its temperature. Throws as `classHeadOf`. */
export function headOfModel({ head, temperature = 1 }: HeadFacts, outputs: number, origin: string): ClassHead {
  const plain = classHeadOf(head, outputs, origin);
  if (temperature === 1) return plain;
  return {
    ...plain,
    scores: (own, count) => Float64Array.from(plain.scores(own, count), (score) => score / temperature),
  };
}

/** The head of a network with `outputs` outputs. Throws ConfigError, beginning with `origin`, for outputs that are not class scores. */
export function classHeadOf(head: HeadName | undefined, outputs: number, origin: string): ClassHead {
  const name = head ?? "softmax";
  requireProbabilities(name, origin);
  requireClasses(name, outputs, origin);
  if (name === "softmax") return softmaxHead;
  return isMultiLabel(name, outputs) ? multiLabelHead : binaryHead;
}

/** exp(score) / Σ exp(score). Shapes: [classes] → [classes]. Throws NonFiniteError for NaN or infinite scores. */
export function softmax(scores: Scores): Float64Array {
  checkScores(scores);
  const max = maxOf(scores);
  const sum = sumOfExponentials(scores, max);
  return Float64Array.from(scores, (score) => Math.exp(score - max) / sum);
}

/** Throws NonFiniteError for NaN or infinite scores, which have no order and no probabilities. */
export function checkScores(scores: Scores): void {
  const at = firstNonFinite(scores);
  if (at >= 0) throw new NonFiniteError(`scores: expected finite numbers, got ${scores[at]} for class ${at}`);
}

/**
 * Throws NonFiniteError, beginning with the image's name, if an output is NaN or infinite. Shapes: outputs [count, …].
 */
export function checkOutputs(outputs: Float32Array, count: number, nameOf: (row: number) => string): void {
  const at = firstNonFinite(outputs);
  if (at < 0) return;
  const length = outputs.length / count;
  const row = Math.floor(at / length);
  throw new NonFiniteError(`${nameOf(row)}: ${outputProblem(outputs.subarray(row * length, (row + 1) * length))}`);
}

/** Describes the first NaN or infinite output of an image; undefined if all are finite. */
export function outputProblem(outputs: Float32Array): string | undefined {
  const at = firstNonFinite(outputs);
  if (at < 0) return undefined;
  return (
    `expected finite outputs, got ${outputs[at]} for output ${at} of ${outputs.length}: ` +
    "activations overflow on this image; use weights of an earlier checkpoint"
  );
}

/** 1 / (1 + e^−x). */
function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** Replaces a probability that underflows f64 by the smallest number above 0, so that losses are finite. */
function logarithm(probability: number): number {
  return Math.log(Math.max(probability, Number.MIN_VALUE));
}

function maxOf(scores: Scores): number {
  let max = -Infinity;
  for (const score of scores) max = Math.max(max, score);
  return max;
}

function sumOfExponentials(scores: Scores, max: number): number {
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - max);
  return sum;
}
