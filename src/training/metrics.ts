/** What a classifier's scores say about it. */

/** Results over a set of images. Accuracies are fractions. */
export interface Evaluation {
  /** Mean cross-entropy, natural logarithm. */
  readonly loss: number;
  readonly images: number;
  readonly top1Accuracy: number;
  /** The share of images whose class is among the k best; k is 5, or the number of classes if that is less. */
  readonly topK: { readonly k: number; readonly accuracy: number };
  readonly perClass: readonly { readonly className: string; readonly images: number; readonly correct: number }[];
}

/** Accumulates scores batch by batch. */
export interface EvaluationCounter {
  /** Shapes: logits [count, classes], labels [count]. */
  add(logits: Float32Array, labels: ArrayLike<number>, count: number): void;
  result(): Evaluation;
}

/** Starts counting; the number of class names is the number of scores a row. */
export function countEvaluation(classNames: readonly string[]): EvaluationCounter {
  const classes = classNames.length;
  const k = Math.min(5, classes);
  const perClass = classNames.map((className) => ({ className, images: 0, correct: 0 }));
  let images = 0;
  let lossSum = 0;
  let inTopK = 0;
  return {
    add(logits, labels, count) {
      for (let row = 0; row < count; row++) {
        const scores = logits.subarray(row * classes, (row + 1) * classes);
        const label = labels[row] as number;
        const rank = rankOf(scores, label);
        const counts = perClass[label] as (typeof perClass)[number];
        images++;
        counts.images++;
        lossSum += crossEntropy(scores, label);
        if (rank === 0) counts.correct++;
        if (rank < k) inTopK++;
      }
    },
    result: () => ({
      loss: lossSum / images,
      images,
      top1Accuracy: perClass.reduce((sum, { correct }) => sum + correct, 0) / images,
      topK: { k, accuracy: inTopK / images },
      perClass,
    }),
  };
}

/** How many classes come before the label: a higher score, or the same score and a lower number. */
function rankOf(scores: Float32Array, label: number): number {
  const own = scores[label] as number;
  let rank = 0;
  for (let c = 0; c < scores.length; c++) {
    const score = scores[c] as number;
    if (score > own || (score === own && c < label)) rank++;
  }
  return rank;
}

/** −log softmax(scores)[label]. */
function crossEntropy(scores: Float32Array, label: number): number {
  const max = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = scores.reduce((total, score) => total + Math.exp(score - max), 0);
  return Math.log(sum) + max - (scores[label] as number);
}

/** exp(score) / Σ exp(score). Shapes: [classes], kept. */
export function softmax(scores: Float32Array): Float64Array {
  const max = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const exponentials = Float64Array.from(scores, (score) => Math.exp(score - max));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}

/** How many rows have their label's score highest; the first of equal scores counts. Shapes: logits [count, classes]. */
export function countCorrect(logits: Float32Array, labels: ArrayLike<number>, count: number): number {
  const classes = logits.length / count;
  let correct = 0;
  for (let row = 0; row < count; row++) {
    let best = 0;
    for (let c = 1; c < classes; c++) {
      if ((logits[row * classes + c] as number) > (logits[row * classes + best] as number)) best = c;
    }
    if (best === labels[row]) correct++;
  }
  return correct;
}
