/** Curves of several runs in one chart. */
import type { Mark } from "vega";
import { printable } from "../../escape.ts";
import type { ComparedRun } from "../tables/comparison.ts";
import { truncateStart } from "../text.ts";
import { colours } from "../theme.ts";
import { axisStyle, chartFont, drawChart, fontSize } from "./chart.ts";
import { type Place, type TextStyle, textMark } from "./curveMarks.ts";
import { niceStep, type Point, type Series, seriesOf, trainingLines } from "./curveSeries.ts";

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
export const comparedMeasures: Readonly<Record<"accuracy" | "train-loss" | "train-accuracy", ComparedMeasure>> = {
  accuracy: {
    title: "Accuracy on images not trained on",
    axis: "accuracy",
    scale: "fraction",
    seriesOf: ({ letter, log }) => seriesOf(letter, log, ({ testAccuracy }) => testAccuracy),
  },
  "train-loss": {
    title: "Train loss",
    axis: "loss",
    scale: "positive",
    seriesOf: ({ letter, log }) => seriesOf(letter, trainingLines(log), ({ trainLoss }) => trainLoss),
  },
  "train-accuracy": {
    title: "Train accuracy",
    axis: "accuracy",
    scale: "fraction",
    seriesOf: ({ letter, log }) => seriesOf(letter, trainingLines(log), ({ trainAccuracy }) => trainAccuracy),
  },
};

const legendRow = 20;
const letterSize = fontSize - 1;
/** Distance from a line's end to its letter. */
const letterDistance = 18;
const [width, height] = [596, 312];
const intervals = 5;

/** Draws one measure of several runs as SVG: one line per run, labelled with the run's letter at its end. */
export function drawComparison(runs: readonly ComparedRun[], measure: ComparedMeasure): Promise<string> {
  const lines = runs.map((run, i) => ({ run, series: measure.seriesOf(run), dataset: `run-${i}`, ...strokeOf(i) }));
  const all = lines.flatMap(({ series }) => series.points);
  const lastEpoch = Math.max(0, ...all.map(({ epoch }) => epoch)) || 1;
  const step =
    measure.scale === "fraction" ? 1 / intervals : niceStep(Math.max(0, ...all.map((p) => p.value)), intervals);
  const top = intervals * step;
  const bottom = measure.scale === "fraction" ? floorOf(all.map(({ value }) => value)) : 0;
  const ended = lines.filter(({ series }) => series.points.length > 0);
  const across = width / (1.02 * lastEpoch);
  const up = height / (top - bottom);
  const ends = ended.map(({ series }) => series.points.at(-1) as Point);
  const lasts = ends.map(({ epoch, value }) => ({ x: across * epoch, y: up * (top - value) }));
  const places = spread(lasts.map(({ x, y }) => ({ x: x + letterDistance, y })));
  return drawChart(
    { title: measure.title, width, height, left: 72, right: 52, bottom: 56, top: legendRow * runs.length },
    {
      data: lines.map(({ dataset, series }) => ({ name: dataset, values: [...series.points] })),
      scales: [
        { name: "epoch", type: "linear", range: "width", domain: [0, 1.02 * lastEpoch] },
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
        },
      ],
      marks: [
        ...lines.flatMap((line, i) => [...lineMarks(line), ...legendMarks(line, i - runs.length)]),
        ...ended.flatMap((line, i) => letterMarks(line, lasts[i] as Place, places[i] as Place)),
      ],
    },
  );
}

interface ComparedLine {
  readonly run: ComparedRun;
  readonly series: Series;
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
function legendMarks({ run, series, colour, dash }: ComparedLine, row: number): Mark[] {
  const y = { value: legendRow * row - 4 + legendRow / 2 };
  const last = series.last === undefined ? "–" : series.last.toFixed(3);
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
