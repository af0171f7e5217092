/** Figures of runs: data, and the text that `runs` prints, one line per run. */
import { basename } from "node:path";
import { formatEpoch, formatPercent } from "../numbers.ts";
import { truncateStart, wrap } from "../text.ts";
import { type Column, formatTable } from "./terminal.ts";

/** A run in the table. */
export type RunLine = Pick<
  RunFigures,
  "run" | "state" | "network" | "dataset" | "epoch" | "epochs" | "bestAccuracy" | "lastAccuracy"
>;

/** Column layout. Names are cut last, because they identify runs. */
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

/** Formats a table of runs, followed by unreadable runs with the reason. */
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
  return [...known, dataset, `${formatEpoch(epoch)}/${epochs}`, accuracy(bestAccuracy), accuracy(lastAccuracy)];
}

function accuracy(fraction: number | undefined): string {
  return fraction === undefined ? "–" : formatPercent(fraction);
}

/** Status of a run. `interrupted`: stopped before its last epoch, resumable. */
export type RunState = "running" | "finished" | "interrupted" | "diverged";

/** Weights trained elsewhere; the directory was created by `import`. */
export interface ImportedRun {
  readonly run: string;
  readonly state: "imported";
  readonly network: string;
  readonly classes: number;
}

/** Figures of a run; absent if not known yet. Accuracies are fractions. */
export interface RunFigures {
  readonly run: string;
  readonly state: RunState;
  readonly network: string;
  readonly dataset: string;
  readonly epoch: number;
  readonly epochs: number;
  readonly iteration: number;
  /** Evaluation of the best weights on the validation set. */
  readonly bestAccuracy?: number;
  readonly bestEpoch?: number;
  /** Test loss of that evaluation. */
  readonly bestLoss?: number;
  readonly lastAccuracy?: number;
  readonly lastLoss?: number;
  /** Loss and accuracy of the last log line. */
  readonly trainLoss?: number;
  readonly trainAccuracy?: number;
  /** Images per second over the whole training. */
  readonly examplesPerSecond?: number;
  /** Training time without evaluations and interruptions. */
  readonly seconds: number;
  readonly started: string;
  readonly divergence?: string;
}
