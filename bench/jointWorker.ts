/** A process that measures training steps, or sums, on its own or in a job of several; process 0 prints a line of JSON. Started by the benches beside it. */
import { measureJoint } from "../src/benchmark/benchmarkJoint.ts";
import { joinJob } from "../src/communication/join.ts";
import type { Precision } from "../src/engine/engine.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import type { Scheme } from "../src/network/schemes.ts";
import { findRecipe } from "../src/training/recipe.ts";

/** Steps of a network. */
export interface StepsToMeasure {
  readonly network: string;
  readonly precision: Precision;
  readonly batchSize: number;
  readonly threads: number;
  readonly scheme: Scheme;
}

/** Sums of one array over all processes. */
export interface SumsToMeasure {
  readonly values: number;
  readonly repetitions: number;
}

/** Steps as process 0 sees them. */
export interface MeasuredSteps {
  readonly imagesPerSecond: number;
  readonly stepSeconds: number;
  readonly waitingFraction: number;
  readonly exchangedBytes: number;
  readonly peakMemoryBytes: number;
}

/** Median time of a sum. */
export interface MeasuredSums {
  readonly seconds: number;
}

const [task = ""] = process.argv.slice(2);
const measure: StepsToMeasure | SumsToMeasure = JSON.parse(task);
const communicator = await joinJob(process.env);
const result = "network" in measure ? await steps(measure) : sums(measure);
if (communicator.rank === 0) process.stdout.write(`${JSON.stringify(result)}\n`);
await communicator.close();

async function steps({ network, precision, batchSize, threads, scheme }: StepsToMeasure): Promise<MeasuredSteps> {
  const engine = createOneDnnEngine({ threads });
  const compile = { batchSize, precision, exact: false };
  const job = { communicator, scheme };
  const figures = await measureJoint(engine, findNetwork(network), compile, findRecipe("fashion"), job);
  engine.close();
  const { imagesPerSecond, stepSeconds, waitingFraction, exchangedBytes, peakMemoryBytes } = figures;
  return {
    imagesPerSecond: imagesPerSecond.median,
    stepSeconds: stepSeconds.median,
    waitingFraction: waitingFraction.median,
    exchangedBytes,
    peakMemoryBytes: peakMemoryBytes.median,
  };
}

/** The first sum, which touches the memory, is not counted. */
function sums({ values: length, repetitions }: SumsToMeasure): MeasuredSums {
  const values = new Float32Array(length);
  const seconds: number[] = [];
  for (let i = 0; i <= repetitions; i++) {
    const start = performance.now();
    communicator.sum(values);
    communicator.wait();
    if (i > 0) seconds.push((performance.now() - start) / 1000);
  }
  return { seconds: seconds.toSorted((a, b) => a - b)[seconds.length >> 1] ?? Number.NaN };
}
