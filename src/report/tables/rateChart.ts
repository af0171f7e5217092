/** What `lr-find` prints: the curve of a sweep in plain characters, and what it suggests. */
import { basename } from "node:path";
import { formatLearningRate, lossRange, markedRates, type RateCurve } from "../charts/rateCurve.ts";
import { formatLoss } from "../numbers.ts";
import { pad, terminalWidth, wrap } from "../text.ts";
import type { BarOptions } from "./terminal.ts";

const rows = 14;
const labelWidth = 7;
const columns = terminalWidth - labelWidth - 2;

/** The chart with its axes, then the suggestions; at most 80 columns. */
export function formatRateChart(curve: RateCurve, { unicode }: BarOptions): string {
  const { network, dataset, recipe, points, suggestions } = curve;
  const title = wrap(`${network} on ${basename(dataset)}, recipe ${recipe}: loss against learning rate`);
  const marked = markedRates(suggestions);
  const advice =
    marked.length === 0
      ? wrap("No suggestion: the loss never fell. Try other rates (--max-rate) or more --iterations.")
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

/** The powers of ten below the axis. */
function decades(from: number, to: number, columnOf: (rate: number) => number): string {
  let text = "";
  for (let power = Math.ceil(Math.log10(from) - 1e-9); power <= Math.log10(to); power++) {
    const label = `1e${power}`;
    const start = labelWidth + 2 + columnOf(10 ** power);
    if (start >= text.length && start + label.length <= terminalWidth) text = `${text.padEnd(start)}${label} `;
  }
  return text.trimEnd();
}
