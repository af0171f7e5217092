/** Evaluation of a program on a split. */
import type { Split } from "../../dataset/dataset.ts";
import { softmaxHead } from "./classHead.ts";
import {
  type CountedHead,
  countEvaluation,
  describePrediction,
  type Evaluation,
  type LabelErrors,
  type Prediction,
  type Suspect,
} from "./metrics.ts";
import { countRanking, type Ranking, type RankingCounter } from "./ranking.ts";
import { type ScoredBatch, type ScoreOptions, type ScoringProgram, scoreSplit } from "./scores.ts";

/** Options of computing an evaluation from scores. */
export interface CountOptions extends Omit<CountedHead, "labelSets"> {
  readonly split: Split;
  readonly classNames: readonly string[];
  readonly onProgress?: ((images: number) => void) | undefined;
  /** Called with each image's prediction, in order. */
  readonly onPrediction?: ((prediction: Prediction) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Data and options of an evaluation. */
export interface EvaluateOptions extends Omit<ScoreOptions, keyof CountOptions>, CountOptions {}

/**
 * Runs a network over a split, in order. The last, smaller batch is weighted by its number of images. Undefined if it was aborted. Throws
 * NonFiniteError naming the image if an output is NaN or infinite.
 */
export function evaluate(program: ScoringProgram, options: EvaluateOptions): Promise<Evaluation | undefined> {
  return evaluateScores(scoreSplit(program, options), options);
}

/**
 * Like `evaluateScores`, with the figures that need the probabilities of all images, which are kept: 9 bytes per image and class. A multi-label network
 * ranks images in any evaluation.
 */
export async function evaluateInDetail(
  scored: AsyncIterable<ScoredBatch>,
  options: CountOptions,
): Promise<Evaluation | undefined> {
  const { classNames, head = softmaxHead } = options;
  if (head.isMultiLabel) return evaluateScores(scored, options);
  const counter = countRanking(classNames.length, head);
  const evaluation = await evaluateScores(counted(scored, counter), options);
  if (!evaluation) return undefined;
  const { ranking, perClass, labels } = await counter.result();
  return {
    ...evaluation,
    perClass: evaluation.perClass.map((own, c) => ({ ...own, ...perClass[c] })),
    ranking,
    ...(labels && { labelErrors: describeLabels(labels, options) }),
  };
}

/** Maximum number of suspects in an evaluation. */
const SUSPECTS = 100;

function describeLabels(
  { suspects, ...joint }: NonNullable<Ranking["labels"]>,
  { split, classNames }: CountOptions,
): LabelErrors {
  const nameOf = (c: number) => classNames[c] ?? String(c);
  const shown = suspects.slice(0, SUSPECTS).map((suspect): Suspect => {
    const { image: index, label, suggested, probability, labelProbability, margin } = suspect;
    const file = split.path?.(index);
    return {
      index,
      ...(file === undefined ? {} : { file }),
      className: nameOf(label),
      suggested: nameOf(suggested),
      ...{ probability, classProbability: labelProbability, margin },
    };
  });
  return { count: suspects.length, ...joint, suspects: shown };
}

/** Adds each batch to a counter on its way. */
async function* counted(scored: AsyncIterable<ScoredBatch>, counter: RankingCounter): AsyncGenerator<ScoredBatch> {
  for await (const batch of scored) {
    counter.add(batch);
    yield batch;
  }
}

/** Computes an evaluation from scores. Undefined if it was aborted. */
export async function evaluateScores(
  scored: AsyncIterable<ScoredBatch>,
  { split, classNames, head, threshold, onProgress, onPrediction, signal }: CountOptions,
): Promise<Evaluation | undefined> {
  const counter = countEvaluation(classNames, { head, threshold, labelSets: split.labelSets });
  const worst = keepHighest("loss");
  const best = keepHighest("probability");
  let images = 0;
  for await (const { scores, labels, indices, count } of scored) {
    for (const [row, judgement] of counter.add(scores, labels, count).entries()) {
      const kept = judgement.isCorrect ? best : worst;
      const isKept = kept.takes(judgement);
      if (!onPrediction && !isKept) continue;
      const index = indices[row] as number;
      const file = split.path?.(index);
      const image = { index, ...(file === undefined ? {} : { file }) };
      const prediction = describePrediction(judgement, image, classNames);
      onPrediction?.(prediction);
      if (isKept) kept.add(prediction);
    }
    images += count;
    onProgress?.(images);
    if (signal?.aborted) return undefined;
  }
  if (signal?.aborted) return undefined;
  return { ...counter.result(), worstMistakes: worst.list, bestPredictions: best.list };
}

const KEPT = 10;

type Key = "loss" | "probability";

interface Kept {
  readonly list: readonly Prediction[];
  /** True if `add` would keep a prediction. */
  takes(found: Pick<Prediction, Key>): boolean;
  add(prediction: Prediction): void;
}

/** Keeps the predictions with the highest value of one figure; the first of equal ones first. */
function keepHighest(key: Key): Kept {
  const list: Prediction[] = [];
  return {
    list,
    takes: (found) => list.length < KEPT || found[key] > (list[KEPT - 1] as Prediction)[key],
    add(prediction) {
      const place = list.findIndex((kept) => kept[key] < prediction[key]);
      list.splice(place === -1 ? list.length : place, 0, prediction);
      list.length = Math.min(list.length, KEPT);
    },
  };
}
