/** The curves of several runs over one another: train loss above, test accuracy below, both against epoch. */
import type { Axis, Mark, Spec } from "vega";
import { axisStyleAt, chartFont, colours, drawSpec } from "./chart.ts";
import { dataName, type Line, legendMarks, lineMarks, type TextStyle, textMark } from "./curveMarks.ts";
import { type CurveEntry, niceStep, seriesOf, trainingLines } from "./curveSeries.ts";
import { printable, truncateStart } from "./text.ts";

/** A run to be drawn. */
export interface ComparedRun {
  readonly name: string;
  readonly log: readonly CurveEntry[];
}

/** Okabe and Ito's palette; the dashes tell lines apart without it. */
const colors = [colours.blue, colours.orange, colours.green, "#cc79a7", "#e69f00", "#56b4e9", colours.rule] as const;
const dashes: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const width = 640;
const panel = 240;
const between = 40;
const legendLine = 20;
const padding = { left: 66, right: 24, bottom: 54 };
const intervals = 5;
const style: TextStyle = {
  font: chartFont,
  fontSize: 12,
  fontWeight: "normal",
  fill: colours.ink,
  align: "left",
};
const longestName = 60;

/** Draws the figure as SVG on white. */
export function drawComparison(runs: readonly ComparedRun[]): Promise<string> {
  return drawSpec(figure(runs));
}

function figure(runs: readonly ComparedRun[]): Spec {
  const top = 34 + runs.length * legendLine;
  const lines = runs.map(linesOf);
  const all = lines.flatMap(({ loss, accuracy }) => [loss, accuracy]);
  const highest = lines.flatMap(({ loss }) => loss.series.points).reduce((most, { value }) => Math.max(most, value), 0);
  const lastEpoch = runs.flatMap(({ log }) => log).reduce((last, { epoch }) => Math.max(last, epoch), 0);
  const step = niceStep(highest, intervals);
  const height = 2 * panel + between;
  return {
    width,
    height,
    padding: { ...padding, top },
    autosize: "none",
    background: "white",
    data: all.map(({ series }) => ({ name: dataName(series), values: [...series.points] })),
    scales: [
      { name: "epoch", type: "linear", range: "width", domain: [0, lastEpoch > 0 ? 1.02 * lastEpoch : 1] },
      { name: "loss", type: "linear", range: [panel, 0], domain: [0, intervals * step] },
      { name: "accuracy", type: "linear", range: [height, panel + between], domain: [0, 1] },
    ],
    axes: axes(step),
    marks: [heading(top), ...all.flatMap(lineMarks), ...lines.flatMap(({ accuracy }) => legendMarks(accuracy, style))],
  };
}

function linesOf({ name, log }: ComparedRun, i: number, { length }: readonly ComparedRun[]) {
  const color = colors[i % colors.length] as string;
  const dash = dashes[i % dashes.length] ?? [];
  const loss = seriesOf(`${i} loss`, trainingLines(log), (entry) => entry.trainLoss);
  const accuracy = seriesOf(truncateStart(printable(name), longestName), log, (entry) => entry.testAccuracy);
  const legend = { x: 0, y: (i - length) * legendLine + 2 };
  const look = { color, dash, legend };
  return {
    loss: { series: loss, scale: "loss", hasMarkers: loss.points.length === 1, ...look } satisfies Line,
    accuracy: { series: accuracy, scale: "accuracy", hasMarkers: accuracy.points.length <= 30, ...look } satisfies Line,
  };
}

function heading(top: number): Mark {
  return textMark("Runs, and their last test accuracy", { x: 0, y: 16 - top }, { ...style, fontWeight: "bold" });
}

function axes(step: number): Axis[] {
  const look = axisStyleAt(style.fontSize);
  const decimals = Number.isInteger(step) ? 0 : (step.toString().split(".")[1] ?? "").length;
  const ticks = Array.from({ length: intervals + 1 }, (_, i) => i);
  const values = ticks.map((i) => i * step);
  return [
    { ...look, orient: "bottom", scale: "epoch", title: "epoch", tickCount: 8 },
    { ...look, orient: "left", scale: "loss", title: "train loss", values, format: `.${decimals}f`, grid: true },
    {
      ...look,
      orient: "left",
      scale: "accuracy",
      title: "test accuracy",
      values: ticks.map((i) => i / intervals),
      format: ".1f",
      grid: true,
    },
  ];
}
