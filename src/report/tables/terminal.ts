/** Tables and bars for the terminal, as pure functions from data to text of at most 80 columns. */

import { printable } from "../../escape.ts";
import { formatPercent } from "../numbers.ts";
import { displayWidth, pad, terminalWidth, truncate } from "../text.ts";

export interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
  /** True if cells may be truncated to fit the width; at least `narrowest` columns remain. */
  readonly shrinks?: boolean;
}

export type Row = readonly string[];

const gap = "  ";
const narrowest = 8;

/**
 * Formats a table with a rule below the headings and above `footer`; columns without a heading have no rule. To fit `width`, the widest
 * shrinkable column is truncated first.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly Row[],
  { footer = [], width = terminalWidth }: { readonly footer?: readonly Row[]; readonly width?: number } = {},
): string {
  const headings = columns.map((column) => column.heading);
  const body = rows.map((row) => row.map(printable));
  const foot = footer.map((row) => row.map(printable));
  const widths = columnWidths(columns, [headings, ...body, ...foot], width);
  const line = (row: Row) =>
    columns
      .map(({ align }, i) => pad(truncate(row[i] ?? "", widths[i] ?? 0), widths[i] ?? 0, align))
      .join(gap)
      .trimEnd();
  const rule = line(headings.map((heading, i) => (heading === "" ? "" : "-".repeat(widths[i] ?? 0))));
  const head = headings.some((heading) => heading !== "") ? [line(headings), rule] : [];
  return [...head, ...body.map(line), ...(foot.length > 0 ? [rule, ...foot.map(line)] : [])].join("\n");
}

function columnWidths(columns: readonly Column[], rows: readonly Row[], width: number): readonly number[] {
  const widths = columns.map((_, i) => rows.reduce((widest, row) => Math.max(widest, displayWidth(row[i] ?? "")), 0));
  let excess = widths.reduce((sum, columnWidth) => sum + columnWidth, gap.length * (columns.length - 1)) - width;
  for (; excess > 0; excess--) {
    const shrinkable = widths.map((columnWidth, i) => (columns[i]?.shrinks ? columnWidth : 0));
    const widest = Math.max(...shrinkable);
    if (widest <= narrowest) break;
    widths[shrinkable.indexOf(widest)] = widest - 1;
  }
  return widths;
}

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** True for block characters, false for ASCII; see `showsUnicode`. */
export interface BarOptions {
  readonly unicode: boolean;
}

/** A horizontal bar of `fraction` (0 to 1) of `cells` columns, with a resolution of an eighth of a column in Unicode. */
export function formatBar(fraction: number, cells: number, { unicode }: BarOptions): string {
  const length = Math.min(Math.max(fraction, 0), 1) * cells;
  if (!unicode) return "#".repeat(Math.round(length));
  const parts = Math.round(length * 8);
  return "█".repeat(Math.floor(parts / 8)) + eighths[parts % 8];
}

/** Environment variables that determine the character set. */
export interface LocaleVariables {
  readonly LC_ALL?: string | undefined;
  readonly LC_CTYPE?: string | undefined;
  readonly LANG?: string | undefined;
}

/** True for a terminal with a UTF-8 locale. */
export function showsUnicode(isTerminal: boolean, { LC_ALL, LC_CTYPE, LANG }: LocaleVariables): boolean {
  return isTerminal && /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
}

/** Score of one class. */
export interface ClassProbability {
  readonly className: string;
  readonly probability: number;
  /** With thresholds: true if the class is predicted present. */
  readonly isPresent?: boolean;
}

const predictionBarCells = 32;

/** Formats one line per class in the given order: name, bar, percentage; with thresholds, also its presence, and a line if none is present. */
export function formatPredictions(predictions: readonly ClassProbability[], options: BarOptions): string {
  const decides = predictions.some(({ isPresent }) => isPresent !== undefined);
  const columns: readonly Column[] = [
    { heading: "", align: "left", shrinks: true },
    { heading: "", align: "left" },
    { heading: "", align: "right" },
    ...(decides ? [{ heading: "", align: "left" } as const] : []),
  ];
  const rows = predictions.map(({ className, probability, isPresent }) => [
    className,
    pad(formatBar(probability, predictionBarCells, options), predictionBarCells, "left"),
    formatPercent(probability),
    ...(decides ? [isPresent ? "present" : ""] : []),
  ]);
  const isNone = decides && !predictions.some(({ isPresent }) => isPresent);
  return [formatTable(columns, rows), ...(isNone ? [noneOfThese] : [])].join("\n");
}

/** Text for an image all of whose classes are below their thresholds. */
const noneOfThese = "none of these: every class is below its threshold";
