/** Line chart of an experiment, with the deviation over seeds, and what it shares with the chart of dots. */
import type { Axis, Mark, Scale } from "vega";
import { printable } from "../../escape.ts";
import { truncate } from "../text.ts";
import { colours } from "../theme.ts";
import { axisStyle, chartFont, chartText, drawChart, fontSize, percentLabels } from "./chart.ts";
import { textMark } from "./curveMarks.ts";

/** One value of a figure: the mean over seeds, its standard deviation, and the value of each seed. Infinite if a target was not reached. */
export interface FigurePoint {
  readonly x: number | string;
  readonly y: number;
  readonly deviation: number;
  readonly values: readonly number[];
}

/** A line, or the rows of a chart of dots. */
export interface FigureSeries {
  readonly name: string;
  readonly points: readonly FigurePoint[];
}

/** Values of an axis: text of one, and if they are fractions, which the axis labels as percentages. */
export interface ValueAxis {
  readonly title: string;
  readonly format: (value: number) => string;
  readonly isFraction: boolean;
}

/** Size of a chart: for pages and files, or for narrow screens. */
export type ChartSize = "wide" | "compact";

/** Parts of a chart of lines. */
export interface LinesFrame {
  readonly title: string;
  readonly x: { readonly title: string; readonly scale: "linear" | "log" };
  readonly y: ValueAxis;
  /** A horizontal line with a label. */
  readonly level?: { readonly value: number; readonly label: string };
}

const { blue, orange, green, purple, ochre, petrol, ink } = colours;
const hues = [blue, orange, green, purple, ochre, petrol, ink] as const;
const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]] as const;
const legendRow = 20;
/** Average width of a letter of the font, in pixels. */
export const letter = 7.4;
/** A line with more points has no mark at each. */
const MOST_MARKS = 40;

/** Draws one line per series, with a bar of one standard deviation each way at its points, as SVG in the light palette. */
export function drawLineChart(frame: LinesFrame, series: readonly FigureSeries[], size: ChartSize): Promise<string> {
  const [width, left] = size === "wide" ? [580, 92] : [226, 88];
  const height = 300;
  const lines = series.map(({ name, points }) => ({
    name,
    points: points.filter(({ y }) => Number.isFinite(y)),
  }));
  const all = lines.flatMap(({ points }) => points);
  const yDomain = domainOf(
    [...all.flatMap(({ y, deviation }) => [y - deviation, y + deviation]), ...(frame.level ? [frame.level.value] : [])],
    { floor: 0 },
  );
  const xs = all.map(({ x }) => Number(x));
  const isLog = frame.x.scale === "log" && xs.length > 0 && Math.min(...xs) > 0;
  const xScale: Scale = isLog
    ? { name: "x", type: "log", range: "width", domain: [Math.min(...xs) / 1.2, Math.max(...xs) * 1.2] }
    : { name: "x", type: "linear", range: "width", domain: [0, 1.02 * (Math.max(0, ...xs) || 1)], zero: true };
  const ticks = [...new Set(xs)];
  const xAxis: Axis = {
    ...axisStyle,
    orient: "bottom",
    scale: "x",
    title: frame.x.title,
    labelOverlap: true,
    tickCount: size === "wide" ? 8 : 4,
    ...(isLog && ticks.length <= 8 ? { values: ticks } : {}),
    format: ",",
    ...(Math.max(...xs) >= 2 ? { tickMinStep: 1 } : {}),
  };
  return drawChart(
    { title: frame.title, width, height, left, right: 24, bottom: 56, top: legendRow * lines.length },
    {
      data: lines.map(({ points }, i) => ({ name: `line-${i}`, values: points.map((point) => barOf(point, frame.y)) })),
      scales: [xScale, { name: "y", type: "linear", range: "height", domain: yDomain, zero: false }],
      axes: [xAxis, valueAxis(frame.y, "left", yDomain)],
      marks: [
        ...(frame.level ? levelMarks(frame.level, width) : []),
        ...lines.flatMap((line, i) => [
          ...lineMarks(i, line.points.length),
          ...legendMarks(line, i, { rows: lines.length, letters: Math.floor((width - 40) / letter), axis: frame.y }),
        ]),
      ],
    },
  );
}

