/** Comparison of a run with an exported file on the same images. */
import { isDeepStrictEqual } from "node:util";
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel, readWeights } from "../checkpoint/model.ts";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import type { Engine, Program } from "../engine/engine.ts";
import type { EngineName } from "../engine/select/engineNames.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { ConfigError } from "../errors.ts";
import type { ModelFile } from "../formats/format.ts";
import { findFormat } from "../formats/formats.ts";
import { checkedWeights } from "../formats/tensorNaming.ts";
import { weightSink } from "../model/tensorStores.ts";
import type { HeadName } from "../network/head.ts";
import { classesOf, deterministic, type Network, operations } from "../network/network.ts";
import { fillGaussian, randomStream } from "../random.ts";
import { equalShapes, sizeOf } from "../shape.ts";
import { checkOutputs } from "../training/evaluation/classHead.ts";
import { bestOf } from "../training/evaluation/metrics.ts";

/** Options of a comparison. */
export interface VerifyOptions {
  /** Default: by the file's extension. */
  readonly format?: string;
  /** Number of random images, normally distributed like scaled pixels. Default 16. */
  readonly images?: number;
  readonly seed?: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  /** Called with facts and warnings for people. */
  readonly onMessage?: (message: string) => void;
}

/** Facts of predictions besides the outputs of the network. */
export type OtherFact = "class names" | "temperature" | "thresholds" | "preprocessing";

/** Outputs of both networks before the head, on the same images. */
export interface Verification {
  /** Path of the run's weights file. */
  readonly run: string;
  readonly file: string;
  readonly format: string;
  readonly images: number;
  readonly largestDifference: number;
  /** Largest magnitude of the run's outputs. */
  readonly largestOutput: number;
  /** `largestDifference` ÷ `largestOutput`. */
  readonly relativeDifference: number;
  /**
   * Number of images with the same prediction: the same most probable class, or with the head `sigmoid` the same set of classes at 50 % or
   * above.
   */
  readonly sameClass: number;
  /** Facts that the file states otherwise than the run: its predictions of the same image differ, even with the same outputs. */
  readonly otherFacts: readonly OtherFact[];
}

const BATCH = 8;

/**
 * Computes the outputs of a run (its best weights, or a weights file) and of another file on the same images: f32, direct convolution, no
 * dropout.
 *
 * Throws CheckpointError for tensors that do not fit or are not finite. Throws ConfigError if the file's network has other inputs, classes
 * or another head, and DataError with the file's name if an output is not finite.
 */
export async function verifyModel(path: string, file: string, options: VerifyOptions = {}): Promise<Verification> {
  const format = findFormat("read", file, options.format);
  const run = await resolveModelFile(path);
  const model = await loadModel(run);
  const { network, head = "softmax" } = model;
  const { engine, warning } = await selectEngine(options.engine ?? "auto", options.threads);
  if (warning) options.onMessage?.(warning);
  const programs: Program[] = [];
  try {
    const own = await compile(engine, network, programs);
    await readWeights(run, weightSink(own, network));
    const other = await format.read(file);
    try {
      const theirs = other.network ?? network;
      if (!equalShapes(theirs.input, network.input) || classesOf(theirs) !== classesOf(network)) {
        throw new ConfigError(`${file}: expected ${describe(network)}, as ${run} has, got ${describe(theirs)}`);
      }
      if (other.head !== undefined && other.head !== head) {
        throw new ConfigError(`${file}: expected the head ${head} of ${run}, got ${other.head}`);
      }
      const program = await compile(engine, theirs, programs);
      await fill(program, theirs, checkedWeights(file, other.weights, theirs));
      return {
        run,
        file,
        format: format.name,
        otherFacts: otherFactsOf(model, other),
        ...(await compare({ own, other: program, network, head, names: [run, file] }, options)),
      };
    } finally {
      await other.close();
    }
  } finally {
    for (const program of programs) program.close();
    engine.close();
  }
}

