/** Figures of one label over all thresholds: precision and recall, average precision, and the threshold of the best F1 score. */

/** Scores of one label over images, and the images that have it. */
export interface LabelScores {
  /** Higher for more probable labels, [images]. */
  readonly scores: ArrayLike<number>;
  readonly isPresent: (image: number) => boolean;
}

/** Precision and recall if images with at least this score count as predicted. */
export interface RankedPoint {
  readonly score: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Points at every distinct score, the highest first; empty without images that have the label. */
export function rankLabel({ scores, isPresent }: LabelScores): readonly RankedPoint[] {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i);
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  let images = 0;
  for (let i = 0; i < scores.length; i++) if (isPresent(i)) images++;
  if (images === 0) return [];
  const points: RankedPoint[] = [];
  let correct = 0;
  for (const [i, image] of order.entries()) {
    if (isPresent(image)) correct++;
    const score = scores[image] as number;
    const next = order[i + 1];
    // Images with equal scores are predicted together.
    if (next !== undefined && scores[next] === score) continue;
    const predicted = i + 1;
    points.push({
      score,
      precision: correct / predicted,
      recall: correct / images,
      f1: (2 * correct) / (predicted + images),
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
export function precisionCurve(
  points: readonly RankedPoint[],
): readonly (readonly [recall: number, precision: number])[] {
  const kept = new Map<number, readonly [number, number]>();
  for (const { recall, precision } of points) {
    const bin = Math.ceil(recall * (CURVE_POINTS - 1));
    if (precision >= (kept.get(bin)?.[1] ?? 0)) kept.set(bin, [recall, precision]);
  }
  return [...kept.values()];
}
