import type { Split } from "../dataset/dataset.ts";
import type { Program } from "../engine/engine.ts";
import { countEvaluation, type Evaluation, type Prediction } from "./metrics.ts";
import { type ScoredBatch, type ScoreOptions, scoreSplit } from "./scores.ts";

/** How scores become an evaluation. */
export interface CountOptions {
  readonly split: Split;
  readonly classNames: readonly string[];
  readonly onProgress?: ((images: number) => void) | undefined;
  /** Is told what became of each picture, in order. */
  readonly onPrediction?: ((prediction: Prediction) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a network is evaluated on. */
export interface EvaluateOptions extends ScoreOptions, CountOptions {}

/**
 * Runs a network over a split, in order. The last, smaller batch counts for the images it has. Undefined if it was aborted.
 */
export function evaluate(program: Program, options: EvaluateOptions): Promise<Evaluation | undefined> {
  return evaluateScores(scoreSplit(program, options), options);
}

/** The evaluation that scores amount to. Undefined if it was aborted. */
export async function evaluateScores(
  scored: AsyncIterable<ScoredBatch>,
  { split, classNames, onProgress, onPrediction, signal }: CountOptions,
): Promise<Evaluation | undefined> {
  const counter = countEvaluation(classNames);
  const worst = keepWorst();
  const nameOf = (c: number) => classNames[c] as string;
  let images = 0;
  for await (const { scores, labels, indices, count } of scored) {
    for (const [row, { label, predicted, probability, labelProbability, loss }] of counter
      .add(scores, labels, count)
      .entries()) {
      const isMistake = predicted !== label;
      if (!onPrediction && !isMistake) continue;
      const index = indices[row] as number;
      const file = split.path?.(index);
      const prediction: Prediction = {
        index,
        ...(file === undefined ? {} : { file }),
        className: nameOf(label),
        predicted: nameOf(predicted),
        probability,
        classProbability: labelProbability,
        loss,
      };
      onPrediction?.(prediction);
      if (isMistake) worst.add(prediction);
    }
    images += count;
    onProgress?.(images);
    if (signal?.aborted) return undefined;
  }
  if (signal?.aborted) return undefined;
  return { ...counter.result(), worstMistakes: worst.list };
}

const KEPT = 10;

/** The mistakes with the highest loss, the first of equal ones first. */
function keepWorst(): { readonly list: readonly Prediction[]; add(mistake: Prediction): void } {
  const list: Prediction[] = [];
  return {
    list,
    add(mistake) {
      if (list.length === KEPT && mistake.loss <= (list[KEPT - 1] as Prediction).loss) return;
      const place = list.findIndex(({ loss }) => loss < mistake.loss);
      list.splice(place === -1 ? list.length : place, 0, mistake);
      list.length = Math.min(list.length, KEPT);
    },
  };
}
