/** Rejection: an image whose most probable class is below the threshold shows "none of these". */
import { ConfigError, DataError } from "../../errors.ts";

/** Probability of the predicted class of an image, and true if that is the correct one. */
export interface Confidence {
  readonly probability: number;
  readonly isCorrect: boolean;
}

/** Figures of the images at or above the threshold. */
export interface RejectionFigures {
  /** Minimum probability of the predicted class: one for all classes, or one for each. */
  readonly threshold: number | readonly number[];
  /** Number of images at or above it. */
  readonly accepted: number;
  /** Fraction of images at or above it. */
  readonly coverage: number;
  /** Accuracy of these; null if there are none. */
  readonly accuracy: number | null;
}

/** Condition of a threshold; exactly one of the two. */
export interface RejectionGoal {
  /** Minimum fraction of images at or above the threshold. */
  readonly coverage?: number;
  /** Maximum fraction of mistakes among these. */
  readonly maxError?: number;
}

/** The largest number below 1: a threshold that only certain predictions reach. */
const HIGHEST = 1 - Number.EPSILON / 2;

/**
 * The highest threshold that accepts at least the fraction `coverage` of validation images; or the lowest one, that is the largest coverage, whose
 * accepted images have at most the fraction `maxError` of mistakes. It is midway to the next lower probability.
 *
 * Throws DataError if no threshold has so few mistakes, ConfigError for both goals or none, and for one that is not a fraction.
 * Source: Geifman and El-Yaniv 2017, “Selective classification for deep neural networks”, without their bound: the condition holds for these images.
 */
export function chooseThreshold(images: readonly Confidence[], { coverage, maxError }: RejectionGoal): number {
  for (const [name, goal] of Object.entries({ coverage, maxError })) {
    if (goal === undefined || (goal > 0 && goal < 1)) continue;
    throw new ConfigError(`${name}: expected a number between 0 and 1, got ${goal}`);
  }
  if ((coverage === undefined) === (maxError === undefined)) {
    throw new ConfigError(
      `threshold: expected either coverage or maxError, got ${coverage === undefined ? "none" : "both"}`,
    );
  }
  const sorted = images.toSorted((a, b) => b.probability - a.probability);
  let chosen: number | undefined;
  let mistakes = 0;
  // Quotients: 7 of 100 are the number 0.07, but 0.07 · 100 is above 7.
  for (const [i, { probability, isCorrect }] of sorted.entries()) {
    if (!isCorrect) mistakes++;
    // Images with equal probabilities are accepted together.
    if (sorted[i + 1]?.probability === probability) continue;
    if (coverage !== undefined && (i + 1) / sorted.length >= coverage) {
      chosen = i;
      break;
    }
    if (maxError !== undefined && mistakes / (i + 1) <= maxError) chosen = i;
  }
  if (chosen === undefined) {
    throw new DataError(
      `max-error: expected at most ${maxError} of mistakes above some threshold, found more above every one, on ${images.length} validation images; allow more`,
    );
  }
  const own = sorted[chosen]?.probability as number;
  return Math.min((own + (sorted[chosen + 1]?.probability ?? 0)) / 2, HIGHEST);
}
