/** Series of a run's figure, collected line by line in bounded memory, and the ticks of the loss axis. */

/** Fields of a log line that the figure needs. */
export interface CurveEntry {
  /** Passes through the training set so far, fractional. */
  readonly epoch: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  /** Present on lines of evaluations only. */
  readonly testLoss?: number;
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
  /** Number of log lines merged into one point, a power of 2; above 1 if the log has more lines than the figure can show. */
  readonly linesPerPoint: number;
  /** Value of the last log line that has one. */
  readonly last: number | undefined;
}

/** A series while its lines arrive. */
export interface SeriesCollector {
  add(epoch: number, value: number | undefined): void;
  series(): Series;
}

/** Maximum number of points that a figure 600 pixels wide can resolve. */
const maxPoints = 600;

/** Consecutive lines as one point. */
interface Group {
  epoch: number;
  value: number;
  lines: number;
}

/** Merges later lines into a group. */
export type Merge = (into: Group, epoch: number, value: number, lines: number) => void;

/** Mean of the lines: for values that fluctuate. */
export const meanOf: Merge = (into, epoch, value, lines) => {
  const part = lines / (into.lines + lines);
  into.epoch += part * (epoch - into.epoch);
  into.value += part * (value - into.value);
  into.lines += lines;
};

/** The last line: for values that are set. */
export const lastOf: Merge = (into, epoch, value, lines) => {
  into.epoch = epoch;
  into.value = value;
  into.lines += lines;
};

/**
 * Collects one value of a log, at most 600 points of any number of lines: when they are full, neighbours merge in pairs. A value that is
 * missing or not finite has no point.
 */
export function collectSeries(name: string, merge = meanOf): SeriesCollector {
  let groups: Group[] = [];
  let open: Group | undefined;
  let linesPerPoint = 1;
  let last: number | undefined;
  return {
    add(epoch, value) {
      if (value === undefined || !Number.isFinite(value)) return;
      last = value;
      if (open && open.lines < linesPerPoint) return merge(open, epoch, value, 1);
      if (groups.length === maxPoints) {
        groups = inPairs(groups, merge);
        linesPerPoint *= 2;
      }
      open = { epoch, value, lines: 1 };
      groups.push(open);
    },
    series: () => ({ name, points: groups.map(({ epoch, value }) => ({ epoch, value })), linesPerPoint, last }),
  };
}

/** Merges each second group into the one before. */
function inPairs(groups: readonly Group[], merge: Merge): Group[] {
  return groups.filter((group, i) => {
    const next = groups[i + 1];
    if (i % 2 === 0 && next) merge(group, next.epoch, next.value, next.lines);
    return i % 2 === 0;
  });
}

/** Builds the series of one value of a whole log. */
export function seriesOf<E extends { readonly epoch: number }>(
  name: string,
  entries: readonly E[],
  readValue: (entry: E) => number | undefined,
): Series {
  const collector = collectSeries(name);
  for (const entry of entries) collector.add(entry.epoch, readValue(entry));
  return collector.series();
}

/** A series of a value that lines of evaluations hold as the mean of their epoch, while its lines arrive. */
export interface TrainingCollector {
  add(epoch: number, value: number, isEvaluation: boolean): void;
  series(): Series;
}

/**
 * Collects a value of training. Its series has the lines between evaluations. Where these are fewer than two for each evaluation, it has
 * the lines of evaluations, so that each epoch has a point.
 */
export function collectTraining(name: string): TrainingCollector {
  const [fine, whole] = [collectSeries(name), collectSeries(name)];
  let [lines, evaluations] = [0, 0];
  return {
    add(epoch, value, isEvaluation) {
      if (isEvaluation) evaluations++;
      else lines++;
      (isEvaluation ? whole : fine).add(epoch, value);
    },
    series: () => (lines < 2 * evaluations ? whole : fine).series(),
  };
}

/** The curves of a run. */
export interface Curves {
  readonly trainLoss: Series;
  readonly trainAccuracy: Series;
  readonly testLoss: Series;
  readonly testAccuracy: Series;
  readonly lastEpoch: number;
}

/** The curves of a run while its lines arrive. */
export interface CurveCollector {
  add(entry: CurveEntry): void;
  curves(): Curves;
}

/** Collects the curves of a run. */
export function collectCurves(): CurveCollector {
  const [trainLoss, trainAccuracy] = [collectTraining("train loss"), collectTraining("train accuracy")];
  const [testLoss, testAccuracy] = [collectSeries("test loss"), collectSeries("test accuracy")];
  let lastEpoch = 0;
  return {
    add(entry) {
      const { epoch } = entry;
      const isEvaluation = entry.testAccuracy !== undefined;
      lastEpoch = Math.max(lastEpoch, epoch);
      trainLoss.add(epoch, entry.trainLoss, isEvaluation);
      trainAccuracy.add(epoch, entry.trainAccuracy, isEvaluation);
      testLoss.add(epoch, entry.testLoss);
      testAccuracy.add(epoch, entry.testAccuracy);
    },
    curves: () => ({
      trainLoss: trainLoss.series(),
      trainAccuracy: trainAccuracy.series(),
      testLoss: testLoss.series(),
      testAccuracy: testAccuracy.series(),
      lastEpoch,
    }),
  };
}

/** The curves of a whole log. */
export function curvesOf(entries: readonly CurveEntry[]): Curves {
  const collector = collectCurves();
  for (const entry of entries) collector.add(entry);
  return collector.curves();
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
