/**
 * Figure of a run: loss and accuracy against epoch, of training and of evaluations.
 *
 * Loss uses the left axis and accuracy the right one. On a shared axis, a first loss of 2.3 (6.9 with 1000 classes) would compress accuracy
 * into the lower part of the figure. Both axes have five intervals, so one grid serves both. Hues are of Okabe and Ito's palette; dashes
 * and markers distinguish the lines without colour.
 */
import type { Axis, Mark, Scale, Spec } from "vega";
import { printable } from "../../escape.ts";
import { type AccuracyName, accuracyNameOf } from "../accuracyName.ts";
import { formatLoss, formatPercent } from "../numbers.ts";
import { truncate } from "../text.ts";
import { colours } from "../theme.ts";
import { axisStyleAt, chartFont, drawSpec, percentLabels } from "./chart.ts";
import { dataName, type Line, legendMarks, lineMarks, type Place, type TextStyle, textMark } from "./curveMarks.ts";
import { type Curves, niceStep, type Series } from "./curveSeries.ts";
import { hoverColumns, hoverMark } from "./hover.ts";

export interface CurveOptions {
  /** Network and data set of the run. */
  readonly title: string;
  /** `wide` (720 × 460) for files and pages, `narrow` (340 × 380) for small screens. */
  readonly format: "wide" | "narrow";
  /** Name of the run's accuracy, in legend and axis. Default: `accuracy`. */
  readonly accuracy?: AccuracyName;
}

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly padding: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };
  readonly fontSize: number;
  readonly epochTicks: number;
  /** Positions of the legend's entries relative to the plot. */
  readonly legend: readonly [Place, Place, Place, Place];
}

const layouts: { readonly [F in CurveOptions["format"]]: Layout } = {
  wide: {
    width: 586,
    height: 312,
    padding: { left: 62, right: 72, top: 94, bottom: 54 },
    fontSize: 13,
    epochTicks: 8,
    legend: [
      { x: 0, y: -42 },
      { x: 290, y: -42 },
      { x: 0, y: -22 },
      { x: 290, y: -22 },
    ],
  },
  narrow: {
    width: 226,
    height: 208,
    padding: { left: 56, right: 58, top: 122, bottom: 50 },
    fontSize: 11,
    epochTicks: 5,
    legend: [
      { x: 0, y: -74 },
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
const maxShort = 12;
/** Losses from here on are labelled as 1e+4; only a diverging run reaches them. */
const hugeLoss = 1e4;
/** Losses in steps below this are labelled in scientific notation too. */
const tinyStep = 1e-5;

/** Draws the figure as SVG in the light palette. Curves without points give a figure that says so. */
export function drawCurves(curves: Curves, options: CurveOptions): Promise<string> {
  return drawSpec(figure(curves, options));
}

function figure(curves: Curves, { title, format, accuracy = accuracyNameOf(false) }: CurveOptions): Spec {
  const layout = layouts[format];
  const style: TextStyle = { font, fontSize: layout.fontSize, fontWeight: "normal", fill: ink, align: "left" };
  const lines = linesOf(curves, layout.legend, accuracy);
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
  const losses = [...curves.trainLoss.points, ...curves.testLoss.points];
  const highest = losses.reduce((top, { value }) => Math.max(top, value), 0);
  const step = niceStep(highest, intervals);
  const lastEpoch = curves.lastEpoch > 0 ? 1.02 * curves.lastEpoch : 1;
  const hover = hoverMark(hoverColumns(lines, { width: layout.width, lastEpoch }), layout.height);
  return {
    ...frame,
    data: [...lines.map(({ series }) => ({ name: dataName(series), values: [...series.points] })), hover.data],
    scales: scalesOf(lastEpoch, step),
    axes: axesOf(layout, step, curves.trainLoss.linesPerPoint, accuracy),
    marks: [heading, ...lines.flatMap(lineMarks), ...lines.flatMap((line) => legendMarks(line, style)), hover.mark],
  };
}

function linesOf(curves: Curves, legend: Layout["legend"], { short }: AccuracyName): readonly Line[] {
  const { trainLoss, testLoss } = curves;
  const trainAccuracy = { ...curves.trainAccuracy, name: `train ${short}` };
  const testAccuracy = { ...curves.testAccuracy, name: `test ${short}` };
  const loss = { scale: "loss", format: formatLoss } as const;
  const accuracy = { scale: "accuracy", format: formatPercent } as const;
  const lines = [
    { ...loss, series: trainLoss, color: colours.blue, dash: [], hasMarkers: isShort(trainLoss) },
    { ...accuracy, series: trainAccuracy, color: colours.orange, dash: [7, 4], hasMarkers: isShort(trainAccuracy) },
    { ...loss, series: testLoss, color: colours.purple, dash: [9, 3, 2, 3], hasMarkers: isSparse(testLoss) },
    { ...accuracy, series: testAccuracy, color: colours.green, dash: [2, 3], hasMarkers: isSparse(testAccuracy) },
  ] as const;
  return lines.map((line, i) => ({ ...line, legend: legend[i] as Place }));
}

/** True for a training curve of so few points that each needs a marker; a single point has no line. */
function isShort({ points }: Series): boolean {
  return points.length <= maxShort;
}

function isSparse({ points }: Series): boolean {
  return points.length <= maxMarkers;
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

function scalesOf(lastEpoch: number, step: number): Scale[] {
  return [
    { name: "epoch", type: "linear", range: "width", domain: [0, lastEpoch] },
    { name: "loss", type: "linear", range: "height", domain: [0, intervals * step] },
    { name: "accuracy", type: "linear", range: "height", domain: [0, 1] },
  ];
}

function axesOf(
  { fontSize, epochTicks, padding }: Layout,
  step: number,
  linesPerPoint: number,
  { full }: AccuracyName,
): Axis[] {
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
      format: intervals * step >= hugeLoss || step < tinyStep ? ".1~e" : `.${decimals}f`,
      grid: true,
    },
    {
      ...style,
      titleX: padding.right - 16,
      orient: "right",
      scale: "accuracy",
      title: full,
      values: ticks.map((i) => i / intervals),
      ...percentLabels(),
    },
  ];
}
