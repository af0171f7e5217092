/** Metrics of a multi-label network. */
import type { LabelSet } from "../../dataset/labelSets.ts";
import { NonFiniteError } from "../../errors.ts";
import type { ClassHead, Scores } from "./classHead.ts";
import { type ClassCounts, type ClassFigures, classFigures, fraction } from "./confusion.ts";
import { keepScores } from "./keptScores.ts";
import { bestThreshold, mean, type RankingFigures, rankedClass, rankingFigures, rankLabel } from "./labelRanking.ts";

/** Minimum probability of a class that is present, unless others are given or stored with the weights. */
export const DEFAULT_THRESHOLD = 0.5;

/** Minimum probability of a class that is present: one for all classes, or one for each. */
export type Thresholds = number | readonly number[];

/** Minimum probability of a class: the given one, or that of the model; undefined for the default of the head. */
export function thresholdsOf(
  model: { readonly thresholds?: readonly number[] | undefined },
  given?: number,
): Thresholds | undefined {
  return given ?? model.thresholds;
}

/** The threshold of a class. */
export function thresholdOf(thresholds: Thresholds = DEFAULT_THRESHOLD, label: number): number {
  return typeof thresholds === "number" ? thresholds : (thresholds[label] ?? DEFAULT_THRESHOLD);
}

/** Metrics of a multi-label network. An image of a data set with one class per image counts as showing this class and no other. */
export interface MultiLabelFigures extends RankingFigures {
  /** Minimum probability of a class that counts as present: one for all classes, or one for each. */
  readonly threshold: Thresholds;
  /** Fraction of images for which exactly their own classes are predicted. */
  readonly exactMatch: number;
  /** Fraction of all decisions, one for each image and class, that are wrong: the Hamming loss. */
  readonly hammingLoss: number;
  /** Mean of all defined F1 scores. */
  readonly macroF1: number;
  /** F1 score of all decisions together: 2 · correct / (predicted + images), summed over the classes. */
  readonly microF1: number;
  /** Threshold of the best F1 score of each class on these images; 0.5 for a class without images. */
  readonly fittedThresholds: readonly number[];
}

export interface LabelCounter {
  /** Shapes: scores [classes], labels: the image's classes. */
  add(scores: Scores, labels: LabelSet): void;
  result(): { readonly perClass: readonly ClassFigures[]; readonly multiLabel: MultiLabelFigures };
}

/** Classes at or above their thresholds, ascending. */
export function presentClasses(probabilities: ArrayLike<number>, thresholds: Thresholds): LabelSet {
  const present: number[] = [];
  for (let c = 0; c < probabilities.length; c++) {
    if ((probabilities[c] as number) >= thresholdOf(thresholds, c)) present.push(c);
  }
  return present;
}

/**
 * Starts counting: precision = correct / predicted, recall = correct / images, F1 = 2 · correct / (predicted + images). Keeps every score, since average
 * precision depends on the order of all images.
 */
export function countLabels(classNames: readonly string[], threshold: Thresholds, head: ClassHead): LabelCounter {
  const counts = classNames.map((): ClassCounts => ({ images: 0, predicted: 0, correct: 0 }));
  const kept = keepScores(classNames.length, Float32Array);
  let [all, exact] = [0, 0];
  return {
    add(scores, labels) {
      kept.add(scores, labels);
      const present = presentClasses(head.probabilities(scores), threshold);
      for (const c of present) (counts[c] as ClassCounts).predicted++;
      for (const c of labels) (counts[c] as ClassCounts).images++;
      const right = present.filter((c) => labels.includes(c));
      for (const c of right) (counts[c] as ClassCounts).correct++;
      all++;
      if (present.length === labels.length && right.length === labels.length) exact++;
    },
    result() {
      const probabilityOf = (score: number) => head.probabilities(Float64Array.of(score))[0] as number;
      // Label by label, because the points of all labels would take more memory than the scores.
      const ranked = classNames.map((_, c) => {
        const points = rankLabel(kept.of(c));
        return { ...rankedClass(points), threshold: bestThreshold(points, probabilityOf, DEFAULT_THRESHOLD) };
      });
      const perClass = counts.map((own, c) => ({
        ...classFigures(classNames[c] as string, own),
        ...(ranked[c] as (typeof ranked)[number]).areas,
      }));
      const multiLabel = {
        threshold,
        exactMatch: exact / all,
        ...decisionFigures(counts, all),
        macroF1: mean(perClass.flatMap(({ f1 }) => f1 ?? [])) ?? 0,
        ...rankingFigures(ranked),
        fittedThresholds: ranked.map((each) => each.threshold),
      };
      return { perClass, multiLabel };
    },
  };
}

/** Figures of all decisions together, one for each of `all` images and label. */
function decisionFigures(counts: readonly Readonly<ClassCounts>[], all: number) {
  const sum = (of: keyof ClassCounts) => counts.reduce((total, count) => total + count[of], 0);
  const [images, predicted, correct] = [sum("images"), sum("predicted"), sum("correct")];
  return {
    hammingLoss: (images + predicted - 2 * correct) / (all * counts.length),
    microF1: fraction(2 * correct, predicted + images) ?? 0,
  };
}

/**
 * Number of rows whose labels are exactly those with the lowest score or more; by default with a logit of 0 or more, a probability of 50 %. Shapes: scores
 * [count, classes], labels [count], indices of sets, lowest [classes]. Throws NonFiniteError for NaN.
 */
export function countExact(
  scores: Scores,
  labels: ArrayLike<number>,
  count: number,
  labelSets: readonly LabelSet[],
  lowest?: ArrayLike<number>,
): number {
  const classes = scores.length / count;
  if (scores.some(Number.isNaN)) throw new NonFiniteError("scores: expected numbers, got NaN");
  let exact = 0;
  for (let row = 0; row < count; row++) {
    const own = labelSets[labels[row] as number] as LabelSet;
    const start = row * classes;
    let [present, right] = [0, 0];
    for (let c = 0; c < classes; c++) if ((scores[start + c] as number) >= (lowest?.[c] ?? 0)) present++;
    for (let i = 0; i < own.length; i++) {
      const c = own[i] as number;
      if ((scores[start + c] as number) >= (lowest?.[c] ?? 0)) right++;
    }
    if (present === own.length && right === own.length) exact++;
  }
  return exact;
}
