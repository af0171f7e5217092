/**
 * Benchmark of networks on this machine: speed of training and inference, and the library's best speed here. Each network at each
 * precision is measured in a process of its own, so that its peak of memory is its own, and once a round, so that a machine that slows down
 * does so for all alike.
 */
import type { Engine, Precision } from "../engine/engine.ts";
import { describeMachine } from "../engine/select/machine.ts";
import { nativePrecisions } from "../engine/select/precision.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import type { Network } from "../network/network.ts";
import { type BenchmarkReport, mergeReports, type NetworkFigures, spread } from "../report/tables/benchmarkFigures.ts";
import { type RecipeOverrides, resolveNetwork, resolveRecipe } from "../settings/settings.ts";
import { describeOptimizer } from "../training/optimizers/optimizer.ts";
import { measureNetwork } from "./benchmarkNetwork.ts";
import { measureCeiling } from "./ceiling.ts";

/** One network, by name or JSON file, at one precision. */
export interface BenchmarkCase {
  readonly network: string;
  readonly precision: Precision;
}

export interface BenchmarkSettings extends RecipeOverrides {
  readonly batchSize: number;
  readonly threads?: number;
  /** Keep to direct convolution. Default false. */
  readonly exact?: boolean;
  /** Report every layer. Default false. */
  readonly layers?: boolean;
  /** By which steps are made: a name or JSON file. Default `fashion`. */
  readonly recipe?: string;
}

/** Measures every case once, then every case again, as often as there are rounds. `onMeasure` is called before each. */
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
  for (const network of networks) await resolveNetwork(network);
  const { engine } = await selectEngine("onednn");
  engine.close();
  const wanted = new Set(precisions ?? nativePrecisions(engine));
  return [...new Set(networks)].flatMap((network) => [...wanted].map((precision) => ({ network, precision })));
}

/** One round of one case, in this process. Throws NativeError without oneDNN, ShapeError for a network without class scores. */
export async function measureOnce(
  { network: name, precision }: BenchmarkCase,
  settings: BenchmarkSettings,
): Promise<BenchmarkReport> {
  const network = await resolveNetwork(name);
  const { engine } = await selectEngine("onednn", settings.threads);
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
  { exact = false, layers = false, recipe: recipeName = "fashion", ...settings }: BenchmarkSettings,
): Promise<BenchmarkReport> {
  const { name, version, description, threads } = engine;
  const recipe = await resolveRecipe(recipeName, settings);
  const { batchSize } = settings;
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
