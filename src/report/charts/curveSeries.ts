/** Series of a run's figure: the points of each line and the ticks of the loss axis. */

/** Fields of a log line that the figure needs. */
export interface CurveEntry {
  /** Passes through the training set so far, fractional. */
  readonly epoch: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  /** Present on lines of evaluations only. */
  readonly testAccuracy?: number;
}

export interface Point {
  readonly epoch: number;
  readonly value: number;
}

/** One logged value against epoch. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Number of log lines averaged into one point; above 1 if the log has more lines than the figure can show. */
  readonly linesPerPoint: number;
  /** Value of the last log line that has one. */
  readonly last: number | undefined;
}

/**
 * Log lines of the training curves. Lines of evaluations hold means over a whole epoch, which lag, so they are used only if fewer than two
 * other lines exist.
 */
export function trainingLines(entries: readonly CurveEntry[]): readonly CurveEntry[] {
  const fine = entries.filter((entry) => entry.testAccuracy === undefined);
  return fine.length >= 2 ? fine : entries;
}

/** Maximum number of points that a figure 600 pixels wide can resolve. */
const maxPoints = 600;

/** Builds the series of one logged value. Lines without the value, or with a non-finite one, have no point. */
export function seriesOf(
  name: string,
  entries: readonly CurveEntry[],
  readValue: (entry: CurveEntry) => number | undefined,
): Series {
  const all: Point[] = [];
  for (const entry of entries) {
    const value = readValue(entry);
    if (value !== undefined && Number.isFinite(value)) all.push({ epoch: entry.epoch, value });
  }
  const linesPerPoint = Math.ceil(all.length / maxPoints) || 1;
  return { name, points: averaged(all, linesPerPoint), linesPerPoint, last: all.at(-1)?.value };
}

function averaged(points: readonly Point[], size: number): readonly Point[] {
  if (size === 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    const mean = (key: keyof Point) => group.reduce((sum, point) => sum + point[key], 0) / group.length;
    return { epoch: mean("epoch"), value: mean("value") };
  });
}

const niceSteps = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10] as const;

/** The smallest tick step with few digits such that `intervals` of them reach `top`; 0.2 for a top of 0. */
export function niceStep(top: number, intervals: number): number {
  if (top <= 0) return 0.2;
  const power = 10 ** Math.floor(Math.log10(top / intervals));
  // Tolerance for rounding: 0.1 + 0.2 must not count as more than 0.3.
  const step = niceSteps.find((candidate) => candidate * power * intervals >= top * (1 - 1e-9)) ?? 10;
  return Number((step * power).toPrecision(2));
}
