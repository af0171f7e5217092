/** Metrics from a classifier's scores. */
import { NonFiniteError } from "../../errors.ts";
import { type Calibration, countCalibration } from "./calibration.ts";
import { type ClassHead, checkScores, type Judged, type Scores, softmaxHead } from "./classHead.ts";
import { type ClassFigures, countConfusion } from "./confusion.ts";
import { countLabels, DEFAULT_THRESHOLD, type MultiLabelFigures } from "./multiLabel.ts";

/** Results over a set of images. Accuracies are fractions. */
export interface Figures {
  /** Mean cross-entropy, natural logarithm; for a multi-label network, the mean binary cross-entropy of its classes. */
  readonly loss: number;
  /** Number of images. */
  readonly images: number;
  /** Fraction of images whose most probable class is the correct one. */
  readonly top1Accuracy: number;
  /** Fraction of images whose class is among the k most probable; k is 5, or the number of classes if that is less. */
  readonly topK: { readonly k: number; readonly accuracy: number };
  /** Precision and recall by class. For a multi-label network, a class counts as predicted at the threshold or above. */
  readonly perClass: readonly ClassFigures[];
  /** For a multi-label network only. */
  readonly multiLabel?: MultiLabelFigures;
  /** Images of each class (row) by the most probable class (column). */
  readonly confusion: readonly (readonly number[])[];
  readonly calibration: Calibration;
}

/** The prediction for one image. */
export interface Prediction {
  /** Its position in the split. */
  readonly index: number;
  /** Present if each image has a file of its own. */
  readonly file?: string;
  /** Its own class. */
  readonly className: string;
  /** The most probable class. */
  readonly predicted: string;
  /** Probability of the predicted class. */
  readonly probability: number;
  /** Probability of the image's own class. */
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
}

/** Metrics of one image. Classes are numbers; `rank` is the number of classes before its own. */
export interface Judgement extends Judged {
  readonly label: number;
  readonly predicted: number;
  readonly rank: number;
}

/** Accumulates scores batch by batch. */
export interface EvaluationCounter {
  /** Shapes: scores [count, classes], labels [count]. Returns each row's metrics. Throws NonFiniteError for NaN or infinite scores. */
  add(scores: Scores, labels: ArrayLike<number>, count: number): readonly Judgement[];
  result(): Figures;
}

/** Interpretation of scores: their head, and the minimum probability of a class that is present, for a multi-label network. */
export interface CountedHead {
  /** Default: softmax. */
  readonly head?: ClassHead | undefined;
  /** Default 0.5. */
  readonly threshold?: number | undefined;
}

/** Starts counting; each row has one score per class name. */
export function countEvaluation(classNames: readonly string[], reading: CountedHead = {}): EvaluationCounter {
  const { head = softmaxHead, threshold = DEFAULT_THRESHOLD } = reading;
  const classes = classNames.length;
  const labelCounter = head.isMultiLabel ? countLabels(classNames, threshold) : undefined;
  const k = Math.min(5, classes);
  const confusion = countConfusion(classNames);
  const calibration = countCalibration();
  let images = 0;
  let lossSum = 0;
  let correct = 0;
  let inTopK = 0;
  return {
    add(scores, labels, count) {
      return Array.from({ length: count }, (_, row) => {
        const own = scores.subarray(row * classes, (row + 1) * classes);
        const judgement = judge(own, labels[row] as number, head);
        const { label, predicted, rank, loss, probability } = judgement;
        images++;
        lossSum += loss;
        confusion.add(label, predicted);
        labelCounter?.add(head.probabilities(own), label);
        calibration.add(probability, predicted === label);
        if (predicted === label) correct++;
        if (rank < k) inTopK++;
        return judgement;
      });
    },
    result: () => ({
      loss: lossSum / images,
      images,
      top1Accuracy: correct / images,
      topK: { k, accuracy: inTopK / images },
      ...confusion.result(),
      ...labelCounter?.result(),
      calibration: calibration.result(),
    }),
  };
}

function judge(scores: Scores, label: number, head: ClassHead): Judgement {
  checkScores(scores);
  const predicted = bestOf(scores);
  return { label, predicted, rank: rankOf(scores, label), ...head.judge(scores, predicted, label) };
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
