/**
 * Figure of a run: train loss, train accuracy and test accuracy against epoch.
 *
 * Loss uses the left axis and accuracy the right one. On a shared axis, a first loss of 2.3 (6.9 with 1000 classes) would compress accuracy
 * into the lower part of the figure. Both axes have five intervals, so one grid serves both. Hues are of Okabe and Ito's palette; dashes
 * and markers distinguish the lines without colour.
 */
import type { Axis, Mark, Scale, Spec } from "vega";
import { printable } from "../../escape.ts";
import { truncate } from "../text.ts";
import { colours } from "../theme.ts";
import { axisStyleAt, chartFont, drawSpec } from "./chart.ts";
import { dataName, type Line, legendMarks, lineMarks, type Place, type TextStyle, textMark } from "./curveMarks.ts";
import { type CurveEntry, niceStep, seriesOf, trainingLines } from "./curveSeries.ts";

export interface CurveOptions {
  /** Network and data set of the run. */
  readonly title: string;
  /** `wide` (720 × 440) for files and pages, `narrow` (340 × 360) for small screens. */
  readonly format: "wide" | "narrow";
}

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly padding: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };
  readonly fontSize: number;
  readonly epochTicks: number;
  /** Positions of the legend's entries relative to the plot. */
  readonly legend: readonly [Place, Place, Place];
}

const layouts: { readonly [F in CurveOptions["format"]]: Layout } = {
  wide: {
    width: 596,
    height: 312,
    padding: { left: 62, right: 62, top: 74, bottom: 54 },
    fontSize: 13,
    epochTicks: 8,
    legend: [
      { x: 0, y: -22 },
      { x: 188, y: -22 },
      { x: 402, y: -22 },
    ],
  },
  narrow: {
    width: 232,
    height: 208,
    padding: { left: 56, right: 52, top: 102, bottom: 50 },
    fontSize: 11,
    epochTicks: 5,
    legend: [
      { x: 0, y: -56 },
      { x: 0, y: -38 },
      { x: 0, y: -20 },
    ],
  },
};

const font = chartFont;
const { ink } = colours;
/** Distance from the figure's top edge to the middle of the title. */
const titleDistance = 24;
const intervals = 5;
const maxMarkers = 60;
/** Losses from here on are labelled as 1e+4; only a diverging run reaches them. */
const hugeLoss = 1e4;

/** Draws the figure as SVG in the light palette. A log without entries gives a figure that says so. */
export function drawCurves(entries: readonly CurveEntry[], options: CurveOptions): Promise<string> {
  return drawSpec(figure(entries, options));
}

function figure(entries: readonly CurveEntry[], { title, format }: CurveOptions): Spec {
  const layout = layouts[format];
  const style: TextStyle = { font, fontSize: layout.fontSize, fontWeight: "normal", fill: ink, align: "left" };
  const lines = linesOf(entries, layout.legend);
  const [{ series: loss }] = lines;
  const heading = titleMark(title, layout, style);
  const frame: Spec = {
    width: layout.width,
    height: layout.height,
    padding: { ...layout.padding },
    autosize: "none",
    background: colours.background,
  };
  if (lines.every(({ series }) => series.last === undefined)) {
    return { ...frame, marks: [heading, emptyMark(layout, style)] };
  }
  const highest = loss.points.reduce((top, { value }) => Math.max(top, value), 0);
  const step = niceStep(highest, intervals);
  return {
    ...frame,
    data: lines.map(({ series }) => ({ name: dataName(series), values: [...series.points] })),
    scales: scalesOf(entries, step),
    axes: axesOf(layout, step, loss.linesPerPoint),
    marks: [heading, ...lines.flatMap(lineMarks), ...lines.flatMap((line) => legendMarks(line, style))],
  };
}

function linesOf(entries: readonly CurveEntry[], legend: Layout["legend"]): readonly [Line, Line, Line] {
  const training = trainingLines(entries);
  const loss = seriesOf("train loss", training, (entry) => entry.trainLoss);
  const accuracy = seriesOf("train accuracy", training, (entry) => entry.trainAccuracy);
  const test = seriesOf("test accuracy", entries, (entry) => entry.testAccuracy);
  // A single point has no line, so it needs a marker.
  const isPoint = loss.points.length === 1;
  return [
    { series: loss, scale: "loss", color: colours.blue, dash: [], hasMarkers: isPoint, legend: legend[0] },
    {
      series: accuracy,
      scale: "accuracy",
      color: colours.orange,
      dash: [7, 4],
      hasMarkers: isPoint,
      legend: legend[1],
    },
    {
      series: test,
      scale: "accuracy",
      color: colours.green,
      dash: [2, 3],
      hasMarkers: test.points.length <= maxMarkers,
      legend: legend[2],
    },
  ];
}

function titleMark(title: string, { width, padding }: Layout, style: TextStyle): Mark {
  const fontSize = style.fontSize + 2;
  // Lower-case letters in bold DejaVu Sans average 0.61 em.
  const text = truncate(printable(title), Math.floor((width + padding.right) / (0.64 * fontSize)));
  return textMark(text, { x: 0, y: titleDistance - padding.top }, { ...style, fontSize, fontWeight: "bold" });
}

function emptyMark({ width, height }: Layout, style: TextStyle): Mark {
  const text = ["No data yet:", "the run has not logged an iteration."];
  return textMark(text, { x: width / 2, y: height / 2 }, { ...style, align: "center" });
}

function scalesOf(entries: readonly CurveEntry[], step: number): Scale[] {
  const lastEpoch = entries.reduce((last, { epoch }) => Math.max(last, epoch), 0);
  return [
    { name: "epoch", type: "linear", range: "width", domain: [0, lastEpoch > 0 ? 1.02 * lastEpoch : 1] },
    { name: "loss", type: "linear", range: "height", domain: [0, intervals * step] },
    { name: "accuracy", type: "linear", range: "height", domain: [0, 1] },
  ];
}

function axesOf({ fontSize, epochTicks, padding }: Layout, step: number, linesPerPoint: number): Axis[] {
  const style = axisStyleAt(fontSize);
  const decimals = Number.isInteger(step) ? 0 : (step.toString().split(".")[1] ?? "").length;
  const ticks = Array.from({ length: intervals + 1 }, (_, i) => i);
  const averaged = linesPerPoint > 1 ? ` (each point the mean of ${linesPerPoint} log lines)` : "";
  return [
    { ...style, orient: "bottom", scale: "epoch", title: `epoch${averaged}`, tickCount: epochTicks },
    {
      ...style,
      titleX: 15 - padding.left,
      orient: "left",
      scale: "loss",
      title: "loss",
      values: ticks.map((i) => i * step),
      format: intervals * step >= hugeLoss ? ".1~e" : `.${decimals}f`,
      grid: true,
    },
    {
      ...style,
      titleX: padding.right - 20,
      orient: "right",
      scale: "accuracy",
      title: "accuracy",
      values: ticks.map((i) => i / intervals),
      format: ".1f",
    },
  ];
}
