/** Metrics from a classifier's scores. */
import { joinedLabels, type LabelSet } from "../../dataset/labelSets.ts";
import { ConfigError, NonFiniteError } from "../../errors.ts";
import { type Calibration, countCalibration } from "./calibration.ts";
import { type ClassHead, checkScores, type Judged, type Scores, softmaxHead } from "./classHead.ts";
import { type ClassAverages, type ClassFigures, classAverages, countConfusion, fraction } from "./confusion.ts";
import { type Interval, wilsonInterval } from "./intervals.ts";
import type { ConfidentJoint } from "./labelErrors.ts";
import type { RankingFigures } from "./labelRanking.ts";
import {
  countLabels,
  DEFAULT_THRESHOLD,
  type MultiLabelFigures,
  presentClasses,
  type Thresholds,
  thresholdOf,
} from "./multiLabel.ts";
import type { RejectionFigures } from "./rejection.ts";

/** Results over a set of images. Accuracies are fractions. */
export interface Figures {
  /** Mean cross-entropy, natural logarithm; for a multi-label network, the mean binary cross-entropy of its classes. */
  readonly loss: number;
  /** Number of images. */
  readonly images: number;
  /** Fraction of images whose most probable class is the correct one; with label sets, one of their classes. */
  readonly top1Accuracy: number;
  /** Wilson interval of the accuracy, 95 %; with label sets, of the exact match. It assumes independent images. */
  readonly accuracyInterval: Interval;
  /** Fraction of images whose class, or one of whose classes, is among the k most probable; k is 5, or the number of classes if that is less. */
  readonly topK: { readonly k: number; readonly accuracy: number };
  /** Precision and recall by class. For a multi-label network, a class counts as predicted at the threshold or above. */
  readonly perClass: readonly ClassFigures[];
  /** Averages over the classes; absent for a multi-label network, whose averages are in `multiLabel`. */
  readonly averages?: ClassAverages;
  /** For a multi-label network only. */
  readonly multiLabel?: MultiLabelFigures;
  /** Images of each class (row) by the most probable class (column); empty with label sets. */
  readonly confusion: readonly (readonly number[])[];
  readonly calibration: Calibration;
  /** Images at or above the threshold of a network with one class per image; absent without a threshold. */
  readonly rejection?: RejectionFigures;
}

/** The prediction for one image. */
export interface Prediction {
  /** Its position in the split. */
  readonly index: number;
  /** Present if each image has a file of its own. */
  readonly file?: string;
  /** Its own class; with label sets, its classes separated by `; `, empty for none. */
  readonly className: string;
  /** The most probable class; with label sets, the classes at or above their thresholds, likewise. */
  readonly predicted: string;
  /** Probability of the predicted class; with label sets, the geometric mean of those of all decisions, one for each class. */
  readonly probability: number;
  /** Probability of the image's own class; with label sets, the geometric mean of those of the correct decisions. */
  readonly classProbability: number;
  /** −log `classProbability`, natural logarithm; for a multi-label network, the mean binary cross-entropy of its classes. */
  readonly loss: number;
}

/** Results with the worst and best images. */
export interface Evaluation extends Figures {
  /** Up to ten misclassified images, the highest loss first. */
  readonly worstMistakes: readonly Prediction[];
  /** Up to ten correctly classified images, the highest probability first. */
  readonly bestPredictions: readonly Prediction[];
  /** Each class against all others over all thresholds; absent for a multi-label network, whose figures are in `multiLabel`, and in training. */
  readonly ranking?: RankingFigures;
  /** Suspected label errors by confident learning; absent where `ranking` is, and if fewer than two classes have images. */
  readonly labelErrors?: LabelErrors;
}

/** Suspected label errors of images with one class each. */
export interface LabelErrors extends ConfidentJoint {
  /** Number of suspected images. */
  readonly count: number;
  /** The first 100 of them, the lowest margin first. */
  readonly suspects: readonly Suspect[];
}

