/** Targets of the loss: a distribution over the classes for each image. */
import type { LabelSet } from "../../dataset/labelSets.ts";
import { DataError } from "../../errors.ts";

/** Rule that turns labels into targets. */
export interface TargetRule {
  /** ε, the fraction of every target that is spread evenly over all classes, 0 ≤ ε < 1. */
  readonly labelSmoothing: number;
  /** [classes]. */
  readonly classWeights: ArrayLike<number>;
}

/** The second label of each image, and the fraction λ of the first, if images are mixed in pairs. */
export interface MixedLabels {
  readonly lambda: number;
  readonly labels: ArrayLike<number>;
}

/**
 * Writes the targets of `count` images into the first rows of `into`: with ε label smoothing, w class weights, K classes, y and y′ an image's labels,
 *
 *     target[r, c] = count / Σ w[y] · w[c] · ((1 − ε) · (λ · [c = y] + (1 − λ) · [c = y′]) + ε / K).
 *
 * The mean over the images of −Σ target · log p is then torch.nn.CrossEntropyLoss(weight=w, label_smoothing=ε) of the labels, λ times of y and 1 − λ
 * times of y′: the weighted mean, where the divisor is the sum of the labels' weights. The labels y′ are the labels y in another order.
 *
 * Shapes: labels [count], into [≥ count, K]. Throws DataError for a label out of range.
 */
export function writeTargets(
  { labelSmoothing, classWeights }: TargetRule,
  labels: ArrayLike<number>,
  count: number,
  mixed: MixedLabels | undefined,
  into: Float32Array,
): void {
  const classes = classWeights.length;
  let sum = 0;
  for (let row = 0; row < count; row++) sum += classWeights[classOf(labels, row, classes)] as number;
  const scale = count / sum;
  if (!Number.isFinite(scale)) throw new DataError(`class weights: expected a positive sum over a batch, got ${sum}`);
  const everywhere = (scale * labelSmoothing) / classes;
  const lambda = mixed ? mixed.lambda : 1;
  for (let row = 0; row < count; row++) {
    const start = row * classes;
    for (let c = 0; c < classes; c++) into[start + c] = everywhere * (classWeights[c] as number);
    add(into, start, labels[row] as number, scale * (1 - labelSmoothing) * lambda, classWeights);
    if (!mixed) continue;
    const second = classOf(mixed.labels, row, classes);
    add(into, start, second, scale * (1 - labelSmoothing) * (1 - lambda), classWeights);
  }
}

/** Rule that turns label sets into targets of independent classes. */
export interface LabelSetRule {
  /** ε, the distance of targets from 0 and 1, times 2. */
  readonly labelSmoothing: number;
  readonly labelSets: readonly LabelSet[];
  readonly classes: number;
}

/**
 * Writes the targets of `count` images into the first rows of `into`: with ε label smoothing, Y and Y′ an image's label sets,
 *
 *     target[r, c] = (1 − ε) · (λ · [c ∈ Y] + (1 − λ) · [c ∈ Y′]) + ε / 2.
 *
 * Source of the smoothing: keras.losses.BinaryCrossentropy.
 *
 * Shapes: labels [count], indices of sets; into [≥ count, classes]. Throws DataError for a label out of range.
 */
export function writeLabelSetTargets(
  { labelSmoothing, labelSets, classes }: LabelSetRule,
  labels: ArrayLike<number>,
  count: number,
  mixed: MixedLabels | undefined,
  into: Float32Array,
): void {
  const lambda = mixed ? mixed.lambda : 1;
  into.fill(labelSmoothing / 2, 0, count * classes);
  for (let row = 0; row < count; row++) {
    const start = row * classes;
    addSet(into, start, labelSets[classOf(labels, row, labelSets.length)] as LabelSet, (1 - labelSmoothing) * lambda);
    if (!mixed) continue;
    const second = labelSets[classOf(mixed.labels, row, labelSets.length)] as LabelSet;
    addSet(into, start, second, (1 - labelSmoothing) * (1 - lambda));
  }
}

function addSet(into: Float32Array, start: number, set: LabelSet, amount: number): void {
  for (let i = 0; i < set.length; i++) {
    const at = start + (set[i] as number);
    into[at] = (into[at] as number) + amount;
  }
}

function add(into: Float32Array, start: number, label: number, amount: number, weights: ArrayLike<number>): void {
  into[start + label] = (into[start + label] as number) + amount * (weights[label] as number);
}

function classOf(labels: ArrayLike<number>, row: number, classes: number): number {
  const label = labels[row];
  if (label !== undefined && Number.isInteger(label) && label >= 0 && label < classes) return label;
  throw new DataError(`label of image ${row}: expected a class from 0 to ${classes - 1}, got ${label}`);
}

/** 1 for an image's class and 0 for others. Shapes: labels [N] → [N, classes]. Throws DataError for a label out of range. */
export function oneHotTargets(labels: ArrayLike<number>, classes: number): Float32Array {
  const targets = new Float32Array(labels.length * classes);
  const rule: TargetRule = { labelSmoothing: 0, classWeights: new Float32Array(classes).fill(1) };
  writeTargets(rule, labels, labels.length, undefined, targets);
  return targets;
}
