/** Work of a training step: kinds of work, such as reorders and products, and work that is planned for a graphics adapter, as tables. */
import { formatBytes } from "../../bytes.ts";
import type { InferencePrecision } from "../../engine/engine.ts";
import type { PlannedWork } from "../../engine/plannedWork.ts";
import { formatMagnitude, formatPercent } from "../numbers.ts";
import { wrap } from "../text.ts";
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

/** A network's training step on a graphics adapter: the part of `NetworkFigures` that is known there alone. */
export interface DeviceStep {
  readonly network: string;
  readonly precision: InferencePrecision;
  readonly planned?: PlannedWork;
  readonly reduced?: { readonly batchSize: number; readonly steps: number } | undefined;
}

/** Table of the planned work of a training step of `batchSize` images; undefined for other engines. */
export function formatPlanned({ network, precision, planned }: DeviceStep, batchSize: number): string | undefined {
  if (!planned) return undefined;
  const { kernels, pipelines, bytes, leastBytes, tileWaste } = planned;
  const columns: readonly Column[] = [
    { heading: "", align: "left" },
    { heading: "", align: "left", shrinks: true },
  ];
  return [
    wrap(`${network}, ${precision}: planned work of a step on a graphics adapter, batch ${batchSize}`),
    formatTable(columns, [
      ["kernels", `${kernels} run, ${pipelines} compiled`],
      ["bytes", `${formatBytes(bytes)}, ${(bytes / leastBytes).toFixed(2)} × the least`],
      ["tile waste", formatPercent(tileWaste)],
    ]),
  ].join("\n");
}

/** Line about the batch that was measured instead of the requested one; none if that was measured. */
export function formatReduced({ network, precision, reduced }: DeviceStep): readonly string[] {
  if (!reduced) return [];
  const { batchSize, steps } = reduced;
  const step = steps === 1 ? "one step" : `${steps} steps`;
  return [
    wrap(`${network}, ${precision}: measured with batch ${batchSize} and ${step}; a larger batch takes too long`),
  ];
}