/** An image whose label is suspected to be wrong. */
export interface Suspect extends Pick<Prediction, "index" | "file" | "className" | "classProbability"> {
  /** The class that the probabilities suggest, and its probability. */
  readonly suggested: string;
  readonly probability: number;
  /** Probability of the image's own class minus the highest of the other classes. */
  readonly margin: number;
}

/** Figures of images with label sets; undefined if each image has one class. */
export function labelSetFigures({
  confusion,
  multiLabel,
}: Pick<Figures, "confusion" | "multiLabel">): MultiLabelFigures | undefined {
  return confusion.length === 0 ? multiLabel : undefined;
}

/** Accuracy of an evaluation, a fraction: top-1; with label sets, exact match. */
export function accuracyOf(figures: Pick<Figures, "confusion" | "multiLabel" | "top1Accuracy">): number {
  return labelSetFigures(figures)?.exactMatch ?? figures.top1Accuracy;
}

/** Metrics of one image. Classes are numbers; `rank` is the number of classes before the first of its own. */
export interface Judgement extends Judged {
  readonly labels: LabelSet;
  readonly predicted: LabelSet;
  readonly isCorrect: boolean;
  readonly rank: number;
  /** Probability of the most probable class, and true if that is one of its own. */
  readonly best: { readonly probability: number; readonly isCorrect: boolean };
}

/** Accumulates scores batch by batch. */
export interface EvaluationCounter {
  /** Shapes: scores [count, classes], labels [count]. Returns each row's metrics. Throws NonFiniteError for NaN or infinite scores. */
  add(scores: Scores, labels: ArrayLike<number>, count: number): readonly Judgement[];
  result(): Figures;
}

/** Interpretation of scores: their head, and the minimum probability of a class. */
export interface CountedHead {
  /** Default: softmax. */
  readonly head?: ClassHead | undefined;
  /** Minimum probability of a class. Default: 0.5 for a multi-label network; otherwise none, and no image is rejected. */
  readonly threshold?: Thresholds | undefined;
  /** Label sets, if labels are their indices; requires a multi-label head. */
  readonly labelSets?: readonly LabelSet[] | undefined;
}

/** Starts counting; each row has one score per class name. */
export function countEvaluation(classNames: readonly string[], reading: CountedHead = {}): EvaluationCounter {
  const { head = softmaxHead, threshold: given, labelSets } = reading;
  const threshold = given ?? DEFAULT_THRESHOLD;
  const classes = classNames.length;
  const labelCounter = head.isMultiLabel ? countLabels(classNames, threshold, head) : undefined;
  const judgeRow = labelSets ? setJudge(labelSets, head, threshold) : classJudge(head);
  const k = Math.min(5, classes);
  const confusion = countConfusion(classNames);
  const calibration = countCalibration();
  let images = 0;
  let lossSum = 0;
  let correct = 0;
  let inTopK = 0;
  const rejection = given === undefined || head.isMultiLabel ? undefined : countRejection(given);
  return {
    add(scores, labels, count) {
      return Array.from({ length: count }, (_, row) => {
        const own = scores.subarray(row * classes, (row + 1) * classes);
        checkScores(own);
        const judgement = judgeRow(own, labels[row] as number);
        const { rank, loss, best } = judgement;
        images++;
        lossSum += loss;
        if (!labelSets) confusion.add(judgement.labels[0] as number, judgement.predicted[0] as number);
        labelCounter?.add(own, judgement.labels);
        calibration.add(best.probability, best.isCorrect);
        rejection?.add(judgement);
        if (best.isCorrect) correct++;
        if (rank < k) inTopK++;
        return judgement;
      });
    },
    result() {
      const counted = labelSets ? { perClass: [], confusion: [] } : confusion.result();
      const ofLabels = labelCounter?.result();
      const figures = {
        loss: lossSum / images,
        images,
        top1Accuracy: correct / images,
        topK: { k, accuracy: inTopK / images },
        ...counted,
        ...(ofLabels ?? { averages: classAverages(counted.perClass) }),
        calibration: calibration.result(),
        ...(rejection && { rejection: rejection.result() }),
      };
      return {
        ...figures,
        accuracyInterval: wilsonInterval(Math.round(accuracyOf(figures) * images), images) ?? [0, 1],
      };
    },
  };
}

