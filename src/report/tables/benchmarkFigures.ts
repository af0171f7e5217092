/** What a benchmark says, as data. */
import type { Direction, Precision } from "../../engine/engine.ts";

/** A figure measured once a round: the median of the rounds, the least and the greatest. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What `bench --json` prints. */
export interface BenchmarkReport {
  readonly machine: { readonly alexnet: string; readonly node: string; readonly system: string; readonly cpu: string };
  readonly engine: { readonly name: string; readonly version: string; readonly description: string };
  readonly threads: number;
  readonly batchSize: number;
  /** What makes the steps, in a line. */
  readonly optimizer: string;
  /** Whether convolutions were kept to the direct algorithm. */
  readonly exact: boolean;
  readonly rounds: number;
  readonly ceilings: readonly Ceiling[];
  readonly networks: readonly NetworkFigures[];
}

/** The best that the library does on this machine in one number format. */
export interface Ceiling {
  readonly precision: Precision;
  /** Of the fastest operation. */
  readonly flopsPerSecond: Spread;
  /** Large direct convolutions and matrix products, in every direction. */
  readonly operations: readonly { readonly operation: string; readonly flopsPerSecond: Spread }[];
}

/** One network at one precision. */
export interface NetworkFigures {
  readonly network: string;
  readonly precision: Precision;
  readonly training: TrainingFigures;
  readonly inference: readonly { readonly batchSize: number; readonly imagesPerSecond: Spread }[];
  /** Of a training step; absent if not asked for. */
  readonly layers?: readonly LayerFigures[];
}

/** Whole steps: forward, loss, backward, update of every parameter, and the check that all are finite. */
export interface TrainingFigures {
  readonly imagesPerSecond: Spread;
  readonly stepSeconds: Spread;
  /** Arithmetic of the direct algorithms (`trainingFlops`) ÷ time of a step. */
  readonly flopsPerSecond: Spread;
  /** `flopsPerSecond` ÷ the ceiling of the same round: above 1 where Winograd's algorithm multiplies less than the direct one. */
  readonly shareOfCeiling: Spread;
  /** Shares of a step's time: in the library's primitives other than reorders, in reorders, in neither. */
  readonly primitiveShare: Spread;
  readonly reorderShare: Spread;
  readonly outsideShare: Spread;
  /** The most memory that a process with this program alone held. */
  readonly peakMemoryBytes: Spread;
}

/** What one layer costs in one direction of a step. */
export interface LayerFigures {
  readonly layer: string;
  readonly direction: Direction;
  /** The library's names of the implementations, with their share of the work: `convolution jit:avx512_core`. */
  readonly implementations: readonly string[];
  /** Without reorders. */
  readonly seconds: Spread;
  readonly reorderSeconds: Spread;
  /** Of its convolution or matrix product alone, counted as the direct algorithm's arithmetic; absent for others. */
  readonly flopsPerSecond?: Spread;
}

/** Median of an even number: the mean of the two in the middle. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low = Number.NaN, high = low] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return { median: (low + high) / 2, min: sorted[0] ?? low, max: sorted.at(-1) ?? low };
}

/** One report of everything, from one of each case in each round: `rounds[r][c]` holds case c alone. */
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

/** Every figure of the same thing in several rounds, each the median of its round, to their spread; all else is the same in all. */
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
