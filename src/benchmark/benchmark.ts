/**
 * Benchmark of networks on this machine: training and inference speed, and the library's ceiling. Each network and precision is measured in a
 * process of its own, which gives its own peak memory. Rounds alternate between them, so that a slowdown of the machine affects all alike.
 */
import type { Engine, InferencePrecision, Precision } from "../engine/engine.ts";
import type { EngineName } from "../engine/select/engineNames.ts";
import { describeMachine } from "../engine/select/machine.ts";
import { nativePrecisions } from "../engine/select/precision.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { UsageError } from "../errors.ts";
import { conv2d, flatten, linear, relu } from "../layers/kinds.ts";
import type { AnyLayer } from "../layers/layer.ts";
import { type Network, operations } from "../network/network.ts";
import { fillUniform, randomStream } from "../random.ts";
import {
  type BenchmarkReport,
  type Ceiling,
  type LayerFigures,
  mergeReports,
  type NetworkFigures,
} from "../report/tables/benchmarkReport.ts";
import { spread } from "../report/tables/spread.ts";
import { loadNetwork } from "../settings/load.ts";
import { sizeOf } from "../shape.ts";
import { type Job, oneProcess } from "../trainer/processes.ts";
import { describeOptimizer } from "../training/optimizers/optimizer.ts";
import type { Recipe } from "../training/recipe.ts";
import { measureInt8 } from "./benchmarkInt8.ts";
import { measureJoint } from "./benchmarkJoint.ts";
import { initialize, measureNetwork } from "./benchmarkNetwork.ts";
import { layerFigures } from "./profile.ts";

/** A network, by name or JSON file, with a precision. */
export interface BenchmarkCase {
  readonly network: string;
  readonly precision: InferencePrecision;
}

/** Options of a measurement. */
export interface BenchmarkSettings {
  readonly batchSize: number;
  readonly threads?: number;
  /** Default: `auto`. */
  readonly engine?: EngineName;
  /** Use direct convolution only. Default: false. */
  readonly exact?: boolean;
  /** Report every layer. Default: false. */
  readonly layers?: boolean;
  /** Recipe of the training steps. */
  readonly recipe: Recipe;
  /** Processes that train together. Default: one. */
  readonly job?: Job;
}

/** Measures every case once per round. `onMeasure` is called before each measurement. */
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

/** Networks measured by default. */
export const benchmarkedNetworks = ["alexnet-fashion", "alexnet-owt", "alexnet"] as const;

/**
 * Cases of networks (default: `benchmarkedNetworks`) and precisions (default: f32, and bf16 if the processor supports it natively).
 *
 * Throws ConfigError for an unknown network, and NativeError without the engine.
 */
export async function benchmarkCases(
  networks: readonly string[] = benchmarkedNetworks,
  precisions?: readonly InferencePrecision[],
  engineName: EngineName = "auto",
): Promise<readonly BenchmarkCase[]> {
  for (const network of networks) await loadNetwork(network);
  const { engine } = await selectEngine(engineName);
  engine.close();
  const wanted = new Set<InferencePrecision>(precisions ?? nativePrecisions(engine));
  return [...new Set(networks)].flatMap((network) => [...wanted].map((precision) => ({ network, precision })));
}

/** Measures one round of one case, in this process. Throws NativeError without the engine, and ShapeError for a network without class scores. */
export async function measureOnce(
  { network: name, precision }: BenchmarkCase,
  settings: BenchmarkSettings,
): Promise<BenchmarkReport> {
  const network = await loadNetwork(name);
  const { engine } = await selectEngine(settings.engine ?? "auto", settings.threads);
  try {
    return await measureOn(engine, network, precision, settings);
  } finally {
    engine.close();
  }
}

