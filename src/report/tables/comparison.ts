/** Comparison of runs: data, and the text that `compare` prints. */

import { formatCount, formatDuration, formatEpoch, formatLoss, formatMagnitude, formatPercent } from "../numbers.ts";
import { displayWidth, terminalWidth, truncateStart, wrap } from "../text.ts";
import { comparedSections, type PairedRuns, type SeedGroup, type UnpairedRuns } from "./comparedSections.ts";
import type { RunFigures } from "./runTable.ts";
import { formatSections } from "./sections.ts";
import { type Column, formatTable } from "./terminal.ts";

/** One run in a comparison. */
export interface ComparedRun extends Omit<RunFigures, "started" | "divergence"> {
  /** Label in tables and charts. */
  readonly letter: string;
  readonly parameters: number;
  /** Multiply-accumulates of a forward pass of one image. */
  readonly macs: number;
  readonly log: readonly ComparedEntry[];
}

/** Fields of a log line that charts need. */
export interface ComparedEntry {
  readonly epoch: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly testLoss?: number;
  readonly testAccuracy?: number;
}

/** One setting and its value in each run. */
export interface SettingRow {
  readonly name: string;
  readonly values: readonly string[];
}

export interface Comparison {
  readonly runs: readonly ComparedRun[];
  readonly settings: readonly SettingRow[];
  /** Each further run against the first, on the images of both. */
  readonly paired: readonly (PairedRuns | UnpairedRuns)[];
  /** Runs whose settings differ in the random seed only, two or more each. */
  readonly seeds: readonly SeedGroup[];
}

/** True if a setting's value differs between runs. */
export function isDifferent({ values }: SettingRow): boolean {
  return new Set(values).size > 1;
}

/** Mark of a value that differs from the first run's. */
export const differenceMark = "≠";

/** Names and formatted values of a run's figures. */
function comparedFigures(run: ComparedRun): readonly (readonly [name: string, value: string])[] {
  const {
    bestAccuracy,
    bestEpoch = 0,
    bestLoss,
    lastAccuracy,
    lastLoss,
    trainLoss,
    trainAccuracy,
    examplesPerSecond,
  } = run;
  const percent = (fraction: number | undefined) => (fraction === undefined ? "–" : formatPercent(fraction));
  const loss = (value: number | undefined) => (value === undefined ? "–" : formatLoss(value));
  return [
    ["state", run.state],
    ["network", run.network],
    ["data set", run.dataset],
    ["epoch", `${formatEpoch(run.epoch)} of ${run.epochs}`],
    ["iterations", formatCount(run.iteration)],
    ["best accuracy", percent(bestAccuracy)],
    ["best epoch", bestAccuracy === undefined ? "–" : formatEpoch(bestEpoch)],
    ["best loss", loss(bestLoss)],
    ["last accuracy", percent(lastAccuracy)],
    ["last loss", loss(lastLoss)],
    ["train accuracy", percent(trainAccuracy)],
    ["train loss", loss(trainLoss)],
    ["images/s", examplesPerSecond === undefined ? "–" : formatMagnitude(examplesPerSecond)],
    ["trained for", formatDuration(run.seconds)],
    ["parameters", formatCount(run.parameters)],
    ["MACs/image", formatCount(run.macs)],
  ];
}

/** Maximum number of runs with a column each in 80 columns. */
const RUNS_A_TABLE = 4;
/** Maximum width of a value in a column. */
const LONGEST_IN_TABLE = 12;

/** Formats figures, curves, the settings that differ, and the number of equal settings. */
export function formatComparison(comparison: Comparison): string {
  const { runs, settings } = comparison;
  const different = settings.filter(isDifferent);
  const same = settings.length - different.length;
  const settingsText =
    different.length > 0
      ? [`Settings that differ (${differenceMark}: differs from ${runs[0]?.letter})`, ...settingTables(runs, different)]
      : ["Settings: the same in all runs"];
  return [
    runs.map(({ letter, run }) => `${letter}  ${truncateStart(run, terminalWidth - 3)}`).join("\n"),
    columnTables(runs, figureRows(runs)),
    formatSections(comparedSections(comparison)),
    formatLetterPlot(
      "Accuracy on held-out images by epoch",
      runs.map(({ letter, log }) => ({
        letter,
        points: log.flatMap(({ epoch, testAccuracy = Number.NaN }) =>
          Number.isFinite(testAccuracy) ? [{ x: epoch, y: testAccuracy }] : [],
        ),
      })),
    ),
    settingsText.join("\n\n"),
    ...(same > 0
      ? [
          wrap(
            `${same} ${same === 1 ? "setting is" : "settings are"} the same; --output DIR writes all of them, and charts, to files.`,
          ),
        ]
      : []),
  ].join("\n\n");
}

