/** Sweep of the learning rate, by the training loop. */
import { limitSplit } from "../dataset/dataset.ts";
import { DivergenceError } from "../errors.ts";
import { rateScale } from "./rateScale.ts";
import { explosionFactor, type RateLoss } from "./rateSuggestion.ts";
import { initialPosition, type Position } from "./state.ts";
import { type Training, train } from "./train.ts";

/** Learning rates of a sweep, which grow by a constant factor per iteration. */
export interface RateRange {
  readonly from: number;
  readonly to: number;
  readonly iterations: number;
}

/** End of a sweep: all rates tried; loss above `explosionFactor` times the best; a loss or weight NaN or infinite; stopped. */
export type SweepEnd = "finished" | "exploded" | "diverged" | "interrupt";

/** The losses of a sweep in order, and its end. */
export interface RateSweep {
  readonly losses: readonly RateLoss[];
  readonly end: SweepEnd;
}

/** Callbacks of a sweep, and the signal that stops it. */
export interface SweepListener {
  onIteration?(iteration: number, point: RateLoss): void;
  readonly signal?: AbortSignal | undefined;
}

/** Decay of the running mean of losses from one iteration to the next, which distinguishes divergence from a hard batch. */
const KEPT = 0.9;

/**
 * Trains from the current weights with a growing learning rate, and records the loss. It runs the training loop itself, with the same images, order and
 * optimizer, so that the result holds for training. Rates are the recipe's, before linear scaling. The weights are unusable afterwards.
 *
 * rate(i) = from · (to / from)^(i / (iterations − 1)).
 *
 * Source: Smith 2017, “Cyclical Learning Rates for Training Neural Networks”, §3.3; constant growth factor and end at four times the best loss: fastai.
 */
export async function sweepRates(
  training: Training,
  { from, to, iterations }: RateRange,
  { onIteration, signal }: SweepListener = {},
): Promise<RateSweep> {
  const rateOf = (i: number) => from * (to / from) ** (i / Math.max(1, iterations - 1));
  const losses: RateLoss[] = [];
  const read = lossReader();
  const explosion = explosionWatch();
  let end: SweepEnd | undefined;
  const isDue = () => signal?.aborted === true || end !== undefined;
  try {
    await train(forSweep(training, iterations, rateOf), initialPosition, {
      signal,
      onIteration(position) {
        if (end) return;
        const point = { learningRate: rateOf(losses.length), loss: read(position) };
        losses.push(point);
        onIteration?.(losses.length, point);
        if (explosion(point.loss)) end = "exploded";
        else if (losses.length === iterations) end = "finished";
      },
      onWindow: async () => {},
      isDue,
      betweenIterations: async () => (isDue() ? "interrupt" : undefined),
      onEvaluationProgress() {},
      onEvaluation: async () => {},
      onEarlyStop() {},
      onStuck() {},
    });
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error;
    end ??= "diverged";
  }
  return { losses, end: end ?? "interrupt" };
}

/** One epoch more than needed: the listener ends it. Evaluations between epochs use one image, since their results are unused. */
function forSweep(training: Training, iterations: number, rateOf: (iterations: number) => number): Training {
  const { train: split, test } = training;
  const { earlyStopping: _, ...recipe } = training.recipe;
  const epochs = Math.ceil((iterations * recipe.batchSize) / split.length) + 1;
  return {
    ...training,
    recipe: { ...recipe, epochs, schedule: { kind: "constant" } },
    test: limitSplit(test, { inOrder: 1 }, "test"),
    rateOf: (iterations) => rateScale(recipe) * rateOf(iterations),
  };
}

/** Computes the loss of each iteration from the sums in positions. */
function lossReader(): (position: Position) => number {
  let last = initialPosition;
  return (position) => {
    const before = position.epoch === last.epoch ? last.epochTally : initialPosition.epochTally;
    const { loss, images } = position.epochTally;
    last = position;
    return (loss - before.loss) / (images - before.images);
  };
}

/** Detects a running mean of losses above `explosionFactor` times its minimum. */
function explosionWatch(): (loss: number) => boolean {
  let [sum, weight, best] = [0, 0, Infinity];
  return (loss) => {
    sum = KEPT * sum + loss;
    weight = KEPT * weight + 1;
    best = Math.min(best, sum / weight);
    return sum / weight > explosionFactor * best;
  };
}
