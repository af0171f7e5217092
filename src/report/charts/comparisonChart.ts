/** Curves of several runs in one chart. */
import type { Mark } from "vega";
import { printable } from "../../escape.ts";
import { formatLoss, formatPercent } from "../numbers.ts";
import type { ComparedRun } from "../tables/comparison.ts";
import { truncateStart } from "../text.ts";
import { colours } from "../theme.ts";
import { axisStyle, chartFont, drawChart, fontSize, percentLabels } from "./chart.ts";
import { type Place, type TextStyle, textMark } from "./curveMarks.ts";
import { curvesOf, niceStep, type Point, type Series, seriesOf } from "./curveSeries.ts";
import { hoverColumns, hoverMark } from "./hover.ts";

const { blue, orange, green, purple, petrol, ochre, ink } = colours;
const hues = [blue, orange, green, purple, ochre, petrol, ink] as const;
const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]] as const;

/** Curves of one run. */
export interface ComparedMeasure {
  readonly title: string;
  readonly axis: string;
  /** A fraction, or a number of at least 0. */
  readonly scale: "fraction" | "positive";
  readonly seriesOf: (run: ComparedRun) => Series;
}

/** Accuracy and losses, one chart each. */
export const comparedMeasures: Readonly<
  Record<"accuracy" | "test-loss" | "train-loss" | "train-accuracy", ComparedMeasure>
> = {
  accuracy: {
    title: "Accuracy on images not trained on",
    axis: "accuracy",
    scale: "fraction",
    seriesOf: ({ letter, log }) => seriesOf(letter, log, ({ testAccuracy }) => testAccuracy),
  },
  "test-loss": {
    title: "Loss on images not trained on",
    axis: "loss",
    scale: "positive",
    seriesOf: ({ letter, log }) => seriesOf(letter, log, ({ testLoss }) => testLoss),
  },
  "train-loss": {
    title: "Train loss",
    axis: "loss",
    scale: "positive",
    seriesOf: ({ letter, log }) => ({ ...curvesOf(log).trainLoss, name: letter }),
  },
  "train-accuracy": {
    title: "Train accuracy",
    axis: "accuracy",
    scale: "fraction",
    seriesOf: ({ letter, log }) => ({ ...curvesOf(log).trainAccuracy, name: letter }),
  },
};

/** Axis labels and texts of values. */
const scales = {
  fraction: { format: formatPercent, labels: percentLabels() },
  positive: { format: formatLoss, labels: {} },
} as const;

const legendRow = 20;
const letterSize = fontSize - 1;
/** Distance from a line's end to its letter. */
const letterDistance = 18;
const [width, height] = [596, 312];
const intervals = 5;

/** Draws one measure of several runs as SVG: one line per run, labelled with the run's letter at its end. */
export function drawComparison(runs: readonly ComparedRun[], measure: ComparedMeasure): Promise<string> {
  const { format, labels } = scales[measure.scale];
  const lines = runs.map((run, i) => {
    return { run, series: measure.seriesOf(run), format, dataset: `run-${i}`, ...strokeOf(i) };
  });
  const all = lines.flatMap(({ series }) => series.points);
  const lastEpoch = 1.02 * (Math.max(0, ...all.map(({ epoch }) => epoch)) || 1);
  const step =
    measure.scale === "fraction" ? 1 / intervals : niceStep(Math.max(0, ...all.map((p) => p.value)), intervals);
  const top = intervals * step;
  const bottom = measure.scale === "fraction" ? floorOf(all.map(({ value }) => value)) : 0;
  const ended = lines.filter(({ series }) => series.points.length > 0);
  const across = width / lastEpoch;
  const up = height / (top - bottom);
  const ends = ended.map(({ series }) => series.points.at(-1) as Point);
  const lasts = ends.map(({ epoch, value }) => ({ x: across * epoch, y: up * (top - value) }));
  const places = spread(lasts.map(({ x, y }) => ({ x: x + letterDistance, y })));
  const hover = hoverMark(hoverColumns(lines, { width, lastEpoch }), height);
  return drawChart(
    { title: measure.title, width, height, left: 72, right: 52, bottom: 56, top: legendRow * runs.length },
    {
      data: [...lines.map(({ dataset, series }) => ({ name: dataset, values: [...series.points] })), hover.data],
      scales: [
        { name: "epoch", type: "linear", range: "width", domain: [0, lastEpoch] },
        { name: "value", type: "linear", range: "height", domain: [bottom, top] },
      ],
      axes: [
        { ...axisStyle, orient: "bottom", scale: "epoch", title: "epoch", tickCount: 8 },
        {
          ...axisStyle,
          orient: "left",
          scale: "value",
          title: measure.axis,
          tickCount: intervals,
          grid: true,
          titleX: -54,
          ...labels,
        },
      ],
      marks: [
        ...lines.flatMap((line, i) => [...lineMarks(line), ...legendMarks(line, i - runs.length)]),
        ...ended.flatMap((line, i) => letterMarks(line, lasts[i] as Place, places[i] as Place)),
        hover.mark,
      ],
    },
  );
}

