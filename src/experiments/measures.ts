/** Measures of a trained network, computed from its log and its evaluations, and their formats. */
import { evaluationsOf, type LogEntry } from "../checkpoint/runLog.ts";
import {
  formatDuration,
  formatEpoch,
  formatLoss,
  formatMagnitude,
  formatPercent,
  formatPoints,
  formatUnreached,
} from "../report/numbers.ts";
import { type Spread, spreadOf } from "../training/evaluation/spread.ts";

/** A unit: formats of a value and of a difference. */
export interface Unit {
  readonly format: (value: number) => string;
  readonly difference: (value: number) => string;
}

const signed = (format: (value: number) => string) => (value: number) =>
  value < 0 ? `−${format(-value)}` : `+${format(value)}`;

/** Units of measures. */
export const units = {
  fraction: { format: formatPercent, difference: signed(formatPoints) },
  epochs: { format: (value) => `${formatEpoch(value)} epochs`, difference: signed((value) => formatEpoch(value)) },
  loss: { format: formatLoss, difference: signed(formatLoss) },
  milliseconds: { format: formatMagnitude, difference: signed(formatMagnitude) },
  duration: { format: formatDuration, difference: signed(formatDuration) },
  times: { format: (value) => `${value.toPrecision(2)} times`, difference: signed((value) => value.toPrecision(2)) },
} satisfies Readonly<Record<string, Unit>>;

export type UnitName = keyof typeof units;

/** Source of measures: the log of a run, and the errors of its evaluations by their names, as fractions. */
export interface MeasuredRun {
  readonly log: readonly LogEntry[];
  readonly evaluated: Readonly<Record<string, number>>;
}

/** A measure of a run. */
export interface Measure {
  readonly title: string;
  readonly unit: UnitName;
  /** Undefined if the run has no such value; infinite if it did not reach a target. */
  readonly of: (run: MeasuredRun) => number | undefined;
  /** Value of a run that diverged. Default: none. */
  readonly diverged?: number;
}

/** Training error of figure 1 of the paper. */
const TARGET = 0.25;

/** Measures by name. */
export const measures = {
  testError: {
    title: "test error",
    unit: "fraction",
    of: ({ log }) => errorOf(evaluationsOf(log).at(-1)?.testAccuracy),
  },
  /** Training images without dropout and augmentation; the log has them only as training sees them. */
  trainError: {
    title: "training error",
    unit: "fraction",
    of: ({ evaluated }) => evaluated["trainError"],
  },
  gap: {
    title: "test error − training error",
    unit: "fraction",
    of: ({ log, evaluated: { trainError } }) => {
      const testError = errorOf(evaluationsOf(log).at(-1)?.testAccuracy);
      return testError === undefined || trainError === undefined ? undefined : testError - trainError;
    },
  },
  runningError: {
    title: "training error over the last epoch",
    unit: "fraction",
    of: ({ log }) => errorOf(evaluationsOf(log).at(-1)?.trainAccuracy),
  },
  trainLoss: { title: "training loss", unit: "loss", of: ({ log }) => evaluationsOf(log).at(-1)?.trainLoss },
  epochsToTarget: {
    title: "epochs to 25 % training error",
    unit: "epochs",
    of: ({ log }) => epochsTo(TARGET, log),
    diverged: Number.POSITIVE_INFINITY,
  },
  step: {
    title: "time per iteration, ms",
    unit: "milliseconds",
    of: ({ log }) => {
      const last = log.at(-1);
      return last && last.iteration > 0 ? (1000 * last.seconds) / last.iteration : undefined;
    },
  },
  time: { title: "training time", unit: "duration", of: ({ log }) => log.at(-1)?.seconds },
} satisfies Readonly<Record<string, Measure>>;

export type MeasureName = keyof typeof measures;

function errorOf(accuracy: number | undefined): number | undefined {
  return accuracy === undefined || Number.isNaN(accuracy) ? undefined : 1 - accuracy;
}

/** Epochs until the training error over an epoch falls to a target, interpolated between the ends of epochs; infinite if it does not. */
export function epochsTo(target: number, log: readonly LogEntry[]): number | undefined {
  const points = evaluationsOf(log).map(({ epoch, trainAccuracy }) => ({ epoch, error: 1 - trainAccuracy }));
  const index = points.findIndex(({ error }) => error <= target);
  const [before, reached] = [points[index - 1], points[index]];
  if (!reached) return points.length > 0 ? Number.POSITIVE_INFINITY : undefined;
  if (!before) return reached.epoch;
  const fraction = (before.error - target) / (before.error - reached.error);
  return before.epoch + fraction * (reached.epoch - before.epoch);
}

/** A figure of the log against the epoch. */
export interface Curve {
  readonly title: string;
  readonly unit: UnitName;
  readonly of: (entry: LogEntry) => number | undefined;
}

/** Curves by name. */
export const curves = {
  runningError: { title: "training error", unit: "fraction", of: ({ trainAccuracy }) => errorOf(trainAccuracy) },
  testError: { title: "test error", unit: "fraction", of: ({ testAccuracy }) => errorOf(testAccuracy) },
  trainLoss: { title: "training loss", unit: "loss", of: ({ trainLoss }) => trainLoss },
} satisfies Readonly<Record<string, Curve>>;

export type CurveName = keyof typeof curves;

/** Mean and sample standard deviation (0 for one value); infinite values have no deviation. */
export interface Statistics extends Spread {
  readonly values: readonly number[];
}

/** Statistics of a list of numbers; undefined for an empty list. */
export function statisticsOf(values: readonly number[]): Statistics | undefined {
  if (values.length === 0) return undefined;
  const { mean, deviation } = spreadOf(values);
  return { mean, deviation: Number.isFinite(deviation) ? deviation : 0, values };
}

/** `25.1 %`, or `25.1 ± 0.4 %` of several values; `not reached`, or in how many seeds, if some are infinite. */
export function formatStatistics({ mean, deviation, values }: Statistics, format: (value: number) => string): string {
  const unreached = formatUnreached(values);
  if (unreached !== undefined) return unreached;
  if (values.length < 2) return format(mean);
  // The sign and the unit stand once: "24.1 ± 0.3 %".
  const [, number = "", unit = ""] = /^([+−]?[\d.,]+)(.*)$/.exec(format(mean)) ?? [];
  const spread = /[\d.,]+/.exec(format(deviation))?.[0];
  return number === "" || spread === undefined || /\d/.test(unit) || unit !== unitOf(format(deviation))
    ? `${format(mean)} ± ${format(deviation)}`
    : `${number} ± ${spread}${unit}`;
}

function unitOf(text: string): string {
  return text.replace(/^[+−]?[\d.,]+/, "");
}
