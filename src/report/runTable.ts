/** What `runs` prints: a line for each run. */
import { basename } from "node:path";
import { formatPercent } from "./numbers.ts";
import type { RunFigures } from "./runFigures.ts";
import { type Column, formatTable } from "./terminal.ts";
import { truncateStart, wrap } from "./text.ts";

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
  runs: readonly (RunLine | { readonly run: string; readonly problem: string })[],
): string {
  const rows = runs.flatMap((run) => ("problem" in run ? [] : [rowOf(run)]));
  const problems = runs.flatMap((run) => ("problem" in run ? [wrap(run.problem)] : []));
  return [...(rows.length > 0 ? [formatTable(columns, rows)] : []), ...problems].join("\n\n");
}

function rowOf({ run, state, network, dataset, epoch, epochs, ...figures }: RunLine): readonly string[] {
  const { bestAccuracy, lastAccuracy } = figures;
  return [
    truncateStart(basename(run), LONGEST_NAME),
    state,
    network,
    dataset,
    `${Number(epoch.toFixed(2))}/${epochs}`,
    accuracy(bestAccuracy),
    accuracy(lastAccuracy),
  ];
}

function accuracy(fraction: number | undefined): string {
  return fraction === undefined ? "–" : formatPercent(fraction);
}
