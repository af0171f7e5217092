/** Times training and inference of one network, on images and labels in memory. */
import type {
  CompileRequest,
  Engine,
  InferencePrecision,
  InferenceRequest,
  KernelProfile,
  Program,
  TrainingProgram,
} from "../engine/engine.ts";
import { initialValues } from "../network/initialize.ts";
import { type Network, operations } from "../network/network.ts";
import { fillUniform, randomStream } from "../random.ts";
import type { NetworkFigures, TrainingFigures } from "../report/tables/benchmarkReport.ts";
import { spread } from "../report/tables/spread.ts";
import { sizeOf } from "../shape.ts";
import { oneHotTargets } from "../training/objective/targets.ts";
import { createOptimizer } from "../training/optimizers/optimizer.ts";
import { findRecipe, type Recipe } from "../training/recipe.ts";
import { directFlops, flopsOf, layerFigures, secondsOf, workFigures } from "./profile.ts";

/** Compile options of a network. */
export type BenchmarkedCompile<P = CompileRequest["precision"]> = Required<
  Pick<CompileRequest, "batchSize" | "exact">
> & { readonly precision: P };

/** One round of one network: each spread contains a single value, the mean of the round's steps. */
export interface MeasuredNetwork {
  readonly training: Omit<TrainingFigures, "shareOfCeiling" | "shareOfFloor">;
  /** Floating-point operations of a step by the algorithms that ran. */
  readonly stepFlops: number;
  readonly inference: NetworkFigures["inference"];
  readonly layers: Required<NetworkFigures>["layers"];
  readonly work: Required<NetworkFigures>["work"];
  /** Batch and steps that were measured on a device that is too slow for those requested. */
  readonly reduced?: NetworkFigures["reduced"];
}

export const SEED = 0;
const TRAINING_STEPS = 3;
const INFERENCE_PASSES = 3;
/** Minimum number of measured steps of small batches. */
const INFERENCE_IMAGES = 32;
/** Seconds of a step, and of all inference passes, above which a device measures fewer images. */
const LONGEST_SECONDS = 4;

/** Measures a network. Its peak memory is correct only if the process computes nothing before. */
export async function measureNetwork(
  engine: Engine,
  network: Network,
  compile: BenchmarkedCompile,
  recipe: Recipe,
): Promise<MeasuredNetwork> {
  const images = new Float32Array(compile.batchSize * sizeOf(network.input));
  fillUniform(randomStream(SEED, "images"), 0, images);
  const reduced = engine.threads === 0 ? await reduce(engine, network, images, compile, recipe) : undefined;
  const { batchSize = compile.batchSize, steps = TRAINING_STEPS } = reduced ?? {};
  const feasible = { ...compile, batchSize };
  const { parameters, ...measured } = await measureTraining(engine, network, images, { ...feasible, steps }, recipe);
  const inference = await measureInference(engine, network, images, feasible, parameters);
  return { ...measured, inference, ...(reduced ? { reduced } : {}) };
}

/**
 * Batch and number of steps for a device on which a step of the requested batch would take more than `LONGEST_SECONDS`, by the time of a step of one image;
 * undefined if it would not.
 */
async function reduce(
  engine: Engine,
  network: Network,
  images: Float32Array,
  compile: BenchmarkedCompile,
  recipe: Recipe,
): Promise<NetworkFigures["reduced"]> {
  const request = { ops: operations(network), inputShape: network.input, ...compile, batchSize: 1 };
  const program = await engine.compileTraining(request);
  try {
    const step = trainingStep(program, images, recipe);
    const secondsOf = async () => {
      const began = performance.now();
      await step();
      return (performance.now() - began) / 1000;
    };
    let seconds = await secondsOf();
    // The first step compiles kernels; a second one of a very slow device would only take longer.
    if (seconds < LONGEST_SECONDS) seconds = await secondsOf();
    const feasible = Math.max(1, Math.floor(LONGEST_SECONDS / seconds));
    if (feasible >= compile.batchSize) return undefined;
    return { batchSize: 2 ** Math.floor(Math.log2(feasible)), steps: 1 };
  } finally {
    program.close();
  }
}

/** Inference in any format, on weights by their names. */
export async function measureInference(
  engine: Engine,
  network: Network,
  images: Float32Array,
  compile: BenchmarkedCompile<InferencePrecision> & Pick<InferenceRequest, "quantization">,
  parameters: ReadonlyMap<string, Float32Array>,
): Promise<NetworkFigures["inference"]> {
  const inference: NetworkFigures["inference"][number][] = [];
  for (const batchSize of new Set([1, compile.batchSize])) {
    const request = { ops: operations(network), inputShape: network.input, ...compile, batchSize };
    const program = await engine.compile(request);
    try {
      for (const { name, value } of program.parameters) {
        const values = parameters.get(name);
        if (values) await program.write(value, values);
      }
      const longest = engine.threads === 0 ? LONGEST_SECONDS : Number.POSITIVE_INFINITY;
      inference.push({ batchSize, imagesPerSecond: spread([await inferenceRate(program, images, longest)]) });
    } finally {
      program.close();
    }
  }
  return inference;
}

