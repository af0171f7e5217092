/** Formats a comparison as text for a terminal. */

import { formatBytes } from "../../src/bytes.ts";
import { formatDuration, formatMagnitude } from "../../src/report/numbers.ts";
import { type Spread, spread } from "../../src/report/tables/spread.ts";
import { formatTable } from "../../src/report/tables/terminal.ts";
import type { Comparison } from "./compare.ts";
import { cpuSecondsOf, fastest, type Measured, ratesOf, speedup } from "./results.ts";

function formatRange({ min, max }: Spread, digits: (value: number) => string): string {
  return `${digits(min)}–${digits(max)}`;
}

const ratio = (value: number) => value.toFixed(2);

/**
 * Rates of every variant with ours relative to it (for CPU time the inverse, so that more is faster), then ours relative to the best peer at each
 * precision.
 */
export function formatComparison(comparison: Comparison, measured: readonly Measured[]): string {
  const { network, mode, batchSize, threads, adapter, rounds } = comparison;
  const precisions = [...new Set(measured.map(({ precision }) => precision))];
  const title = `${network.name}, ${mode === "train" ? "training" : "inference"}, batch ${batchSize}, ${adapter ?? `${threads} threads`}, ${rounds} rounds\n×: ours relative to the variant, in speed, in speed by CPU time, in peak memory`;
  const tables = precisions.map((precision) => {
    const of = measured.filter((one) => one.precision === precision);
    return `${precision}\n${formatRates(of, batchSize)}\n${formatVerdict(`${precision}:`, of, batchSize)}`;
  });
  const overall = precisions.length > 1 ? [formatVerdict("any precision:", measured, batchSize)] : [];
  return [title, ...tables, ...overall].join("\n\n");
}

const formatCpu = (seconds: number | undefined) =>
  seconds === undefined ? "–" : `${formatMagnitude(1000 * seconds)} ms`;

/** Ratio of two numbers; empty if one is unknown. */
function formatRatio(numerator: number | undefined, denominator: number | undefined): string {
  return numerator && denominator ? ratio(numerator / denominator) : "";
}

function formatRates(measured: readonly Measured[], batchSize: number): string {
  const first = measured[0];
  const ours = first ? ratesOf(first, batchSize) : [];
  const rows = measured.map((one) => {
    const rates = ratesOf(one, batchSize);
    const range = spread(rates);
    return [
      one.variant,
      formatMagnitude(range.median),
      formatRange(range, formatMagnitude),
      one === first ? "" : ratio(speedup(ours, rates).median),
      formatCpu(cpuSecondsOf(one)),
      one === first ? "" : formatRatio(cpuSecondsOf(one), first && cpuSecondsOf(first)),
      formatDuration(one.firstStepSeconds),
      one.peakBytes === undefined ? "–" : formatBytes(one.peakBytes),
      one === first ? "" : formatRatio(first?.peakBytes, one.peakBytes),
    ];
  });
  const columns = ["variant", "images/s", "rounds", "×", "CPU/step", "×", "1st step", "peak", "×"].map(
    (heading, i) => ({
      heading,
      align: i === 0 ? ("left" as const) : ("right" as const),
      shrinks: i === 0,
    }),
  );
  return formatTable(columns, rows);
}

function formatVerdict(label: string, measured: readonly Measured[], batchSize: number): string {
  const isOurs = (one: Measured) => one.variant === measured[0]?.variant;
  const ours = fastest(measured.filter(isOurs), batchSize);
  const others = measured.filter((one) => !isOurs(one));
  // Without a peer, another engine of this project.
  const peers = others.filter(({ isPeer }) => isPeer);
  const peer = fastest(peers.length > 0 ? peers : others, batchSize);
  if (!ours || !peer) return `${label} no peer`;
  const speed = speedup(ratesOf(ours, batchSize), ratesOf(peer, batchSize));
  const [cpu, peerCpu] = [cpuSecondsOf(ours), cpuSecondsOf(peer)];
  const parts = [
    `${label} ${ratio(speed.median)} × ${peer.variant} ${peer.precision} (rounds ${formatRange(speed, ratio)})`,
    ...(cpu && peerCpu ? [`${ratio(peerCpu / cpu)} × by CPU time`] : []),
    ...(ours.peakBytes && peer.peakBytes ? [`${ratio(ours.peakBytes / peer.peakBytes)} × its peak memory`] : []),
  ];
  return parts.join(", ");
}