function describe(network: Network): string {
  return `input [${network.input.join(", ")}] and ${classesOf(network)} classes`;
}

async function compile(engine: Engine, network: Network, programs: Program[]): Promise<Program> {
  const ops = operations(deterministic(network));
  const request = { ops, inputShape: network.input, batchSize: BATCH, precision: "f32", exact: true } as const;
  const program = await engine.compile(request);
  programs.push(program);
  return program;
}

async function fill(program: Program, network: Network, weights: TensorSource): Promise<void> {
  const sink = weightSink(program, network);
  for (const { name, shape } of weights.tensors) {
    await sink.write(name, await weights.read(name, program.scratch(sizeOf(shape))));
  }
}

/** Facts that a file states, and the run has otherwise. A file with preprocessing states all that it has. */
function otherFactsOf(model: Model, file: ModelFile): readonly OtherFact[] {
  const isWhole = file.preprocessing !== undefined;
  const differ = (stated: unknown, own: unknown, usual?: unknown) =>
    (stated !== undefined || isWhole) && !isDeepStrictEqual(stated ?? usual, own ?? usual);
  const facts: readonly (readonly [OtherFact, boolean])[] = [
    ["class names", file.classNames !== undefined && differ(file.classNames, model.classNames)],
    ["temperature", differ(file.temperature, model.temperature, 1)],
    ["thresholds", differ(file.thresholds, model.thresholds)],
    ["preprocessing", isWhole && differ(file.preprocessing, model.preprocessing)],
  ];
  return facts.flatMap(([name, isOther]) => (isOther ? [name] : []));
}

type Comparison = Omit<Verification, "run" | "file" | "format" | "otherFacts">;

/** Two programs of the same network, and the paths of their weights. */
interface Compared {
  readonly own: Program;
  readonly other: Program;
  readonly network: Network;
  readonly head: HeadName;
  readonly names: readonly [own: string, other: string];
}

async function compare({ own, other, network, head, names }: Compared, options: VerifyOptions): Promise<Comparison> {
  const { images = 16, seed = 0 } = options;
  const classes = classesOf(network);
  const pixels = sizeOf(network.input);
  const input = new Float32Array(BATCH * pixels);
  let [largestDifference, largestOutput, largestTheirs, sameClass] = [0, 0, 0, 0];
  for (let first = 0; first < images; first += BATCH) {
    const count = Math.min(BATCH, images - first);
    fillGaussian(randomStream(seed, "verify"), first, input, 1);
    const draws = { seed, first };
    const expected = Float32Array.from(await own.forward(input, count, draws));
    const actual = await other.forward(input, count, draws);
    for (const [outputs, name] of [[expected, names[0]] as const, [actual, names[1]] as const]) {
      checkOutputs(outputs, count, (row) => `${name}: image ${first + row}`);
    }
    for (let i = 0; i < count * classes; i++) {
      const [a, b] = [expected[i] as number, actual[i] as number];
      largestDifference = Math.max(largestDifference, Math.abs(a - b));
      largestOutput = Math.max(largestOutput, Math.abs(a));
      largestTheirs = Math.max(largestTheirs, Math.abs(b));
    }
    for (let row = 0; row < count; row++) {
      const answer = (outputs: Float32Array) => answerOf(outputs.subarray(row * classes, (row + 1) * classes), head);
      if (answer(expected) === answer(actual)) sameClass++;
    }
  }
  // If all of the run's outputs are 0, relative to the file's largest.
  const relativeDifference = largestDifference === 0 ? 0 : largestDifference / (largestOutput || largestTheirs);
  return { images, largestDifference, largestOutput, relativeDifference, sameClass };
}

/** Prediction of one image: the class with the largest output, or with the head `sigmoid` all classes at 50 % or above. */
function answerOf(outputs: Float32Array, head: HeadName): string {
  return head === "sigmoid" ? outputs.map((output) => Number(output >= 0)).join("") : String(bestOf(outputs));
}
