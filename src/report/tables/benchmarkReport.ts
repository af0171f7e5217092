/** Benchmark report: data, and the text that `bench` prints. */
import { formatBytes } from "../../bytes.ts";
import type { Direction, InferencePrecision, Precision } from "../../engine/engine.ts";
import type { PlannedWork } from "../../engine/plannedWork.ts";
import { formatMagnitude, formatPercent } from "../numbers.ts";
import { wrap } from "../text.ts";
import { formatPlanned, formatReduced, formatWork, type WorkFigures } from "./benchmarkWork.ts";
import { formatJoint, type JointFigures } from "./jointFigures.ts";
import { type Spread, spread } from "./spread.ts";
import { type Column, formatTable } from "./terminal.ts";

/** Output of `bench --json`. */
export interface BenchmarkReport {
  readonly machine: { readonly alexnet: string; readonly node: string; readonly system: string; readonly cpu: string };
  readonly engine: { readonly name: string; readonly version: string; readonly description: string };
  readonly threads: number;
  readonly batchSize: number;
  /** One line about the optimizer. */
  readonly optimizer: string;
  /** True if convolutions were restricted to the direct algorithm. */
  readonly exact: boolean;
  readonly rounds: number;
  readonly ceilings: readonly Ceiling[];
  readonly networks: readonly NetworkFigures[];
  /** Number of processes that trained together, and the scheme; absent for one. Ceilings and inference are then empty. */
  readonly processes?: number;
  readonly parallel?: string;
}

/** Peak arithmetic of the library on this machine in one number format. */
export interface Ceiling {
  readonly precision: Precision;
  /** Maximum over the operations. */
  readonly flopsPerSecond: Spread;
  /** Large direct convolutions and matrix products, in all directions. */
  readonly operations: readonly { readonly operation: string; readonly flopsPerSecond: Spread }[];
}

/** One network at one precision. */
export interface NetworkFigures {
  readonly network: string;
  readonly precision: InferencePrecision;
  /** Absent for a format of inference alone. */
  readonly training?: TrainingFigures;
  readonly inference: readonly { readonly batchSize: number; readonly imagesPerSecond: Spread }[];
  /** Training steps of several processes; absent for one. */
  readonly joint?: JointFigures;
  /** Layers of a training step; absent if not requested. */
  readonly layers?: readonly LayerFigures[];
  /** Kinds of work of a training step; absent if layers were not requested. */
  readonly work?: readonly WorkFigures[];
  /** Work of a step of the requested batch on a graphics adapter, if layers are requested; absent for other engines. */
  readonly planned?: PlannedWork;
  /** Batch and number of steps that were measured, where a step of the requested batch takes too long; absent otherwise. */
  readonly reduced?: { readonly batchSize: number; readonly steps: number } | undefined;
}

/** Whole steps: forward, loss, backward, update of every parameter, and the check for non-finite values. */
export interface TrainingFigures {
  readonly imagesPerSecond: Spread;
  readonly stepSeconds: Spread;
  /** Arithmetic of the direct algorithms (`directFlops`) ÷ time of a step. */
  readonly flopsPerSecond: Spread;
  /** `flopsPerSecond` ÷ the ceiling of the same round; above 1 if other algorithms multiply less than the direct one. */
  readonly shareOfCeiling: Spread;
  /**
   * Time that the arithmetic of the algorithms that ran takes at the ceiling (the floor) ÷ time of a step. Winograd's arithmetic is counted as that of
   * direct convolution.
   */
  readonly shareOfFloor: Spread;
  /** Fractions of a step's time: primitives other than reorders, reorders, everything else. */
  readonly primitiveShare: Spread;
  readonly reorderShare: Spread;
  readonly outsideShare: Spread;
  /** Peak memory of a process that runs this program alone. */
  readonly peakMemoryBytes: Spread;
}

/** Cost of one layer in one direction of a step. */
export interface LayerFigures {
  readonly layer: string;
  readonly direction: Direction;
  /** Algorithm of a convolution: `direct`, `winograd` or `dft`; absent for other layers. */
  readonly algorithm?: string;
  /** Library implementations with their fraction of the work: `convolution jit:avx512_core`. */
  readonly implementations: readonly string[];
  /** Excludes reorders. */
  readonly seconds: Spread;
  readonly reorderSeconds: Spread;
  /** Arithmetic of the layer's convolution or matrix product, counted by the direct algorithm; absent for other layers. */
  readonly flopsPerSecond?: Spread;
}

