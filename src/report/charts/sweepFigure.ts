/** Figure of a sweep: each trial's best accuracy against each setting that differs, one panel per setting. */
import type { Axis, Mark, Scale, Spec } from "vega";
import { printable } from "../../escape.ts";
import { formatPercent } from "../numbers.ts";
import { describeValues, differingKeys, formatValue, type SweptTrial } from "../tables/sweepTable.ts";
import { truncate, truncateStart } from "../text.ts";
import { colours } from "../theme.ts";
import { axisStyleAt, chartText, drawSpec, percentLabels } from "./chart.ts";
import { textMark } from "./curveMarks.ts";

const panel = { width: 210, height: 200, gapX: 70, gapY: 76, perRow: 3 } as const;
const padding = { left: 62, right: 24, top: 64, bottom: 54 } as const;
const fontSize = 12;
const text = { ...chartText, fontSize };
/** Positive numbers whose ratio exceeds this are drawn on a logarithmic axis. */
const logSpan = 8;
/** Up to this number of values, all are labelled on the axis. */
const maxTicks = 5;
/** About the width of a character of a label, in pixels, and the fewest and most characters of one. */
const label = { pixels: 7, least: 6, most: 14 } as const;

/** Draws the figure as SVG in the light palette. */
export function drawSweepFigure(trials: readonly SweptTrial[]): Promise<string> {
  return drawSpec(figure(trials));
}

function figure(trials: readonly SweptTrial[]): Spec {
  const keys = differingKeys(trials);
  const [columns, rows] = [
    Math.min(Math.max(keys.length, 1), panel.perRow),
    Math.max(1, Math.ceil(keys.length / panel.perRow)),
  ];
  const finished = trials.filter(({ status, bestAccuracy }) => status === "finished" && bestAccuracy !== undefined);
  const accuracies = finished.map(({ bestAccuracy = 0 }) => bestAccuracy);
  const [least, most] = [Math.min(1, ...accuracies), Math.max(0, ...accuracies)];
  const room = Math.max(0.1 * (most - least), 0.005);
  const domain = accuracies.length > 0 ? [Math.max(0, least - room), Math.min(1, most + room)] : [0, 1];
  return {
    width: columns * panel.width + (columns - 1) * panel.gapX,
    height: rows * panel.height + (rows - 1) * panel.gapY,
    padding: { ...padding },
    autosize: "none",
    background: colours.background,
    marks: [
      textMark(
        "Best accuracy of each trial",
        { x: 0, y: 20 - padding.top },
        { ...text, fontSize: 14, fontWeight: "bold" },
      ),
      textMark(legend(trials, finished), { x: 0, y: 42 - padding.top }, text),
      ...keys.map((key, i) => panelOf(key, i, trials, domain)),
    ],
  };
}

function legend(trials: readonly SweptTrial[], finished: readonly SweptTrial[]): string {
  const others = trials.length - finished.length;
  return `${finished.length} trials${finished.length > 1 ? ", the best one in orange" : ""}${others > 0 ? `, and ${others} without a result (crosses)` : ""}`;
}

/** One trial in a panel. */
interface Dot {
  /** The setting, or the index of its value where values are not numbers. */
  readonly value: number;
  readonly accuracy: number | undefined;
  readonly shape: "circle" | "cross";
  readonly color: string;
  /** Text under the pointer. */
  readonly says: string;
}

function panelOf(key: string, i: number, trials: readonly SweptTrial[], domain: readonly number[]): Mark {
  const categories = isNumeric(trials, key) ? undefined : categoriesOf(key, trials);
  const dots = dotsOf(key, trials, domain, categories);
  const name = `panel-${i}`;
  const place = {
    x: { value: (i % panel.perRow) * (panel.width + panel.gapX) },
    y: { value: Math.floor(i / panel.perRow) * (panel.height + panel.gapY) },
    width: { value: panel.width },
    height: { value: panel.height },
  };
  return {
    type: "group",
    name,
    encode: { enter: place },
    // A group's grid lines take the figure's size unless the group has its own.
    signals: [
      { name: "width", update: String(panel.width) },
      { name: "height", update: String(panel.height) },
    ],
    data: [
      { name, values: [...dots] },
      { name: `${name}-names`, values: [...(categories?.labels ?? [])].map((label) => ({ label })) },
    ],
    scales: [
      scaleOf(dots, categories),
      { name: "y", type: "linear", range: [panel.height, 0], domain: [...domain], zero: false },
    ],
    axes: axesOf(key, dots, domain, categories && `${name}-names`),
    marks: [dotMark(name)],
  };
}