/** Starts counting the images whose predicted class is at its threshold or above. */
function countRejection(threshold: Thresholds) {
  let [images, accepted, correct] = [0, 0, 0];
  return {
    add({ probability, predicted, isCorrect }: Judgement) {
      images++;
      if (probability < thresholdOf(threshold, predicted[0] as number)) return;
      accepted++;
      if (isCorrect) correct++;
    },
    result: (): RejectionFigures => {
      return { threshold, accepted, coverage: accepted / images, accuracy: fraction(correct, accepted) };
    },
  };
}

/** Judges one row of scores. */
type Judge = (scores: Scores, label: number) => Judgement;

function classJudge(head: ClassHead): Judge {
  return (scores, label) => {
    const predicted = bestOf(scores);
    const judged = head.judge(scores, predicted, label);
    const isCorrect = predicted === label;
    const best = { probability: judged.probability, isCorrect };
    return { labels: [label], predicted: [predicted], isCorrect, rank: rankOf(scores, label), best, ...judged };
  };
}

/** Throws ConfigError for a head whose classes exclude each other. */
function setJudge(labelSets: readonly LabelSet[], head: ClassHead, threshold: Thresholds): Judge {
  const { judgeSet } = head;
  if (!judgeSet) {
    throw new ConfigError(
      "label sets: expected a multi-label network, got one with one class per image; use one class per image",
    );
  }
  return (scores, label) => {
    const labels = labelSets[label] as LabelSet;
    const probabilities = head.probabilities(scores);
    const predicted = presentClasses(probabilities, threshold);
    const top = bestOf(scores);
    const rank = labels.reduce((lowest, own) => Math.min(lowest, rankOf(scores, own)), scores.length);
    return {
      labels,
      predicted,
      isCorrect: predicted.length === labels.length && predicted.every((c, i) => c === labels[i]),
      rank,
      best: { probability: probabilities[top] as number, isCorrect: labels.includes(top) },
      ...judgeSet(scores, predicted, labels),
    };
  };
}

/** Prediction of an image, for people. */
export function describePrediction(
  { labels, predicted, probability, labelProbability, loss }: Judgement,
  image: Pick<Prediction, "index" | "file">,
  classNames: readonly string[],
): Prediction {
  return {
    ...image,
    className: joinedLabels(labels, classNames),
    predicted: joinedLabels(predicted, classNames),
    probability,
    classProbability: labelProbability,
    loss,
  };
}

/** Number of classes before the label: a higher score, or the same score and a lower number. */
function rankOf(scores: Scores, label: number): number {
  const own = scores[label] as number;
  let rank = 0;
  for (let c = 0; c < scores.length; c++) {
    const score = scores[c] as number;
    if (score > own || (score === own && c < label)) rank++;
  }
  return rank;
}

/** The class with the highest score; the first of equal ones. Scores are finite. */
export function bestOf(scores: Scores): number {
  let best = 0;
  for (let c = 1; c < scores.length; c++) if ((scores[c] as number) > (scores[best] as number)) best = c;
  return best;
}

/**
 * Number of rows whose label's score is the highest; the first of equal scores counts. Shapes: scores [count, classes]. Throws NonFiniteError
 * for NaN.
 */
export function countCorrect(scores: Scores, labels: ArrayLike<number>, count: number): number {
  const classes = scores.length / count;
  if (scores.some(Number.isNaN)) throw new NonFiniteError("scores: expected numbers, got NaN");
  let correct = 0;
  for (let row = 0; row < count; row++) {
    if (bestOf(scores.subarray(row * classes, (row + 1) * classes)) === labels[row]) correct++;
  }
  return correct;
}
