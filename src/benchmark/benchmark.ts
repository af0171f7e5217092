/**
 * What this machine makes of a network: speed of training and inference beside the best that the library does here. Each network at each
 * precision is measured in a process of its own, so that its peak of memory is its own, and once a round, so that a machine that slows down
 * does so for all alike.
 */
import type { Engine, Precision } from "../engine/engine.ts";
import { describeMachine } from "../engine/select/machine.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import type { Network } from "../network/network.ts";
import { type BenchmarkReport, mergeReports, type NetworkFigures, spread } from "../report/tables/benchmarkFigures.ts";
import { loadNetwork } from "../settings/load.ts";
import { describeOptimizer } from "../training/optimizers/optimizer.ts";
import type { Recipe } from "../training/recipe.ts";
import { measureNetwork } from "./benchmarkNetwork.ts";
import { measureCeiling } from "./ceiling.ts";

/** One network, by name or JSON file, at one precision. */
export interface BenchmarkCase {
  readonly network: string;
  readonly precision: Precision;
}

/** How each case is measured. */
export interface BenchmarkSettings {
  readonly batchSize: number;
  readonly threads?: number;
  /** Keep to direct convolution. Default false. */
  readonly exact?: boolean;
  /** Report every layer. Default false. */
  readonly layers?: boolean;
  /** Recipe of the training steps. */
  readonly recipe: Recipe;
}

/** Measures every case once, then every case again, as often as there are rounds. `onMeasure` is told before each what is done. */
export async function benchmark(
  cases: readonly BenchmarkCase[],
  rounds: number,
  measure: (benchmarkCase: BenchmarkCase) => Promise<BenchmarkReport>,
  onMeasure: (benchmarkCase: BenchmarkCase, done: number, total: number) => void,
): Promise<BenchmarkReport> {
  const reports: (readonly BenchmarkReport[])[] = [];
  for (let round = 0; round < rounds; round++) {
    const ofRound: BenchmarkReport[] = [];
    for (const [i, benchmarkCase] of cases.entries()) {
      onMeasure(benchmarkCase, round * cases.length + i, rounds * cases.length);
      ofRound.push(await measure(benchmarkCase));
    }
    reports.push(ofRound);
  }
  return mergeReports(reports);
}

/** The networks that are measured by default. */
export const benchmarkedNetworks = ["alexnet-fashion", "alexnet-owt", "alexnet"] as const;

/**
 * The cases of networks (default `benchmarkedNetworks`) and precisions (default f32, and bf16 where the processor multiplies it natively).
 *
 * Throws ConfigError for a network that is not there, NativeError without oneDNN.
 */
export async function benchmarkCases(
  networks: readonly string[] = benchmarkedNetworks,
  precisions?: readonly Precision[],
): Promise<readonly BenchmarkCase[]> {
  for (const network of networks) await loadNetwork(network);
  const { engine } = selectEngine("onednn");
  engine.close();
  const both: readonly Precision[] = precisions ?? (engine.nativeBf16 ? ["f32", "bf16"] : ["f32"]);
  return [...new Set(networks)].flatMap((network) => [...new Set(both)].map((precision) => ({ network, precision })));
}

/** One round of one case, in this process. Throws NativeError without oneDNN, ShapeError for a network without class scores. */
export async function measureOnce(
  { network: name, precision }: BenchmarkCase,
  settings: BenchmarkSettings,
): Promise<BenchmarkReport> {
  const network = await loadNetwork(name);
  const { engine } = selectEngine("onednn", settings.threads);
  try {
    return await measureOn(engine, network, precision, settings);
  } finally {
    engine.close();
  }
}

async function measureOn(
  engine: Engine,
  network: Network,
  precision: Precision,
  { batchSize, exact = false, layers = false, recipe }: BenchmarkSettings,
): Promise<BenchmarkReport> {
  const { name, version, description, threads } = engine;
  const compile = { precision, batchSize, exact };
  const { training, inference, layers: all } = await measureNetwork(engine, network, compile, recipe);
  const ceiling = await measureCeiling(engine, precision);
  const shareOfCeiling = spread([training.flopsPerSecond.median / ceiling.flopsPerSecond.median]);
  const figures: NetworkFigures = {
    network: network.name,
    precision,
    training: { ...training, shareOfCeiling },
    inference,
    ...(layers ? { layers: all } : {}),
  };
  return {
    machine: describeMachine(),
    engine: { name, version, description },
    threads,
    batchSize,
    optimizer: describeOptimizer(recipe),
    exact,
    rounds: 1,
    ceilings: [ceiling],
    networks: [figures],
  };
}
