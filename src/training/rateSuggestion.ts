/** Result of a sweep of the learning rate: its smoothed curve, and the rates that it suggests. */

/** One iteration of a sweep. */
export interface RateLoss {
  readonly learningRate: number;
  /** Mean over the batch, before the step at this rate. */
  readonly loss: number;
}

/** A point with the mean of the neighbouring losses. */
export interface RatePoint extends RateLoss {
  readonly smoothed: number;
}

/** Suggested learning rates. */
export interface RateSuggestions {
  /** The rate at which the smoothed loss falls fastest over the logarithm of the rate. Source: fastai, `lr_find`, `steep`. */
  readonly steepest: number;
  /** A tenth of the rate with the lowest smoothed loss. Source: fastai, `lr_find`, `minimum`. */
  readonly minimumTenth: number;
}

/** Multiple of the best loss that ends a sweep. Source: fastai, `lr_find`. */
export const explosionFactor = 4;

/** Fraction of a sweep on either side that a point is smoothed over. */
const REACH = 0.04;
/** Fraction of a sweep to skip at its start. Source: fastai, `lr_find`, which skips a tenth. */
const SKIPPED = 0.1;
/** Minimum relative decrease of the loss; less is noise. */
const LEAST_FALL = 0.01;

/**
 * Smooths the curve of a sweep planned for `iterations` iterations, over the same number of neighbours on either side. A loss that is NaN, infinite or
 * above the limit that ends a sweep counts as that limit. fastai averages over earlier losses only, which moves the curve to higher rates.
 */
export function smoothRates(losses: readonly RateLoss[], iterations: number): readonly RatePoint[] {
  const reach = reachOf(iterations);
  const means = (values: readonly number[]) =>
    values.map((_, i) => {
      const near = Math.min(reach, i, values.length - 1 - i);
      const around = values.slice(i - near, i + near + 1);
      return around.reduce((sum, value) => sum + value, 0) / around.length;
    });
  let best = Infinity;
  const limits = means(losses.map(({ loss }) => (Number.isFinite(loss) ? loss : Infinity))).map((mean) => {
    best = Math.min(best, mean);
    return explosionFactor * best;
  });
  const smoothed = means(losses.map(({ loss }, i) => (loss < at(limits, i) ? loss : at(limits, i))));
  return losses.map((point, i) => ({ ...point, smoothed: smoothed[i] as number }));
}

function reachOf(iterations: number): number {
  return Math.max(1, Math.round(REACH * iterations));
}

/** The rates that a sweep planned for `iterations` iterations suggests; undefined if its loss never fell. */
export function suggestRates(points: readonly RatePoint[], iterations: number): RateSuggestions | undefined {
  const first = Math.floor(SKIPPED * iterations);
  if (points.length <= first) return undefined;
  let lowest = first;
  for (let i = first; i < points.length; i++) if (at(points, i).smoothed < at(points, lowest).smoothed) lowest = i;
  if (lowest === first || at(points, lowest).smoothed > (1 - LEAST_FALL) * at(points, first).smoothed) return undefined;
  const reach = reachOf(iterations);
  // The middle of the decrease, if it is shorter than the reach.
  let steepest = { rate: at(points, (first + lowest) >> 1).learningRate, slope: 0 };
  for (let i = first + reach; i <= lowest - reach; i++) {
    const [low, high] = [at(points, i - reach), at(points, i + reach)];
    const slope = (high.smoothed - low.smoothed) / Math.log(high.learningRate / low.learningRate);
    if (slope < steepest.slope) steepest = { rate: at(points, i).learningRate, slope };
  }
  return { steepest: steepest.rate, minimumTenth: at(points, lowest).learningRate / 10 };
}

function at<T>(values: readonly T[], i: number): T {
  return values[i] as T;
}
