/** What `runs` and `compare` print. */
import { basename } from "node:path";
import { formatCount, formatDuration, formatLoss, formatMagnitude, formatMillions, formatPercent } from "./numbers.ts";
import type { Section } from "./sections.ts";
import { type Column, formatTable, type Row } from "./terminal.ts";

/** A run in numbers. */
export interface RunFigures {
  /** Its directory. */
  readonly name: string;
  readonly network: string;
  readonly dataset: string;
  readonly state: "running" | "finished" | "stopped";
  /** Planned, and done. */
  readonly epochs: number;
  readonly epoch: number;
  /** A fraction; of the pictures that training is watched by. */
  readonly bestAccuracy: number | undefined;
  readonly bestEpoch: number | undefined;
  readonly trainLoss: number | undefined;
  readonly seconds: number;
  /** Over all of the run, evaluations included. */
  readonly examplesPerSecond: number | undefined;
  readonly parameters: number;
  readonly macs: number;
  readonly started: string;
}

const nothing = "–";
const name: Column = { heading: "Run", align: "left", shrinks: true };
const right = (heading: string): Column => ({ heading, align: "right" });
const left = (heading: string): Column => ({ heading, align: "left", shrinks: true });

/** A line for each run. */
export function formatRunList(runs: readonly RunFigures[]): string {
  const columns = [
    name,
    left("Network"),
    left("Data set"),
    left("State"),
    right("Epoch"),
    right("Best"),
    right("Images/s"),
  ];
  const rows = runs.map(
    (run): Row => [
      basename(run.name),
      run.network,
      run.dataset,
      run.state,
      `${round(run.epoch)} of ${round(run.epochs)}`,
      percent(run.bestAccuracy),
      rate(run),
    ],
  );
  return formatTable(columns, rows);
}

/** A setting that is not the same in all runs. */
export interface Difference {
  /** Where it stands in config.json, such as `recipe.learningRate`. */
  readonly setting: string;
  /** Each value there is, with the runs that have it. */
  readonly values: readonly { readonly value: string; readonly runs: readonly string[] }[];
}

/** The figures of runs beside one another, and the settings in which they differ. */
export function comparisonSections(
  runs: readonly RunFigures[],
  { differences, same }: { readonly differences: readonly Difference[]; readonly same: number },
): readonly Section[] {
  const signs = new Map(runs.map((run, i) => [run.name, signOf(i)]));
  const valueText = ({ value, runs: having }: Difference["values"][number]) =>
    `${value} (${having.map((run) => signs.get(run) ?? run).join(", ")})`;
  return [
    resultSection(runs),
    {
      title: "Networks",
      columns: [name, left("Network"), right("Parameters"), right("MACs")],
      rows: runs.map((run, i) => [
        signedName(run.name, i),
        run.network,
        formatCount(run.parameters),
        formatMillions(run.macs),
      ]),
      notes: [],
    },
    {
      title: "Settings that differ",
      columns: [],
      rows: [],
      notes: [
        ...differences.map(({ setting, values }) => `- ${setting}: ${values.map(valueText).join("; ")}`),
        `${differences.length === 0 ? "None; all" : "The other"} ${formatCount(same)} settings are the same.`,
      ],
    },
  ];
}

function resultSection(runs: readonly RunFigures[]): Section {
  const best = Math.max(...runs.map(({ bestAccuracy }) => bestAccuracy ?? -1));
  return {
    title: "Results",
    columns: [name, right("Epoch"), right("Best"), right("at"), right("Train loss"), right("Images/s"), right("Time")],
    rows: runs.map((run, i) => [
      signedName(run.name, i),
      `${round(run.epoch)} of ${round(run.epochs)}`,
      `${percent(run.bestAccuracy)}${run.bestAccuracy === best ? " *" : "  "}`,
      run.bestEpoch === undefined ? nothing : round(run.bestEpoch),
      run.trainLoss === undefined ? nothing : formatLoss(run.trainLoss),
      rate(run),
      formatDuration(run.seconds),
    ]),
    notes: [
      "Best: the highest accuracy on the pictures that training is watched by, and the epoch; * marks the best of all. Images/s: over all of the run.",
    ],
  };
}

/** What a run is called where there are several: `a: runs/first`. */
export function signedName(name: string, index: number): string {
  return `${signOf(index)}: ${name}`;
}

/** Letters, as long as there are any. */
function signOf(index: number): string {
  return index < 26 ? String.fromCharCode("a".charCodeAt(0) + index) : String(index + 1);
}

function percent(fraction: number | undefined): string {
  return fraction === undefined ? nothing : formatPercent(fraction);
}

function rate({ examplesPerSecond }: RunFigures): string {
  return examplesPerSecond === undefined ? nothing : formatMagnitude(examplesPerSecond);
}

/** Epochs with at most two decimals. */
function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}
