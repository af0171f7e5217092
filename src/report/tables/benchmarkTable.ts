/** What `bench` prints for people. */
import type { Direction } from "../../engine/engine.ts";
import { formatBytes, formatMagnitude, formatPercent } from "../numbers.ts";
import { wrap } from "../text.ts";
import type { BenchmarkReport, Ceiling, LayerFigures, NetworkFigures, Spread } from "./benchmarkFigures.ts";
import { type Column, formatTable } from "./terminal.ts";

const networkColumns: readonly Column[] = [
  { heading: "Network", align: "left", shrinks: true },
  { heading: "Precision", align: "left" },
];

/** Machine, ceilings, and a table each of training, of where its time goes, and of inference; then one of layers for each network that has them. */
export function formatBenchmark(report: BenchmarkReport): string {
  const { batchSize, networks } = report;
  return [
    formatConditions(report),
    `Ceiling of direct convolution and matrix products\n${formatCeilings(report.ceilings)}`,
    `Training, batch ${batchSize}\n${formatTraining(networks)}`,
    `Where a step's time goes\n${formatShares(networks)}`,
    `Inference\n${formatInference(networks)}`,
    ...networks.flatMap((figures) => formatLayers(figures) ?? []),
  ].join("\n\n");
}

function formatConditions({ machine, engine, optimizer, exact, rounds }: BenchmarkReport): string {
  const columns: readonly Column[] = [
    { heading: "", align: "left" },
    { heading: "", align: "left", shrinks: true },
  ];
  return formatTable(columns, [
    ["machine", `${machine.cpu}, ${machine.system}, Node.js ${machine.node}`],
    ["engine", `${engine.description}${exact ? ", direct convolution only" : ""}`],
    ["optimizer", optimizer],
    ["figures", rounds === 1 ? "of one round" : `medians of ${rounds} rounds, and the least and the greatest`],
  ]);
}

function formatCeilings(ceilings: readonly Ceiling[]): string {
  const columns: readonly Column[] = [
    { heading: "Precision", align: "left" },
    ...withRange("GFLOP/s"),
    { heading: "Fastest", align: "left", shrinks: true },
  ];
  const rows = ceilings.map(({ precision, flopsPerSecond, operations }) => {
    const [fastest] = [...operations].sort((a, b) => b.flopsPerSecond.median - a.flopsPerSecond.median);
    return [precision, ...ranged(flopsPerSecond, giga), fastest?.operation ?? ""];
  });
  return formatTable(columns, rows);
}

function formatTraining(networks: readonly NetworkFigures[]): string {
  const columns: readonly Column[] = [
    ...networkColumns,
    ...withRange("Images/s"),
    { heading: "GFLOP/s", align: "right" },
    { heading: "Of ceiling", align: "right" },
    { heading: "Memory", align: "right" },
  ];
  const rows = networks.map(({ network, precision, training }) => [
    network,
    precision,
    ...ranged(training.imagesPerSecond, formatMagnitude),
    giga(training.flopsPerSecond.median),
    formatPercent(training.shareOfCeiling.median),
    formatBytes(training.peakMemoryBytes.median),
  ]);
  return formatTable(columns, rows);
}

function formatShares(networks: readonly NetworkFigures[]): string {
  const columns: readonly Column[] = [
    ...networkColumns,
    { heading: "Step", align: "right" },
    { heading: "Primitives", align: "right" },
    { heading: "Reorders", align: "right" },
    { heading: "Outside", align: "right" },
  ];
  const rows = networks.map(({ network, precision, training }) => [
    network,
    precision,
    `${milliseconds(training.stepSeconds.median)} ms`,
    formatPercent(training.primitiveShare.median),
    formatPercent(training.reorderShare.median),
    formatPercent(training.outsideShare.median),
  ]);
  return formatTable(columns, rows);
}

function formatInference(networks: readonly NetworkFigures[]): string {
  const batchSizes = networks[0]?.inference.map(({ batchSize }) => batchSize) ?? [];
  const columns = [...networkColumns, ...batchSizes.flatMap((batchSize) => withRange(`Batch ${batchSize}`))];
  const rows = networks.map(({ network, precision, inference }) => [
    network,
    precision,
    ...inference.flatMap(({ imagesPerSecond }) => ranged(imagesPerSecond, formatMagnitude)),
  ]);
  return `${formatTable(columns, rows)}\nImages/s.`;
}

const directions: readonly Direction[] = ["forward", "backwardData", "backwardWeights"];

function formatLayers({ network, precision, layers }: NetworkFigures): string | undefined {
  if (!layers) return undefined;
  const columns: readonly Column[] = [
    { heading: "Layer", align: "left", shrinks: true },
    ...["Forward", "Data", "Weights"].flatMap((heading): readonly Column[] => [
      { heading, align: "right" },
      { heading: "GFLOP/s", align: "right" },
    ]),
    { heading: "Update", align: "right" },
    { heading: "Reorder", align: "right" },
  ];
  const names = [...new Set(layers.map(({ layer }) => layer))];
  const rows = names.map((name) => [name, ...layerCells(layers.filter(({ layer }) => layer === name))]);
  const footer = [["total", ...layerCells(layers, false)]];
  return [
    wrap(`${network}, ${precision}: a step layer by layer, in milliseconds`),
    formatTable(columns, rows, { footer }),
    "Data, Weights: backward to the layer's input, and to its weights.",
  ].join("\n");
}

function layerCells(figures: readonly LayerFigures[], rates = true): readonly string[] {
  const of = (direction: Direction) => figures.filter((figure) => figure.direction === direction);
  const time = (list: readonly LayerFigures[], key: "seconds" | "reorderSeconds") =>
    list.length === 0 ? "" : milliseconds(list.reduce((sum, figure) => sum + figure[key].median, 0));
  const rate = (list: readonly LayerFigures[]) => {
    const [found] = list.flatMap(({ flopsPerSecond }) => flopsPerSecond ?? []);
    return rates && found ? giga(found.median) : "";
  };
  return [
    ...directions.flatMap((direction) => [time(of(direction), "seconds"), rate(of(direction))]),
    time(of("update"), "seconds"),
    time(figures, "reorderSeconds"),
  ];
}

function withRange(heading: string): readonly Column[] {
  return [
    { heading, align: "right" },
    { heading: "min–max", align: "right" },
  ];
}

function ranged({ median, min, max }: Spread, format: (value: number) => string): readonly string[] {
  return [format(median), min === max ? "" : `${format(min)}–${format(max)}`];
}

function giga(perSecond: number): string {
  return formatMagnitude(perSecond / 1e9);
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(1);
}