/** Merges rounds into one report; `rounds[r][c]` is round r of case c. */
export function mergeReports(rounds: readonly (readonly BenchmarkReport[])[]): BenchmarkReport {
  const [firstRound = []] = rounds;
  const [first] = firstRound;
  if (!first) throw new Error("benchmark: nothing was measured");
  const ceilings = rounds.flat().flatMap((report) => report.ceilings);
  const precisions = [...new Set(ceilings.map(({ precision }) => precision))];
  return {
    ...first,
    rounds: rounds.length,
    ceilings: precisions.map((precision) => mergeRounds(ceilings.filter((ceiling) => ceiling.precision === precision))),
    networks: firstRound.flatMap((_, c) => mergeRounds(rounds.map((round) => round[c]?.networks ?? []))),
  };
}

/** Replaces each measured figure by its spread over rounds; everything else is equal in all rounds. */
function mergeRounds<T>(rounds: readonly T[]): T {
  const [first] = rounds;
  if (typeof first !== "object" || first === null) return first as T;
  if (isSpread(first)) return spread(rounds.map((round) => (round as Spread).median)) as T;
  const merged = Object.keys(first).map((key) => {
    const member = key as keyof T;
    return [key, mergeRounds(rounds.map((round) => round[member]))] as const;
  });
  return (Array.isArray(first) ? merged.map(([, value]) => value) : Object.fromEntries(merged)) as T;
}

function isSpread(value: object): value is Spread {
  return "median" in value;
}

const networkColumns: readonly Column[] = [
  { heading: "Network", align: "left", shrinks: true },
  { heading: "Precision", align: "left" },
];

/**
 * Machine, ceilings, and a table each of training, of where its time goes, and of inference; then one of layers for each network that has them.
 * Without training, only inference.
 */
export function formatBenchmark(report: BenchmarkReport): string {
  const { batchSize, networks } = report;
  if (report.processes !== undefined) return `${formatConditions(report)}\n\n${formatJoint(report)}`;
  const training = [
    `Ceiling of direct convolution and matrix products\n${formatCeilings(report.ceilings)}`,
    [`Training, batch ${batchSize}`, formatTraining(networks), ...networks.flatMap(formatReduced)].join("\n"),
    `Where a step's time goes\n${formatShares(networks)}`,
  ];
  return [
    formatConditions(report),
    ...(trained(networks).length > 0 ? training : []),
    `Inference\n${formatInference(networks)}`,
    ...networks.flatMap((figures) => formatLayers(figures) ?? []),
    ...networks.flatMap((figures) => formatPlanned(figures, batchSize) ?? []),
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
    ["figures", rounds === 1 ? "of one round" : `medians of ${rounds} rounds, with minimum and maximum`],
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

/** Networks whose training was measured. */
function trained(
  networks: readonly NetworkFigures[],
): readonly (NetworkFigures & { readonly training: TrainingFigures })[] {
  return networks.flatMap(({ training, ...network }) => (training ? [{ ...network, training }] : []));
}

function formatTraining(networks: readonly NetworkFigures[]): string {
  const columns: readonly Column[] = [
    ...networkColumns,
    ...withRange("Images/s"),
    { heading: "GFLOP/s", align: "right" },
    { heading: "Of ceiling", align: "right" },
    { heading: "Memory", align: "right" },
  ];
  const rows = trained(networks).map(({ network, precision, training }) => [
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
    { heading: "Of floor", align: "right" },
  ];
  const rows = trained(networks).map(({ network, precision, training }) => [
    network,
    precision,
    `${milliseconds(training.stepSeconds.median)} ms`,
    formatPercent(training.primitiveShare.median),
    formatPercent(training.reorderShare.median),
    formatPercent(training.outsideShare.median),
    formatPercent(training.shareOfFloor.median),
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

function formatLayers({ network, precision, layers, work, training }: NetworkFigures): string | undefined {
  if (!layers || layers.length === 0) return undefined;
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
  const rows = names.map((name) => {
    const figures = layers.filter(({ layer }) => layer === name);
    const { algorithm } = figures[0] ?? {};
    return [algorithm === undefined ? name : `${name}, ${algorithm}`, ...layerCells(figures)];
  });
  const footer = [["total", ...layerCells(layers, false)]];
  return [
    wrap(`${network}, ${precision}: milliseconds of a step by layer`),
    formatTable(columns, rows, { footer }),
    "Data, Weights: backward to the layer's input, and to its weights.\ndft: discrete Fourier transform.",
    ...(work && training ? ["", formatWork(work, training.stepSeconds.median)] : []),
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
