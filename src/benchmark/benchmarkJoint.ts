/** Times training steps of one network in several processes, on images and labels in memory. */
import type { Engine } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import { type Network, operations } from "../network/network.ts";
import { partition } from "../network/partition.ts";
import { fillUniform, randomStream } from "../random.ts";
import type { JointFigures } from "../report/tables/jointFigures.ts";
import { spread } from "../report/tables/spread.ts";
import { sizeOf } from "../shape.ts";
import type { Job } from "../trainer/processes.ts";
import type { Recipe } from "../training/recipe.ts";
import { type BenchmarkedCompile, initialize, SEED, trainingStep } from "./benchmarkNetwork.ts";

/** Number of steps after the first one. */
const STEPS = 5;

/**
 * Measures one round: each spread contains the mean of the round's steps. All processes call it together. Throws ConfigError for an engine that cannot
 * train, UsageError for a network that the scheme cannot divide.
 */
export async function measureJoint(
  engine: Engine,
  network: Network,
  compile: BenchmarkedCompile,
  recipe: Recipe,
  { communicator, scheme }: Job,
): Promise<JointFigures> {
  if (!engine.trains) throw new ConfigError(`engine ${engine.name}: cannot train; choose another --engine`);
  const parts = partition(operations(network), scheme, communicator);
  const program = await engine.compileTraining({ ...parts, inputShape: network.input, ...compile, communicator });
  try {
    await initialize(program, network, communicator.rank);
    const { first = 0, count = compile.batchSize } = program.rows ?? {};
    const images = new Float32Array(count * sizeOf(network.input));
    fillUniform(randomStream(SEED, "images"), first, images);
    const step = trainingStep(program, images, recipe);
    await step();
    const [before, start] = [communicator.traffic(), performance.now()];
    const steps = STEPS * recipe.accumulate;
    for (let i = 0; i < steps; i++) await step();
    const seconds = (performance.now() - start) / 1000;
    const { bytes, waitedSeconds } = communicator.traffic();
    return {
      imagesPerSecond: spread([(compile.batchSize * steps) / seconds]),
      stepSeconds: spread([seconds / steps]),
      waitingFraction: spread([(waitedSeconds - before.waitedSeconds) / seconds]),
      exchangedBytes: Math.round((bytes - before.bytes) / steps),
      peakMemoryBytes: spread([process.resourceUsage().maxRSS * 1024]),
    };
  } finally {
    program.close();
  }
}
