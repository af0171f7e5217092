/** The numbers behind the figure of a run: which points each line has, and how the loss axis is divided. */

/** What the figure needs of a line of a run's log. */
export interface CurveEntry {
  /** Passes through the training set so far, fractional. */
  readonly epoch: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  /** Only on lines of evaluations. */
  readonly testAccuracy?: number;
}

export interface Point {
  readonly epoch: number;
  readonly value: number;
}

/** One value of the log against epoch. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Lines of the log in one point: more than 1 where there are more lines than the figure can show. */
  readonly linesPerPoint: number;
  /** The value of the log's last line that has one. */
  readonly last: number | undefined;
}

/**
 * The lines that make the training curves. Those of evaluations hold means over a whole epoch, which lag behind: they serve only where
 * there are not two others.
 */
export function trainingLines(entries: readonly CurveEntry[]): readonly CurveEntry[] {
  const fine = entries.filter((entry) => entry.testAccuracy === undefined);
  return fine.length >= 2 ? fine : entries;
}

/** More points than this are finer than what a figure 600 pixels wide can show. */
const maxPoints = 600;

/** The series of one value of the log; lines without it, or where it is not finite, have no point. */
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

/** The smallest step of an axis that has few digits and `intervals` of which reach `top`; 0.2 for a top of 0. */
export function niceStep(top: number, intervals: number): number {
  if (top <= 0) return 0.2;
  const power = 10 ** Math.floor(Math.log10(top / intervals));
  // A hair of room: 0.1 + 0.2 must not count as more than 0.3.
  const step = niceSteps.find((candidate) => candidate * power * intervals >= top * (1 - 1e-9)) ?? 10;
  return Number((step * power).toPrecision(2));
}
