/** Figures of one label over all thresholds: precision, recall and false-positive rate, their areas, and the threshold of the best F1 score. */
import type { Scores } from "./classHead.ts";

/** Scores of one label over images, and the images that have it. */
export interface LabelScores {
  /** Higher for more probable labels, [images]. */
  readonly scores: Scores;
  readonly isPresent: (image: number) => boolean;
}

/** Figures if images with at least this score count as predicted. */
export interface RankedPoint {
  readonly score: number;
  readonly precision: number;
  /** Fraction of the images with the label that are predicted: the true-positive rate. */
  readonly recall: number;
  /** Fraction of the other images that are predicted; null if there are none. */
  readonly falsePositiveRate: number | null;
  readonly f1: number;
}

/** Points at every distinct score, the highest first; empty without images that have the label. */
export function rankLabel({ scores, isPresent }: LabelScores): readonly RankedPoint[] {
  const present = scores.filter((_, image) => isPresent(image)).sort();
  const absent = scores.filter((_, image) => !isPresent(image)).sort();
  const [images, others] = [present.length, absent.length];
  if (images === 0) return [];
  const points: RankedPoint[] = [];
  let [correct, wrong] = [0, 0];
  const next = (sorted: Scores, taken: number) => sorted[sorted.length - 1 - taken] ?? -Infinity;
  while (correct < images || wrong < others) {
    const score = Math.max(next(present, correct), next(absent, wrong));
    // Images with equal scores are predicted together.
    while (correct < images && next(present, correct) === score) correct++;
    while (wrong < others && next(absent, wrong) === score) wrong++;
    points.push({
      score,
      precision: correct / (correct + wrong),
      recall: correct / images,
      falsePositiveRate: others > 0 ? wrong / others : null,
      f1: (2 * correct) / (correct + wrong + images),
    });
  }
  return points;
}

/**
 * Average precision: Σ (recall − recall before) · precision over the points; null without points.
 *
 * Source: sklearn.metrics.average_precision_score.
 */
export function averagePrecision(points: readonly RankedPoint[]): number | null {
  if (points.length === 0) return null;
  return points.reduce((sum, { precision, recall }, i) => sum + (recall - (points[i - 1]?.recall ?? 0)) * precision, 0);
}

/**
 * Area under the ROC curve: Σ (false-positive rate − that before) · (recall + recall before) / 2 over the points, from (0, 0); null if no image, or
 * every image, has the label. An equal score of a present and an absent label counts half.
 *
 * Source: sklearn.metrics.roc_auc_score.
 */
export function rocAuc(points: readonly RankedPoint[]): number | null {
  let [area, rate, recall] = [0, 0, 0];
  for (const point of points) {
    if (point.falsePositiveRate === null) return null;
    area += ((point.falsePositiveRate - rate) * (point.recall + recall)) / 2;
    [rate, recall] = [point.falsePositiveRate, point.recall];
  }
  return points.length === 0 ? null : area;
}

/** Bounds of fitted thresholds: a probability that rounds to 0 or 1 keeps a threshold between them. */
const [LOWEST, HIGHEST] = [1e-6, 1 - 1e-6];

/**
 * Threshold of the best F1 score, the higher one on a tie: midway between the lowest probability that is predicted and the next lower one. Without
 * points, `otherwise`.
 */
export function bestThreshold(
  points: readonly RankedPoint[],
  probabilityOf: (score: number) => number,
  otherwise: number,
): number {
  let best: number | undefined;
  for (const [i, { f1 }] of points.entries()) if (best === undefined || f1 > (points[best] as RankedPoint).f1) best = i;
  if (best === undefined) return otherwise;
  const next = points[best + 1];
  const [above, below] = [probabilityOf((points[best] as RankedPoint).score), next ? probabilityOf(next.score) : 0];
  return Math.min(Math.max((above + below) / 2, LOWEST), HIGHEST);
}

/** Maximum number of points of a curve. */
const CURVE_POINTS = 100;

/** Precision by recall, [recall, precision] by ascending recall, at most 100 points: of points with similar recall, the most precise. */
export function precisionCurve(points: readonly RankedPoint[]): Curve {
  const kept = new Map<number, readonly [number, number]>();
  for (const { recall, precision } of points) {
    const bin = Math.ceil(recall * (CURVE_POINTS - 1));
    if (precision >= (kept.get(bin)?.[1] ?? 0)) kept.set(bin, [recall, precision]);
  }
  return [...kept.values()];
}

/** A curve as [x, y] by ascending x. */
export type Curve = readonly (readonly [x: number, y: number])[];

/**
 * ROC curve, [false-positive rate, recall] from [0, 0], at most 101 points: of points with similar rate, the last. Empty if no image, or every image,
 * has the label.
 */
export function rocCurve(points: readonly RankedPoint[]): Curve {
  const kept = new Map<number, readonly [number, number]>();
  for (const { falsePositiveRate, recall } of points) {
    if (falsePositiveRate === null) return [];
    kept.set(Math.ceil(falsePositiveRate * (CURVE_POINTS - 1)), [falsePositiveRate, recall]);
  }
  return kept.size === 0 ? [] : [[0, 0], ...kept.values()];
}

/** Figures of all classes over all thresholds. */
export interface RankingFigures {
  /** Mean of all defined average precisions; null if there is none. */
  readonly meanAveragePrecision: number | null;
  /** Mean of all defined areas under the ROC curve; null if there is none. */
  readonly meanRocAuc: number | null;
  /** Precision by recall of each class as [recall, precision], at most 100 points; empty without images. */
  readonly curves: readonly Curve[];
  /** ROC curve of each class as [false-positive rate, recall], at most 101 points; empty if no image, or every image, has the class. */
  readonly rocCurves: readonly Curve[];
}

/** Areas of one class. */
export interface RankedClass {
  readonly averagePrecision: number | null;
  readonly rocAuc: number | null;
}

/** Areas and curves of the points of one class. */
export function rankedClass(points: readonly RankedPoint[]) {
  return {
    areas: { averagePrecision: averagePrecision(points), rocAuc: rocAuc(points) },
    curve: precisionCurve(points),
    rocCurve: rocCurve(points),
  };
}

/** Figures of all classes. */
export function rankingFigures(ranked: readonly ReturnType<typeof rankedClass>[]): RankingFigures {
  return {
    meanAveragePrecision: mean(ranked.flatMap(({ areas }) => areas.averagePrecision ?? [])),
    meanRocAuc: mean(ranked.flatMap(({ areas }) => areas.rocAuc ?? [])),
    curves: ranked.map(({ curve }) => curve),
    rocCurves: ranked.map((each) => each.rocCurve),
  };
}

/** Mean of numbers; null if there are none. */
export function mean(values: readonly number[]): number | null {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}