async function measureTraining(
  engine: Engine,
  network: Network,
  images: Float32Array,
  { steps: optimizerSteps, ...compile }: BenchmarkedCompile & { readonly steps: number },
  recipe: Recipe,
): Promise<
  Pick<MeasuredNetwork, "training" | "layers" | "work" | "stepFlops"> & {
    parameters: ReadonlyMap<string, Float32Array>;
  }
> {
  const program = await engine.compileTraining({ ops: operations(network), inputShape: network.input, ...compile });
  try {
    await initialize(program, network);
    const step = trainingStep(program, images, recipe);
    await step();
    program.takeProfile();
    const start = performance.now();
    const steps = optimizerSteps * recipe.accumulate;
    for (let i = 0; i < steps; i++) await step();
    const stepSeconds = (performance.now() - start) / 1000 / steps;
    const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
    const perStep = (work: KernelProfile) => ({
      ...work,
      seconds: work.seconds / steps,
      ...(work.flops === undefined ? {} : { flops: work.flops / steps }),
    });
    const account = program.takeProfile().map(perStep);
    const stepFlops = flopsOf(network, compile.batchSize, account);
    const { primitives, reorders } = secondsOf(account);
    const training = {
      imagesPerSecond: compile.batchSize / stepSeconds,
      stepSeconds,
      flopsPerSecond: directFlops(network, compile.batchSize) / stepSeconds,
      primitiveShare: primitives / stepSeconds,
      reorderShare: reorders / stepSeconds,
      outsideShare: 1 - (primitives + reorders) / stepSeconds,
      peakMemoryBytes,
    };
    const parameters = new Map<string, Float32Array>();
    for (const { name, value } of program.parameters) parameters.set(name, await program.read(value));
    const layers = layerFigures(network, compile.batchSize, account, program.algorithms);
    return { training: spreads(training), layers, work: workFigures(account), stepFlops, parameters };
  } finally {
    program.close();
  }
}

/** Writes initial weights, or the parts of process `rank`. */
export async function initialize(program: Program, network: Network, rank = 0): Promise<void> {
  const tensors = new Map(program.parameters.map(({ name, value }) => [name, value]));
  const { initializer } = findRecipe("fashion");
  for (const { name, values } of initialValues(network, initializer, SEED, {
    allocate: (length) => program.scratch(length),
  })) {
    const tensor = tensors.get(name);
    if (!tensor) continue;
    const length = sizeOf(tensor.shape);
    const start = length === values.length ? 0 : rank * length;
    await program.write(tensor, values.subarray(start, start + length));
  }
}

/** A step of the training loop, always on the same batch. */
export function trainingStep(program: TrainingProgram, images: Float32Array, recipe: Recipe): () => Promise<void> {
  const { batchSize } = program;
  const { accumulate, learningRate } = recipe;
  const optimizer = createOptimizer(program, recipe);
  optimizer.start();
  const classes = sizeOf(program.outputShape);
  const labels = Array.from({ length: batchSize }, (_, i) => i % classes);
  const targets = oneHotTargets(labels, classes);
  let [first, step] = [0, 0];
  return async () => {
    await program.forwardBackward(images, targets, batchSize, { seed: SEED, first });
    first += batchSize;
    const batches = ++step % accumulate;
    optimizer.addBatch(batchSize, batches === 1 % accumulate);
    if (batches === 0) await optimizer.step({ learningRate, step: step / accumulate, images: accumulate * batchSize });
    await program.firstNonFinite("values");
    await new Promise(setImmediate);
  };
}

/** Images per second. Passes beyond the first end after `longest` seconds. */
async function inferenceRate(program: Program, images: Float32Array, longest: number): Promise<number> {
  const { batchSize } = program;
  const pass = () => program.forward(images, batchSize, { seed: SEED, first: 0 });
  const began = performance.now();
  await pass();
  const possible = Math.max(1, Math.floor((1000 * longest) / (performance.now() - began)));
  const passes = Math.min(possible, Math.max(INFERENCE_PASSES, Math.ceil(INFERENCE_IMAGES / batchSize)));
  const start = performance.now();
  for (let i = 0; i < passes; i++) await pass();
  return (1000 * passes * batchSize) / (performance.now() - start);
}

function spreads<K extends string>(figures: Readonly<Record<K, number>>): Record<K, ReturnType<typeof spread>> {
  const entries = Object.entries<number>(figures).map(([key, value]) => [key, spread([value])]);
  return Object.fromEntries(entries) as Record<K, ReturnType<typeof spread>>;
}
