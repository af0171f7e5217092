/** Curve of a learning-rate sweep. */
import type { RatePoint, RateSuggestions } from "../../training/rateSuggestion.ts";

/** What is drawn of a sweep of the learning rate. */
export interface RateCurve {
  readonly network: string;
  readonly dataset: string;
  readonly recipe: string;
  readonly points: readonly RatePoint[];
  readonly suggestions: RateSuggestions | undefined;
}

/** A suggested rate and why; both are marked in the same way everywhere. */
export interface MarkedRate {
  readonly rate: number;
  readonly reason: string;
}

/** The suggestions as a list, the lower one first. */
export function markedRates(suggestions: RateSuggestions | undefined): readonly MarkedRate[] {
  if (!suggestions) return [];
  const { steepest, minimumTenth } = suggestions;
  return [
    { rate: steepest, reason: "steepest fall" },
    { rate: minimumTenth, reason: "a tenth of the rate with the least loss" },
  ].sort((a, b) => a.rate - b.rate);
}

/** Two digits, as much as a sweep can tell: `0.0066`, `3.2e-5`. */
export function formatLearningRate(rate: number): string {
  const rounded = Number(rate.toPrecision(2));
  return rounded >= 1e-4 ? String(rounded) : rounded.toExponential();
}

/** The losses that a curve is drawn between: the rise at its end to a loss above the first by as much as it fell is enough. */
export function lossRange(points: readonly RatePoint[]): readonly [least: number, most: number] {
  const smoothed = points.map((point) => point.smoothed);
  const [first] = smoothed;
  if (first === undefined) return [0, 1];
  const least = Math.min(...smoothed);
  const most = Math.min(Math.max(...smoothed), first + Math.max(first - least, 0.2 * first));
  const room = 0.05 * (most - least || 1);
  return [least - room, most + room];
}
