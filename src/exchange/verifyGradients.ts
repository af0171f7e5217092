/**
 * Check of a network's gradients: those that an engine computes, against finite differences of the loss in f64.
 *
 * Sources: BVLC Caffe, GradientChecker; Krizhevsky's cuda-convnet, option `--test-only` with `gradCheck`.
 */
import type { DropoutDraws, Engine, TrainableParameter, TrainingProgram } from "../engine/engine.ts";
import type { EngineName } from "../engine/select/engineNames.ts";
import { createExactLoss, type ExactLoss, type LossInput } from "../engine/select/exactLoss.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { learned } from "../learned.ts";
import { requireMemory } from "../memoryCheck.ts";
import { findNetworkOrRun } from "../model/networkOrRun.ts";
import { initialValues } from "../network/initialize.ts";
import { classesOf, type Network, operations } from "../network/network.ts";
import { fillGaussian, fillUniform, fillWords, randomStream } from "../random.ts";
import { sizeOf } from "../shape.ts";

/** Options of a check of gradients. */
export interface GradientOptions {
  /** Number of elements to compare in each parameter, all if it has fewer. Default 10. */
  readonly checks?: number;
  /** Height and width of the input, and number of classes; default: the network's. */
  readonly inputSize?: number;
  readonly classes?: number;
  readonly seed?: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  /** Called with facts and warnings for people. */
  readonly onMessage?: (message: string) => void;
  /** Called with the number of elements compared so far, out of `total`. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Comparison of one parameter, with the element that differs most. */
export interface ParameterCheck {
  /** Name, such as `conv1.weight`. */
  readonly parameter: string;
  readonly elements: number;
  readonly checked: number;
  /** Position of the element that differs most, in the order of the parameter's shape. */
  readonly position: readonly number[];
  /** Its derivative, by the engine and by finite differences. */
  readonly computed: number;
  readonly expected: number;
  /** Difference of both, relative to the largest expected derivative among those compared. */
  readonly relativeDifference: number;
}

/** Comparison of all parameters, in the order of the network. */
export interface GradientCheck {
  readonly network: string;
  readonly engine: string;
  readonly parameters: readonly ParameterCheck[];
  /** Largest relative difference of all parameters. */
  readonly relativeDifference: number;
}

/** Two images: a gradient that is wrong about the batch shows. */
const IMAGES = 2;
/** Step of the finite differences: rounding of the loss in f64 adds 1e-10 to a slope, its curvature less. */
const STEP = 1e-6;
const CHECKS = 10;

/**
 * Compares the gradients of a network with finite differences, (L(w + ε) − L(w − ε)) / 2ε, of the cross-entropy of two random images, with random
 * weights and with dropout. The engine computes in f32, as in training; the differences are in f64. Compares random elements of each parameter, and
 * the one with the largest gradient.
 *
 * Throws ConfigError for an unknown network, ShapeError or NativeError if the engine cannot run it.
 */
export async function verifyGradients(name: string, options: GradientOptions = {}): Promise<GradientCheck> {
  const { onMessage, inputSize, classes } = options;
  const network = await findNetworkOrRun(name, { ...(inputSize && { inputSize }), ...(classes && { classes }) });
  // The f64 copy of the parameters is twice as large as the engine's.
  requireMemory(requestOf(network), "training");
  const { engine, warning } = await selectEngine(options.engine ?? "auto", options.threads);
  if (warning) onMessage?.(warning);
  try {
    return await compareGradients(engine, network, options);
  } finally {
    engine.close();
  }
}

function requestOf(network: Network) {
  return { ops: operations(network), inputShape: network.input, batchSize: IMAGES, precision: "f32" } as const;
}

/** The comparison of `verifyGradients` on an engine, which stays open. */
export async function compareGradients(
  engine: Engine,
  network: Network,
  options: Pick<GradientOptions, "checks" | "seed" | "onProgress"> = {},
): Promise<GradientCheck> {
  const { seed = 0 } = options;
  const request = requestOf(network);
  const program = await engine.compileTraining(request);
  try {
    const input = randomInput(network, seed);
    const loss = createExactLoss(request.ops, network.input, input);
    await writeRandomWeights(network, seed, program, loss);
    await program.forwardBackward(input.images, input.targets, IMAGES, input.draws);
    return await compare(network, engine, program, loss, options);
  } finally {
    program.close();
  }
}

/** Images of noise, each with another class. */
function randomInput(network: Network, seed: number): LossInput {
  const images = new Float32Array(IMAGES * sizeOf(network.input));
  fillGaussian(randomStream(seed, "verify:images"), 0, images, 1);
  const classes = classesOf(network);
  const targets = new Float32Array(IMAGES * classes);
  for (let row = 0; row < IMAGES; row++) targets[row * classes + (row % classes)] = 1;
  const draws: DropoutDraws = { seed, first: 0 };
  return { images, targets, count: IMAGES, draws };
}

/** He's weights, which keep gradients at one scale, and biases other than 0, where a rectifier has no derivative. */
async function writeRandomWeights(
  network: Network,
  seed: number,
  program: TrainingProgram,
  loss: ExactLoss,
): Promise<void> {
  const exact = new Map(loss.parameters.flat().map((parameter) => [parameter.name, parameter.values]));
  const tensors = new Map(program.parameters.map((parameter) => [parameter.name, parameter.value]));
  for (const { name, values } of initialValues(
    network,
    { weight: { kind: "heNormal" }, bias: "zero", ones: [] },
    seed,
  )) {
    if (values.every((value) => value === 0)) fillUniform(randomStream(seed, `verify:${name}`), 0, values, -0.1, 0.1);
    exact.get(name)?.set(values);
    const tensor = tensors.get(name);
    if (tensor) await program.write(tensor, values);
  }
}

async function compare(
  network: Network,
  engine: Engine,
  program: TrainingProgram,
  loss: ExactLoss,
  { checks = CHECKS, seed = 0, onProgress }: Pick<GradientOptions, "checks" | "seed" | "onProgress">,
): Promise<GradientCheck> {
  loss.from(0);
  const byName = new Map(program.parameters.map((parameter) => [parameter.name, parameter]));
  const found: ParameterCheck[] = [];
  const total = learned(loss.parameters.flat()).reduce((sum, { values }) => sum + Math.min(checks, values.length), 0);
  let done = 0;
  // The last operation first: only activations after the changed parameter are computed again.
  for (let op = loss.parameters.length - 1; op >= 0; op--) {
    for (const parameter of learned(loss.parameters[op] ?? []).toReversed()) {
      const { name, shape, values } = parameter;
      const computed = await program.read((byName.get(name) as TrainableParameter).gradient);
      const results = chosen(computed, checks, seed, name).map((index) => {
        const expected = slope(values, index, () => loss.from(op));
        onProgress?.(++done, total);
        return { index, computed: computed[index] as number, expected };
      });
      found.unshift({ parameter: name, elements: values.length, checked: results.length, ...worst(results, shape) });
    }
    loss.from(op);
  }
  const relativeDifference = found.reduce((most, each) => Math.max(most, each.relativeDifference), 0);
  return { network: network.name, engine: engine.description, parameters: found, relativeDifference };
}

/** One random element of each of `checks` equal ranges; in its range, the one with the largest gradient or NaN. */
function chosen(gradient: Float32Array, checks: number, seed: number, name: string): readonly number[] {
  const { length } = gradient;
  if (length <= checks) return Array.from({ length }, (_, i) => i);
  const words = new Uint32Array(checks);
  fillWords(randomStream(seed, `verify:elements:${name}`), 0, words);
  const size = (i: number) => {
    const value = Math.abs(gradient[i] as number);
    return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
  };
  let largest = 0;
  for (let i = 0; i < length; i++) if (size(i) > size(largest)) largest = i;
  return Array.from(words, (word, k) => {
    const [from, to] = [Math.floor((k * length) / checks), Math.floor(((k + 1) * length) / checks)];
    return largest >= from && largest < to ? largest : from + Math.floor((word / 0x100000000) * (to - from));
  });
}

function slope(values: Float64Array, index: number, lossOf: () => number): number {
  const value = values[index] as number;
  values[index] = value + STEP;
  const above = lossOf();
  values[index] = value - STEP;
  const below = lossOf();
  values[index] = value;
  return (above - below) / (2 * STEP);
}

interface Compared {
  readonly index: number;
  readonly computed: number;
  readonly expected: number;
}

function worst(
  results: readonly Compared[],
  shape: readonly number[],
): Pick<ParameterCheck, "position" | "computed" | "expected" | "relativeDifference"> {
  /** Infinite for a derivative that is NaN. */
  const difference = ({ computed, expected }: Compared) => {
    const absolute = Math.abs(computed - expected);
    return Number.isNaN(absolute) ? Number.POSITIVE_INFINITY : absolute;
  };
  const scale = results.reduce((most, { expected }) => Math.max(most, Math.abs(expected)), 0);
  const { index, ...values } = results.reduce((most, each) => (difference(each) > difference(most) ? each : most));
  const largest = difference({ index, ...values });
  const position: number[] = [];
  let rest = index;
  for (const side of shape.toReversed()) {
    position.unshift(rest % side);
    rest = Math.floor(rest / side);
  }
  return { position, ...values, relativeDifference: largest === 0 ? 0 : largest / scale };
}