/** A point with the ends of its bar and its text under the pointer. */
export function barOf({ x, y, deviation, values }: FigurePoint, { format }: ValueAxis) {
  const seeds = values.length > 1 ? ` (${values.map(format).join(", ")})` : "";
  return { x, y, low: y - deviation, high: y + deviation, says: printable(`${x}: ${format(y)}${seeds}`) };
}

/** Lowest and highest value with a margin, at least two percent apart; from `floor` if the values come near to it. */
export function domainOf(values: readonly number[], { floor }: { readonly floor: number }): [number, number] {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [0, 1];
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const span = Math.max(most - least, 0.02 * Math.max(Math.abs(least), Math.abs(most)), 1e-9);
  const room = (span - (most - least)) / 2 + 0.08 * span;
  const low = least - floor < 0.5 * (most - floor) && least >= floor ? floor : least - room;
  return [low, most + room];
}

export function valueAxis(axis: ValueAxis, orient: "left" | "bottom", [low, high]: readonly [number, number]): Axis {
  const title = axis.title;
  const labels = axis.isFraction ? percentLabels(high - low >= 0.05 ? 0 : 1) : {};
  return { ...axisStyle, orient, scale: "y", title, grid: true, tickCount: 5, labelOverlap: true, ...labels };
}

function strokeOf(index: number) {
  const hue = index % hues.length;
  const dash = (hue + Math.floor(index / hues.length)) % dashes.length;
  return { stroke: { value: hues[hue] as string }, strokeDash: { value: [...(dashes[dash] as readonly number[])] } };
}

function lineMarks(index: number, count: number): Mark[] {
  const data = `line-${index}`;
  const { stroke, strokeDash } = strokeOf(index);
  const at = { x: { scale: "x", field: "x" }, y: { scale: "y", field: "y" } };
  const path: Mark = {
    type: "line",
    from: { data },
    encode: { enter: { ...at, stroke, strokeDash, strokeWidth: { value: 2 } } },
  };
  const bar: Mark = {
    type: "rule",
    from: { data },
    encode: {
      enter: {
        x: at.x,
        y: { scale: "y", field: "low" },
        y2: { scale: "y", field: "high" },
        stroke,
        opacity: { value: 0.6 },
      },
    },
  };
  const point: Mark = {
    type: "symbol",
    from: { data },
    encode: { enter: { ...at, fill: stroke, size: { value: count > 1 ? 26 : 60 }, description: { field: "says" } } },
  };
  if (count === 0) return [];
  return count <= MOST_MARKS ? [path, bar, point] : [path];
}

interface LegendFrame {
  readonly rows: number;
  /** Number of letters of a row. */
  readonly letters: number;
  readonly axis: ValueAxis;
}

function legendMarks({ name, points }: FigureSeries, index: number, { rows, letters, axis }: LegendFrame): Mark[] {
  const y = legendRow * (index - rows) - 4 + legendRow / 2;
  const last = points.at(-1);
  const text = truncate(printable(`${name}: ${last ? axis.format(last.y) : "not reached"}`), letters);
  const { stroke, strokeDash } = strokeOf(index);
  const key: Mark = {
    type: "rule",
    encode: {
      enter: { x: { value: 0 }, x2: { value: 30 }, y: { value: y }, stroke, strokeDash, strokeWidth: { value: 2 } },
    },
  };
  return [key, textMark(text, { x: 40, y }, chartText)];
}

function levelMarks({ value, label }: { readonly value: number; readonly label: string }, width: number): Mark[] {
  const y = { scale: "y", value };
  const line: Mark = {
    type: "rule",
    encode: {
      enter: { x: { value: 0 }, x2: { value: width }, y, stroke: { value: ink }, strokeDash: { value: [3, 3] } },
    },
  };
  const text: Mark = {
    type: "text",
    encode: {
      enter: {
        x: { value: width - 4 },
        y: { ...y, offset: -8 },
        align: { value: "right" },
        baseline: { value: "middle" },
        text: { value: label },
        font: { value: chartFont },
        fontSize: { value: fontSize - 1 },
        fill: { value: ink },
      },
    },
  };
  return [line, text];
}