/** The different values of a setting that is not a number, and their labels. */
interface Categories {
  readonly indexOf: (value: unknown) => number;
  readonly labels: readonly string[];
}

function categoriesOf(key: string, trials: readonly SweptTrial[]): Categories {
  const keyOf = (value: unknown) => JSON.stringify(value) ?? "";
  const values = new Map(trials.map(({ values }) => [keyOf(values[key]), values[key]]));
  const indices = new Map([...values.keys()].map((name, i) => [name, i]));
  const texts = [...values.values()].map((value) => printable(formatValue(value)));
  const room = Math.floor(panel.width / texts.length / label.pixels);
  const length = Math.min(Math.max(room, label.least), label.most);
  const starts = texts.map((text) => truncate(text, length));
  // Paths often differ at their ends.
  const labels = starts.map((start, i) =>
    starts.filter((other) => other === start).length === 1 ? start : truncateStart(texts[i] as string, length),
  );
  return { indexOf: (value) => indices.get(keyOf(value)) ?? 0, labels };
}

/** One dot per trial; the best finished one is orange. */
function dotsOf(
  key: string,
  trials: readonly SweptTrial[],
  domain: readonly number[],
  categories: Categories | undefined,
): readonly Dot[] {
  return trials.map(({ number, values, status, bestAccuracy }, rank) => {
    const isDone = status === "finished" && bestAccuracy !== undefined;
    const done = rank === 0 ? colours.orange : colours.blue;
    return {
      value: categories ? categories.indexOf(values[key]) : Number(values[key]),
      accuracy: isDone ? bestAccuracy : domain[0],
      shape: isDone ? "circle" : "cross",
      color: isDone ? done : colours.rule,
      says: printable(`trial ${number}: ${isDone ? formatPercent(bestAccuracy) : status}; ${describeValues(values)}`),
    };
  });
}

function axesOf(key: string, dots: readonly Dot[], domain: readonly number[], names: string | undefined): Axis[] {
  const ticks = [...new Set(dots.map(({ value }) => value))];
  const span = Number(domain[1]) - Number(domain[0]);
  const few = ticks.length <= maxTicks ? { values: ticks } : {};
  const style = axisStyleAt(fontSize);
  const title = truncate(printable(key), 30);
  const update = { text: { signal: `data('${names}')[datum.value].label` } };
  const named = names === undefined ? {} : { encode: { labels: { update } } };
  return [
    { ...style, orient: "bottom", scale: "x", title, tickCount: 4, labelOverlap: true, ...few, ...named },
    { ...style, orient: "left", scale: "y", grid: true, tickCount: 5, ...percentLabels(span >= 0.05 ? 0 : 1) },
  ];
}

function dotMark(name: string): Mark {
  const enter = {
    x: { signal: "scale('x', datum.value) + (bandwidth('x') / 2)" },
    y: { scale: "y", field: "accuracy" },
    size: { value: 60 },
    shape: { field: "shape" },
    fill: { field: "color" },
    fillOpacity: { value: 0.8 },
    stroke: { field: "color" },
    description: { field: "says" },
  };
  return { type: "symbol", from: { data: name }, encode: { enter } };
}

function isNumeric(trials: readonly SweptTrial[], key: string): boolean {
  return trials.every(({ values }) => typeof values[key] === "number");
}

function scaleOf(dots: readonly Dot[], categories: Categories | undefined): Scale {
  const range = [0, panel.width];
  if (categories) return { name: "x", type: "band", range, domain: categories.labels.map((_, i) => i) };
  const numbers = dots.map(({ value }) => value);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  if (least > 0 && most / least >= logSpan) {
    const room = (most / least) ** 0.08;
    return { name: "x", type: "log", range, domain: [least / room, most * room] };
  }
  const room = 0.08 * (most - least || 1);
  return { name: "x", type: "linear", range, domain: [least - room, most + room], zero: false };
}
