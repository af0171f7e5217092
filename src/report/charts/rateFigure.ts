/** Figure of a learning-rate sweep: loss on a logarithmic axis of learning rates, with the suggestions marked. */
import { basename } from "node:path";
import type { Mark, Spec } from "vega";
import { printable } from "../../escape.ts";
import { formatLoss } from "../numbers.ts";
import { formatLearningRate, lossRange, markedRates, type RateCurve } from "../tables/rateChart.ts";
import { truncate } from "../text.ts";
import { colours } from "../theme.ts";
import { axisStyle, chartText, drawSpec, fontSize, learningRateLabels } from "./chart.ts";
import { textMark } from "./curveMarks.ts";

const size = { width: 596, height: 312, padding: { left: 62, right: 30, top: 80, bottom: 54 } } as const;
/** Colours of the suggestions, in the order of `markedRates`. */
const marks = [
  { color: colours.orange, dash: [7, 4] },
  { color: colours.green, dash: [2, 3] },
] as const;

/** Draws the figure as SVG in the light palette. */
export function drawRateFigure(curve: RateCurve): Promise<string> {
  return drawSpec(figure(curve));
}

function figure({ network, dataset, recipe, points, suggestions }: RateCurve): Spec {
  const title = truncate(printable(`${network} on ${basename(dataset)}, recipe ${recipe}`), 62);
  const losses = points.map(({ learningRate, loss, smoothed }) => ({
    rate: learningRate,
    smoothed,
    ...(Number.isFinite(loss)
      ? { loss, says: `learning rate ${formatLearningRate(learningRate)}\nloss ${formatLoss(loss)}` }
      : {}),
  }));
  const rates = points.map(({ learningRate }) => learningRate);
  return {
    ...size,
    autosize: "none",
    background: colours.background,
    data: [
      { name: "all", values: losses },
      { name: "known", source: "all", transform: [{ type: "filter", expr: "isValid(datum.loss)" }] },
    ],
    scales: [
      { name: "rate", type: "log", range: "width", domain: [rates[0] ?? 1, rates.at(-1) ?? 10], nice: false },
      { name: "loss", type: "linear", range: "height", domain: [...lossRange(points)], zero: false, nice: false },
    ],
    axes: [
      { ...axisStyle, orient: "bottom", scale: "rate", title: "learning rate", tickCount: 8, ...learningRateLabels },
      { ...axisStyle, orient: "left", scale: "loss", title: "loss", grid: true, tickCount: 6 },
    ],
    marks: [
      textMark(title, { x: 0, y: 24 - size.padding.top }, { ...chartText, fontSize: fontSize + 2, fontWeight: "bold" }),
      {
        type: "group",
        clip: true,
        encode: { enter: { width: { value: size.width }, height: { value: size.height } } },
        marks: lines(),
      },
      ...markedRates(suggestions).flatMap(({ rate, reason }, i) => suggestionMarks(rate, reason, i)),
    ],
  };
}

function lines(): Mark[] {
  const x = { scale: "rate", field: "rate" };
  return [
    {
      type: "symbol",
      name: "batches",
      from: { data: "known" },
      encode: {
        enter: {
          x,
          y: { scale: "loss", field: "loss" },
          size: { value: 9 },
          fill: { value: colours.purple },
          description: { field: "says" },
        },
      },
    },
    {
      type: "line",
      name: "smoothed",
      from: { data: "all" },
      encode: {
        enter: {
          x,
          y: { scale: "loss", field: "smoothed" },
          stroke: { value: colours.blue },
          strokeWidth: { value: 2 },
        },
      },
    },
  ];
}

/** A vertical line at the suggested learning rate, and its legend entry. */
function suggestionMarks(rate: number, reason: string, i: number): Mark[] {
  const { color, dash } = marks[i] ?? marks[0];
  const stroke = { stroke: { value: color }, strokeWidth: { value: 2 }, strokeDash: { value: [...dash] } };
  const at = { x: 0, y: 18 * i - 32 };
  const x = { scale: "rate", value: rate };
  return [
    {
      type: "rule",
      name: `suggestion-${i}`,
      encode: { enter: { x, x2: x, y: { value: 0 }, y2: { value: size.height }, ...stroke } },
    },
    {
      type: "rule",
      encode: { enter: { x: { value: at.x }, x2: { value: at.x + 30 }, y: { value: at.y }, ...stroke } },
    },
    textMark(`${formatLearningRate(rate)}: ${reason}`, { x: at.x + 38, y: at.y }, chartText),
  ];
}
