/** Metrics from a classifier's scores. */
import { type Calibration, countCalibration } from "./calibration.ts";
import { type ClassFigures, countConfusion } from "./confusion.ts";

/** A number for each class, the higher the more probable: logits, or logarithms of probabilities. */
export type Scores = Float32Array | Float64Array;

/** Results over a set of images. Accuracies are fractions. */
export interface Figures {
  /** Mean cross-entropy, natural logarithm. */
  readonly loss: number;
  readonly images: number;
  readonly top1Accuracy: number;
  /** The fraction of images whose class is among the k best; k is 5, or the number of classes if that is less. */
  readonly topK: { readonly k: number; readonly accuracy: number };
  readonly perClass: readonly ClassFigures[];
  /** Images of each class (row) by the class that was predicted (column). */
  readonly confusion: readonly (readonly number[])[];
  readonly calibration: Calibration;
}

/** The prediction for one image. */
export interface Prediction {
  /** Its position in the split. */
  readonly index: number;
  /** Present if each image has a file of its own. */
  readonly file?: string;
  readonly className: string;
  readonly predicted: string;
  /** Probability of the predicted class. */
  readonly probability: number;
  /** Probability of the image's own class. */
  readonly classProbability: number;
  /** −log of that. */
  readonly loss: number;
}

/** Results with the images that were worst, and best. */
export interface Evaluation extends Figures {
  /** Up to ten images of which another class was predicted, the highest loss first. */
  readonly worstMistakes: readonly Prediction[];
  /** Up to ten images of which their own class was predicted, the highest probability first. */
  readonly bestPredictions: readonly Prediction[];
}

/** Metrics of one image. Classes are numbers; `rank` is the number of classes before its own. */
export interface Judgement {
  readonly label: number;
  readonly predicted: number;
  readonly rank: number;
  readonly probability: number;
  readonly labelProbability: number;
  readonly loss: number;
}

/** Accumulates scores batch by batch. */
export interface EvaluationCounter {
  /** Shapes: scores [count, classes], labels [count]. Returns what was found, row by row. */
  add(scores: Scores, labels: ArrayLike<number>, count: number): readonly Judgement[];
  result(): Figures;
}

/** Starts counting; the number of class names is the number of scores a row. */
export function countEvaluation(classNames: readonly string[]): EvaluationCounter {
  const classes = classNames.length;
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
        const judgement = judge(scores.subarray(row * classes, (row + 1) * classes), labels[row] as number);
        const { label, predicted, rank, loss, probability } = judgement;
        images++;
        lossSum += loss;
        confusion.add(label, predicted);
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
      calibration: calibration.result(),
    }),
  };
}

/** loss = log Σ exp(score) − score[label]. */
function judge(scores: Scores, label: number): Judgement {
  const predicted = bestOf(scores);
  const [max, own] = [maxOf(scores), scores[label] as number];
  const sum = sumOfExponentials(scores, max);
  const probabilityOf = (score: number) => Math.exp(score - max) / sum;
  return {
    label,
    predicted,
    rank: rankOf(scores, label),
    probability: probabilityOf(scores[predicted] as number),
    labelProbability: probabilityOf(own),
    loss: Math.log(sum) + max - own,
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

/** The class with the highest score; the first of equal ones. */
function bestOf(scores: Scores): number {
  let best = 0;
  for (let c = 1; c < scores.length; c++) if ((scores[c] as number) > (scores[best] as number)) best = c;
  return best;
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

/** exp(score) / Σ exp(score). Shapes: [classes], kept. */
export function softmax(scores: Scores): Float64Array {
  const max = maxOf(scores);
  const sum = sumOfExponentials(scores, max);
  return Float64Array.from(scores, (score) => Math.exp(score - max) / sum);
}

/** Number of rows whose label has the highest score; the first of equal scores counts. Shapes: scores [count, classes]. */
export function countCorrect(scores: Scores, labels: ArrayLike<number>, count: number): number {
  const classes = scores.length / count;
  let correct = 0;
  for (let row = 0; row < count; row++) {
    if (bestOf(scores.subarray(row * classes, (row + 1) * classes)) === labels[row]) correct++;
  }
  return correct;
}
