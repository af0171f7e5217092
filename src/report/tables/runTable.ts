/** Figures of runs: as data, and as `runs` prints them, a line for each run. */
import { basename } from "node:path";
import { formatPercent } from "../numbers.ts";
import { truncateStart, wrap } from "../text.ts";
import { type Column, formatTable } from "./terminal.ts";

/** What the table shows of a run. */
export type RunLine = Pick<
  RunFigures,
  "run" | "state" | "network" | "dataset" | "epoch" | "epochs" | "bestAccuracy" | "lastAccuracy"
>;

/** Names are not cut before all else has been: they tell runs apart. */
const LONGEST_NAME = 20;

const columns: readonly Column[] = [
  { heading: "Run", align: "left" },
  { heading: "State", align: "left" },
  { heading: "Network", align: "left", shrinks: true },
  { heading: "Data set", align: "left", shrinks: true },
  { heading: "Epoch", align: "right" },
  { heading: "Best", align: "right" },
  { heading: "Last", align: "right" },
];

/** A table of runs; below it those that cannot be read, and why. */
export function formatRunTable(
  runs: readonly (RunLine | ImportedRun | { readonly run: string; readonly problem: string })[],
): string {
  const rows = runs.flatMap((run) => ("problem" in run ? [] : [rowOf(run)]));
  const problems = runs.flatMap((run) => ("problem" in run ? [wrap(run.problem)] : []));
  return [...(rows.length > 0 ? [formatTable(columns, rows)] : []), ...problems].join("\n\n");
}

function rowOf(line: RunLine | ImportedRun): readonly string[] {
  const known = [truncateStart(basename(line.run), LONGEST_NAME), line.state, line.network];
  if (!("dataset" in line)) return [...known, "–", "–", "–", "–"];
  const { dataset, epoch, epochs, bestAccuracy, lastAccuracy } = line;
  return [...known, dataset, `${Number(epoch.toFixed(2))}/${epochs}`, accuracy(bestAccuracy), accuracy(lastAccuracy)];
}

function accuracy(fraction: number | undefined): string {
  return fraction === undefined ? "–" : formatPercent(fraction);
}

/** `interrupted`: stopped or killed before its last epoch; it can be resumed. */
export type RunState = "running" | "finished" | "interrupted" | "diverged";

/** Weights that were not trained in their directory: `import` made it. */
export interface ImportedRun {
  readonly run: string;
  readonly state: "imported";
  readonly network: string;
  readonly classes: number;
}

/** The figures of a run; those that are not known yet are absent. Accuracies are fractions. */
export interface RunFigures {
  readonly run: string;
  readonly state: RunState;
  readonly network: string;
  readonly dataset: string;
  readonly epoch: number;
  readonly epochs: number;
  readonly iteration: number;
  /** Evaluation of the best weights, on the validation set. */
  readonly bestAccuracy?: number;
  readonly bestEpoch?: number;
  /** Test loss of the same evaluation. */
  readonly bestLoss?: number;
  readonly lastAccuracy?: number;
  readonly lastLoss?: number;
  /** Over the last line of the log. */
  readonly trainLoss?: number;
  readonly trainAccuracy?: number;
  /** Over all of its training. */
  readonly examplesPerSecond?: number;
  /** Of training, evaluations and interruptions apart. */
  readonly seconds: number;
  readonly started: string;
  readonly divergence?: string;
}
