/** Figures of training steps in several processes, and their table. */
import { formatBytes } from "../../bytes.ts";
import type { InferencePrecision } from "../../engine/engine.ts";
import { formatMagnitude, formatPercent } from "../numbers.ts";
import type { Spread } from "./spread.ts";
import { type Column, formatTable } from "./terminal.ts";

/** Whole steps of several processes, as process 0 sees them. */
export interface JointFigures {
  /** Images of the whole batch. */
  readonly imagesPerSecond: Spread;
  readonly stepSeconds: Spread;
  /** Fraction of the time in which the process waits for exchanges. */
  readonly waitingFraction: Spread;
  /** Bytes that the process hands over in a step. */
  readonly exchangedBytes: number;
  /** Peak memory of the process. */
  readonly peakMemoryBytes: Spread;
}

/** A network with such figures. */
interface JointNetwork {
  readonly network: string;
  readonly precision: InferencePrecision;
  readonly joint?: JointFigures;
}

/** The part of a report that the table shows. */
interface JointReport {
  readonly processes?: number;
  readonly parallel?: string;
  readonly batchSize: number;
  readonly networks: readonly JointNetwork[];
}

const columns: readonly Column[] = [
  { heading: "Network", align: "left", shrinks: true },
  { heading: "Precision", align: "left" },
  { heading: "Images/s", align: "right" },
  { heading: "Step", align: "right" },
  { heading: "Waiting", align: "right" },
  { heading: "Exchanged", align: "right" },
  { heading: "Memory", align: "right" },
];

/** A row for each network: images of the whole batch per second, and figures of process 0. */
export function formatJoint({ processes, parallel, batchSize, networks }: JointReport): string {
  const title = `Training in ${processes} processes (${parallel}), batch ${batchSize}; figures of process 0`;
  const rows = networks.flatMap(({ network, precision, joint }) => {
    if (!joint) return [];
    const { imagesPerSecond, stepSeconds, waitingFraction, exchangedBytes, peakMemoryBytes } = joint;
    return [
      [
        network,
        precision,
        formatMagnitude(imagesPerSecond.median),
        `${formatMagnitude(1000 * stepSeconds.median)} ms`,
        formatPercent(waitingFraction.median),
        formatBytes(exchangedBytes),
        formatBytes(peakMemoryBytes.median),
      ],
    ];
  });
  return `${title}\n${formatTable(columns, rows)}`;
}
