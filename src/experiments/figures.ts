/** Figures of experiments as data: the points that they show of the results, and their charts. */
import { evaluationsOf } from "../checkpoint/runLog.ts";
import {
  type ChartSize,
  drawLineChart,
  type FigurePoint,
  type FigureSeries,
  type LinesFrame,
  type ValueAxis,
} from "../report/charts/experimentChart.ts";
import { drawDotChart } from "../report/charts/experimentDots.ts";
import type { ArmResult, Measured } from "./armResults.ts";
import { type Curve, type CurveName, curves, type Measure, measures, statisticsOf, units } from "./measures.ts";

/** A figure of an experiment. */
export interface Figure {
  /** Base name of its files. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly seriesOf: (results: readonly ArmResult[]) => readonly FigureSeries[];
  readonly draw: (series: readonly FigureSeries[], size: ChartSize) => Promise<string>;
}

type Heading = Pick<Figure, "name" | "title" | "description">;

function pointOf(x: number | string, values: readonly number[]): readonly FigurePoint[] {
  const statistics = statisticsOf(values);
  return statistics ? [{ x, y: statistics.mean, deviation: statistics.deviation, values }] : [];
}

function axisOf({ title, unit }: Pick<Measure | Curve, "title" | "unit">): ValueAxis {
  return { title, format: units[unit].format, isFraction: unit === "fraction" };
}

/** A curve of the log against the epoch, one line per arm: the mean over its seeds at the end of each epoch. */
export function curvesFigure({
  curve,
  arms,
  level,
  ...heading
}: Heading & {
  readonly curve: CurveName;
  /** Default: all. */
  readonly arms?: readonly string[];
  readonly level?: NonNullable<LinesFrame["level"]>;
}): Figure {
  const shown: Curve = curves[curve];
  const frame: LinesFrame = {
    title: heading.title,
    x: { title: "epoch", scale: "linear" },
    y: axisOf(shown),
    ...(level ? { level } : {}),
  };
  return {
    ...heading,
    seriesOf: (results) =>
      results
        .filter(({ arm }) => arms?.includes(arm) ?? true)
        .map(({ arm, seeds }) => ({
          name: arm,
          points: meanCurve(
            seeds.map(({ log }) => log),
            shown,
          ),
        })),
    draw: (series, size) => drawLineChart(frame, series, size),
  };
}

function meanCurve(logs: readonly ArmResult["seeds"][number]["log"][], { of }: Curve): readonly FigurePoint[] {
  const evaluations = logs.map(evaluationsOf);
  const epochs = [...new Set(evaluations.flatMap((log) => log.map(({ epoch }) => epoch)))].toSorted((a, b) => a - b);
  return epochs.flatMap((epoch) => {
    const values = evaluations.flatMap((log) => {
      const entry = log.find((each) => each.epoch === epoch);
      const value = entry && of(entry);
      return value === undefined || !Number.isFinite(value) ? [] : [value];
    });
    return pointOf(epoch, values);
  });
}

/** A row of a chart of dots. */
export interface DotRow extends Measured {
  readonly label: string;
}

/** Rows of measures, one per arm or evaluation, with a dot for each seed. */
export function dotsFigure({
  rows,
  measure,
  ...heading
}: Heading & {
  readonly rows: readonly DotRow[];
  /** Names the axis. */
  readonly measure: keyof typeof measures;
}): Figure {
  const axis = axisOf(measures[measure]);
  return {
    ...heading,
    seriesOf: (results) => [
      {
        name: axis.title,
        points: rows.flatMap((row) => {
          const own = results.find(({ arm }) => arm === row.arm)?.seeds ?? [];
          return pointOf(
            row.label,
            own.flatMap(({ measures: values }) => values[row.measure] ?? []),
          );
        }),
      },
    ],
    draw: (series, size) =>
      drawDotChart(
        { title: heading.title, axis },
        series.flatMap(({ points }) => points),
        size,
      ),
  };
}

/** One row per arm. */
export function rowsOf(arms: readonly { readonly name: string }[], measure: string): readonly DotRow[] {
  return arms.map(({ name }) => ({ label: name, arm: name, measure }));
}

/** A measure of the arms against their position, one line per series. */
export function linesFigure({
  measure,
  x,
  ...heading
}: Heading & { readonly measure: keyof typeof measures; readonly x: LinesFrame["x"] }): Figure {
  const frame: LinesFrame = { title: heading.title, x, y: axisOf(measures[measure]) };
  return {
    ...heading,
    seriesOf: (results) =>
      [...new Set(results.map(({ series, arm }) => series ?? arm))].map((name) => ({
        name,
        points: results
          .filter(({ series, arm }) => (series ?? arm) === name)
          .toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0))
          .flatMap(({ at, seeds }) =>
            pointOf(
              at ?? 0,
              seeds.flatMap(({ measures: values }) => values[measure] ?? []),
            ),
          ),
      })),
    draw: (series, size) => drawLineChart(frame, series, size),
  };
}
