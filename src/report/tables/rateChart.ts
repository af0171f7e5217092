/** Learning-rate sweep: its curve as data, and the text that `lr-find` prints. */
import { basename } from "node:path";
import type { RatePoint, RateSuggestions } from "../../training/rateSuggestion.ts";
import { formatLoss } from "../numbers.ts";
import { pad, terminalWidth, wrap } from "../text.ts";
import type { BarOptions } from "./terminal.ts";

const rows = 14;
const labelWidth = 7;
const columns = terminalWidth - labelWidth - 2;

/** Formats the chart with its axes, then the suggestions, in at most 80 columns. */
export function formatRateChart(curve: RateCurve, { unicode }: BarOptions): string {
  const { network, dataset, recipe, points, suggestions } = curve;
  const title = wrap(`${network} on ${basename(dataset)}, recipe ${recipe}: loss against learning rate`);
  const marked = markedRates(suggestions);
  const advice =
    marked.length === 0
      ? wrap("No suggestion: the loss never fell. Try other learning rates (--max-rate) or more --iterations.")
      : marked
          .map(({ rate, reason }) => `learning rate ${pad(formatLearningRate(rate), 8, "left")} ${reason}`)
          .join("\n");
  if (points.length < 2) return `${title}\n\n${advice}`;
  return [title, "", ...plot(curve, unicode), "", advice].join("\n");
}

function plot({ points, suggestions }: RateCurve, unicode: boolean): readonly string[] {
  const [dot, bar, line] = unicode ? ["•", "│", "┊"] : ["*", "|", ":"];
  const [from, to] = [points[0]?.learningRate ?? 1, points.at(-1)?.learningRate ?? 10];
  const [least, most] = lossRange(points);
  const columnOf = (rate: number) => Math.round(((columns - 1) * Math.log(rate / from)) / Math.log(to / from));
  const rowOf = (loss: number) => Math.round(((rows - 1) * (most - loss)) / (most - least));
  const cells = Array.from({ length: rows }, () => new Array<string>(columns).fill(" "));
  for (const { rate } of markedRates(suggestions)) {
    const column = columnOf(rate);
    if (column >= 0 && column < columns) for (const row of cells) row[column] = line as string;
  }
  for (const { learningRate, smoothed } of points) {
    const row = cells[rowOf(smoothed)];
    if (row) row[columnOf(learningRate)] = dot as string;
  }
  const labelOf = (row: number) => (row % 4 === 1 ? formatLoss(most - (row * (most - least)) / (rows - 1)) : "");
  return [
    ...cells.map((row, i) => `${pad(labelOf(i), labelWidth, "right")} ${bar}${row.join("")}`.trimEnd()),
    `${" ".repeat(labelWidth)} ${(unicode ? "└" : "+") + (unicode ? "─" : "-").repeat(columns)}`,
    decades(from, to, columnOf),
  ];
}

/** Powers of ten, labelled below the axis. */
function decades(from: number, to: number, columnOf: (rate: number) => number): string {
  let text = "";
  for (let power = Math.ceil(Math.log10(from) - 1e-9); power <= Math.log10(to); power++) {
    const label = `1e${power}`;
    const start = labelWidth + 2 + columnOf(10 ** power);
    if (start >= text.length && start + label.length <= terminalWidth) text = `${text.padEnd(start)}${label} `;
  }
  return text.trimEnd();
}

/** Curve and suggestions of a learning-rate sweep. */
export interface RateCurve {
  readonly network: string;
  readonly dataset: string;
  readonly recipe: string;
  readonly points: readonly RatePoint[];
  readonly suggestions: RateSuggestions | undefined;
}

/** A suggested learning rate and its reason, worded the same everywhere. */
export interface MarkedRate {
  readonly rate: number;
  readonly reason: string;
}

/** The suggestions as a list, lowest first. */
export function markedRates(suggestions: RateSuggestions | undefined): readonly MarkedRate[] {
  if (!suggestions) return [];
  const { steepest, minimumTenth } = suggestions;
  return [
    { rate: steepest, reason: "steepest fall" },
    { rate: minimumTenth, reason: "a tenth of the rate with the lowest loss" },
  ].sort((a, b) => a.rate - b.rate);
}

/** Two significant digits, the precision of a sweep: `0.0066`, `3.2e-5`. */
export function formatLearningRate(rate: number): string {
  const rounded = Number(rate.toPrecision(2));
  return rounded >= 1e-4 ? String(rounded) : rounded.toExponential();
}

/** Range of losses to draw. The rise at the end is cut at the first loss plus the height of the fall. */
export function lossRange(points: readonly RatePoint[]): readonly [least: number, most: number] {
  const smoothed = points.map((point) => point.smoothed);
  const [first] = smoothed;
  if (first === undefined) return [0, 1];
  const least = Math.min(...smoothed);
  const most = Math.min(Math.max(...smoothed), first + Math.max(first - least, 0.2 * first));
  const room = 0.05 * (most - least || 1);
  return [least - room, most + room];
}