interface ComparedLine {
  readonly run: ComparedRun;
  readonly series: Series;
  readonly format: (value: number) => string;
  readonly dataset: string;
  readonly colour: string;
  readonly dash: readonly number[];
}

function strokeOf(index: number): Pick<ComparedLine, "colour" | "dash"> {
  const hue = index % hues.length;
  // Neighbouring runs differ in both colour and dash, so they are distinguishable without colour; all 26 combinations are unique.
  const dash = (hue + Math.floor(index / hues.length)) % dashes.length;
  return { colour: hues[hue] as string, dash: dashes[dash] as readonly number[] };
}

/** Lower end of the accuracy axis: 0 if a value is below a half, else the lowest value rounded down to a tenth. */
function floorOf(values: readonly number[]): number {
  const lowest = Math.min(1, ...values);
  return lowest < 0.5 ? 0 : Math.min(0.9, Math.floor(lowest * 10) / 10);
}

function lineMarks({ dataset, series, colour, dash }: ComparedLine): Mark[] {
  const at = { x: { scale: "epoch", field: "epoch" }, y: { scale: "value", field: "value" } };
  if (series.points.length === 0) return [];
  const path: Mark = {
    type: "line",
    name: `${dataset}-line`,
    from: { data: dataset },
    encode: {
      enter: { ...at, stroke: { value: colour }, strokeWidth: { value: 2 }, strokeDash: { value: [...dash] } },
    },
  };
  const point: Mark = {
    type: "symbol",
    name: `${dataset}-points`,
    from: { data: dataset },
    encode: { enter: { ...at, fill: { value: colour }, size: { value: series.points.length > 1 ? 14 : 60 } } },
  };
  return [path, ...(series.points.length <= 60 ? [point] : [])];
}

const textStyle = { font: chartFont, fill: ink, align: "left" } as const;

/** The letter, and a thin line from the end of its run's curve, since the letter may have moved. */
function letterMarks({ run, colour, dataset }: ComparedLine, end: Place, place: Place): Mark[] {
  const [from, to] = [
    { x: { value: end.x + 3 }, y: { value: end.y } },
    { x2: { value: place.x - 3 }, y2: { value: place.y } },
  ];
  const leader: Mark = {
    type: "rule",
    name: `${dataset}-leader`,
    encode: { enter: { ...from, ...to, stroke: { value: colour } } },
  };
  return [leader, textMark(run.letter, place, letterStyle)];
}

const letterStyle: TextStyle = { ...textStyle, fontSize: letterSize, fontWeight: "bold" };

/** Moves positions down until no two letters overlap. */
export function spread(places: readonly Place[]): readonly Place[] {
  const placed: Place[] = [];
  const result = [...places];
  for (const i of places.map((_, i) => i).sort((a, b) => (places[a] as Place).y - (places[b] as Place).y)) {
    const { x, y } = places[i] as Place;
    const above = placed.filter((other) => Math.abs(other.x - x) < letterSize).map((other) => other.y + letterSize + 1);
    const place = { x, y: Math.max(y, ...above) };
    placed.push(place);
    result[i] = place;
  }
  return result;
}

/** Legend entry above the plot: a piece of the line, the letter, the run and its last value. */
function legendMarks({ run, series, format, colour, dash }: ComparedLine, row: number): Mark[] {
  const y = { value: legendRow * row - 4 + legendRow / 2 };
  const last = series.last === undefined ? "–" : format(series.last);
  const key: Mark = {
    type: "rule",
    encode: {
      enter: {
        x: { value: 0 },
        x2: { value: 30 },
        y,
        stroke: { value: colour },
        strokeWidth: { value: 2 },
        strokeDash: { value: [...dash] },
      },
    },
  };
  const text = `${run.letter}  ${truncateStart(printable(run.run), 60)}  ${last}`;
  const label = textMark(text, { x: 40, y: y.value }, { ...textStyle, fontSize, fontWeight: "normal" });
  return [key, label];
}
