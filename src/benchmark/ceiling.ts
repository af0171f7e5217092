/** The best that an engine's library does on this machine: large operations alone, by the direct algorithm. */
import type { Engine, Precision } from "../engine/engine.ts";
import { conv2d, flatten, linear, relu } from "../layers/kinds.ts";
import type { AnyLayer } from "../layers/layer.ts";
import { type Network, operations } from "../network/network.ts";
import { fillUniform, randomStream } from "../random.ts";
import { type Ceiling, type LayerFigures, spread } from "../report/tables/benchmarkReport.ts";
import { sizeOf } from "../shape.ts";
import { initialize } from "./benchmarkNetwork.ts";
import { layerFigures } from "./profile.ts";

/** A layer large enough that nothing but its arithmetic counts, as a network of its own. */
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

/** About 15 GFLOP each in each direction: tens of milliseconds on a core or two. Of those tried, the fastest. */
const largeOperations: readonly LargeOperation[] = [
  { network: convolution(96, 256, 5, 27), batchSize: 16 },
  { network: convolution(128, 128, 3, 56), batchSize: 16 },
  { network: matrixProduct(2048, 2048), batchSize: 2048 },
];

/** Rates of these operations forward, backward to their input and backward to their weights; the ceiling is the highest. */
export async function measureCeiling(engine: Engine, precision: Precision): Promise<Ceiling> {
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