async function measureOn(
  engine: Engine,
  network: Network,
  precision: InferencePrecision,
  { batchSize, exact = false, layers = false, recipe, job = oneProcess }: BenchmarkSettings,
): Promise<BenchmarkReport> {
  const { name, version, description, threads } = engine;
  const report = {
    machine: describeMachine(),
    engine: { name, version, description },
    threads,
    batchSize,
    optimizer: describeOptimizer(recipe),
    exact,
    rounds: 1,
  };
  const { communicator, scheme } = job;
  if (communicator.size > 1) {
    if (precision === "int8")
      throw new UsageError("--precision int8: inference only; use f32 or bf16 with --processes");
    const joint = await measureJoint(engine, network, { precision, batchSize, exact }, recipe, job);
    const networks = [{ network: network.name, precision, inference: [], joint }];
    return { ...report, ceilings: [], networks, processes: communicator.size, parallel: scheme };
  }
  if (precision === "int8") {
    const inference = await measureInt8(engine, network, { batchSize, exact });
    return { ...report, ceilings: [], networks: [{ network: network.name, precision, inference }] };
  }
  const compile = { precision, batchSize, exact };
  const { training, inference, stepFlops, ...profile } = await measureNetwork(engine, network, compile, recipe);
  const ceiling = await measureCeiling(engine, precision);
  const shareOfCeiling = spread([training.flopsPerSecond.median / ceiling.flopsPerSecond.median]);
  const floorSeconds = stepFlops / ceiling.flopsPerSecond.median;
  const shareOfFloor = spread([floorSeconds / training.stepSeconds.median]);
  const figures: NetworkFigures = {
    network: network.name,
    precision,
    training: { ...training, shareOfCeiling, shareOfFloor },
    inference,
    ...(layers ? profile : {}),
  };
  return { ...report, ceilings: [ceiling], networks: [figures] };
}

/** A network of a single layer, large enough that only its arithmetic counts. */
interface LargeOperation {
  readonly network: Network;
  readonly batchSize: number;
}

const LAYER = "large";
const RUNS = 2;
const directionNames = {
  forward: "forward",
  backwardData: "backward data",
  backwardWeights: "backward weights",
} as const;

function network(name: string, input: Network["input"], layers: readonly AnyLayer[]): Network {
  return { name, source: "", deviations: [], input, layers: [...layers, relu("relu")] };
}

function convolution(channels: number, outChannels: number, kernelSize: number, size: number): Network {
  return network(
    `conv2d ${channels}→${outChannels}, ${kernelSize}×${kernelSize}, on ${size}×${size}`,
    [channels, size, size],
    [conv2d(LAYER, { outChannels, kernelSize, padding: (kernelSize - 1) / 2 })],
  );
}

function matrixProduct(features: number, outFeatures: number): Network {
  return network(
    `linear ${features}→${outFeatures}`,
    [features, 1, 1],
    [flatten("flatten"), linear(LAYER, { outFeatures })],
  );
}

/** About 15 GFLOP each per direction: tens of milliseconds on a core or two. The fastest of those tried. */
const largeOperations: readonly LargeOperation[] = [
  { network: convolution(96, 256, 5, 27), batchSize: 16 },
  { network: convolution(128, 128, 3, 56), batchSize: 16 },
  { network: matrixProduct(2048, 2048), batchSize: 2048 },
];

/** Rates of these operations: forward, backward to the input, and backward to the weights. The ceiling is the highest. */
async function measureCeiling(engine: Engine, precision: Precision): Promise<Ceiling> {
  const operations: Ceiling["operations"][number][] = [];
  for (const operation of largeOperations) operations.push(...(await measureOperation(engine, precision, operation)));
  const highest = Math.max(...operations.map(({ flopsPerSecond }) => flopsPerSecond.median));
  return { precision, flopsPerSecond: spread([highest]), operations };
}

async function measureOperation(
  engine: Engine,
  precision: Precision,
  { network, batchSize }: LargeOperation,
): Promise<Ceiling["operations"]> {
  const program = await engine.compileTraining({
    ops: operations(network),
    inputShape: network.input,
    batchSize,
    precision,
    exact: true,
    inputGradient: true,
  });
  try {
    await initialize(program, network);
    const images = random("images", batchSize * sizeOf(network.input));
    const gradient = random("gradient", batchSize * sizeOf(program.outputShape));
    const runs: (readonly LayerFigures[])[] = [];
    for (let run = 0; run <= RUNS; run++) {
      await program.forwardTraining(images, batchSize, { seed: 0, first: 0 });
      await program.backward(gradient);
      const figures = layerFigures(network, batchSize, program.takeProfile());
      // The first run touches the memory.
      if (run > 0) runs.push(figures);
    }
    return bestOf(network.name, runs.flat());
  } finally {
    program.close();
  }
}

function bestOf(name: string, figures: readonly LayerFigures[]): Ceiling["operations"] {
  return Object.entries(directionNames).flatMap(([direction, text]) => {
    const rates = figures.flatMap((of) => (of.direction === direction ? (of.flopsPerSecond?.median ?? []) : []));
    return rates.length === 0 ? [] : [{ operation: `${name}, ${text}`, flopsPerSecond: spread([Math.max(...rates)]) }];
  });
}

function random(purpose: string, length: number): Float32Array {
  const values = new Float32Array(length);
  fillUniform(randomStream(0, purpose), 0, values, -1, 1);
  return values;
}