/** One row per figure, one column per run. */
export function figureRows(runs: readonly ComparedRun[]): readonly SettingRow[] {
  const all = runs.map(comparedFigures);
  return (all[0] ?? []).map(([name], i) => ({ name, values: all.map((figures) => figures[i]?.[1] ?? "–") }));
}

/** Marks values that differ from the first run's. */
function marked({ name, values }: SettingRow): SettingRow {
  return { name, values: values.map((value) => (value === values[0] ? value : `${differenceMark} ${value}`)) };
}

/** Prints long values on lines of their own, because truncated ones could look equal. */
function settingTables(runs: readonly ComparedRun[], rows: readonly SettingRow[]): readonly string[] {
  const isLong = ({ values }: SettingRow) => values.some((value) => displayWidth(value) > LONGEST_IN_TABLE);
  const short = rows.filter((row) => !isLong(row));
  const long = rows.filter(isLong).map(({ name, values }) => {
    const distinct = [...new Set(values)];
    const lines = distinct.map((value) => {
      const letters = runs.flatMap(({ letter }, i) => (values[i] === value ? [letter] : []));
      return wrap(value, `  ${letters.join(" ")}  `);
    });
    return [wrap(name), ...lines].join("\n");
  });
  return [...(short.length > 0 ? [columnTables(runs, short.map(marked))] : []), ...long];
}

function columnTables(runs: readonly ComparedRun[], rows: readonly SettingRow[]): string {
  const tables: string[] = [];
  for (let from = 0; from < runs.length; from += RUNS_A_TABLE) {
    const part = runs.slice(from, from + RUNS_A_TABLE);
    const columns: readonly Column[] = [
      { heading: " ", align: "left", shrinks: true },
      ...part.map(({ letter }): Column => ({ heading: letter, align: "right", shrinks: true })),
    ];
    tables.push(
      formatTable(
        columns,
        rows.map(({ name, values }) => [name, ...values.slice(from, from + part.length)]),
      ),
    );
  }
  return tables.join("\n\n");
}

/** Points drawn with a letter; `y` is a fraction. */
export interface LetterSeries {
  readonly letter: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const rows = 12;
const labelWidth = 9;
/** Mark of a cell that several series share. */
const several = "*";

/** Plots letters for the terminal, from the lowest value to the highest; returns a sentence if there are no points. */
export function formatLetterPlot(title: string, series: readonly LetterSeries[], width = terminalWidth): string {
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return `${title}: none yet`;
  const columns = width - labelWidth - 1;
  const last = Math.max(...all.map(({ x }) => x)) || 1;
  const [low, high] = [Math.min(...all.map(({ y }) => y)), Math.max(...all.map(({ y }) => y))];
  const cells = Array.from({ length: rows }, () => new Array<string>(columns).fill(" "));
  for (const { letter, points } of series) {
    for (const { x, y } of points) {
      const row = cells[Math.round((rows - 1) * (high > low ? (high - y) / (high - low) : 0.5))] as string[];
      const column = Math.round(((columns - 1) * x) / last);
      row[column] = row[column] === " " || row[column] === letter ? letter : several;
    }
  }
  const label = (row: number) => {
    const text = row === 0 ? formatPercent(high) : row === rows - 1 ? formatPercent(low) : "";
    return `${text.padStart(labelWidth)}|`;
  };
  const epochs = `0${formatEpoch(last).padStart(columns - 1)}`;
  return [
    `${title} (${several}: several)`,
    ...cells.map((row, i) => `${label(i)}${row.join("")}`.trimEnd()),
    `${" ".repeat(labelWidth)}+${"-".repeat(columns)}`,
    `${" ".repeat(labelWidth + 1)}${epochs}`,
  ].join("\n");
}
