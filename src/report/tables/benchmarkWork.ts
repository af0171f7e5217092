/** Kinds of work of a training step, such as reorders and products: figures and their table. */
import { formatMagnitude, formatPercent } from "../numbers.ts";
import type { Spread } from "./spread.ts";
import { type Column, formatTable } from "./terminal.ts";

/** One kind of work of a training step, in all layers and directions. */
export interface WorkFigures {
  readonly work: string;
  readonly seconds: Spread;
  /** Arithmetic that was carried out; absent for kinds that the engine counts none of. */
  readonly flopsPerSecond?: Spread;
}

/** Table of kinds of work, the slowest first. The rest of the step is outside of primitives. */
export function formatWork(works: readonly WorkFigures[], stepSeconds: number): string {
  const columns: readonly Column[] = [
    { heading: "Work", align: "left" },
    { heading: "Milliseconds", align: "right" },
    { heading: "Of step", align: "right" },
    { heading: "GFLOP/s", align: "right" },
  ];
  const cells = (work: string, seconds: number, rate: Spread | undefined) => [
    work,
    (seconds * 1000).toFixed(1),
    formatPercent(seconds / stepSeconds),
    rate ? formatMagnitude(rate.median / 1e9) : "",
  ];
  const sorted = works.toSorted((a, b) => b.seconds.median - a.seconds.median);
  const rest = stepSeconds - works.reduce((sum, { seconds }) => sum + seconds.median, 0);
  return formatTable(columns, [
    ...sorted.map(({ work, seconds, flopsPerSecond }) => cells(work, seconds.median, flopsPerSecond)),
    cells("outside", rest, undefined),
  ]);
}
