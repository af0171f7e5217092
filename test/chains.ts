/** Small chains of layers to test, and how to compile them. */
import { alone } from "../src/engine/communicator.ts";
import type { CompileRequest, Engine, Program, Tensor, TrainingProgram } from "../src/engine/engine.ts";
import { conv2d } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { type Network, operations } from "../src/network/network.ts";
import { fillUniform, randomStream } from "../src/random.ts";
import { sizeOf } from "../src/shape.ts";

/** A chain of layers to test, and how to compile it. */
export interface Chain {
  readonly input: Network["input"];
  readonly layers: readonly AnyLayer[];
  readonly batchSize: number;
  /** Default true. */
  readonly inputGradient?: boolean;
  /** Operations that training leaves as they are. Default none. */
  readonly frozen?: readonly string[];
  /** Default softmax with cross-entropy. */
  readonly loss?: CompileRequest["loss"];
  /** Processes that compute each batch together. Default one. */
  readonly communicator?: CompileRequest["communicator"];
}

/** In which numbers, and by which algorithms, a chain is compiled. */
export type CompileSettings = Required<Pick<CompileRequest, "precision" | "exact">>;

export async function compileTraining(
  engine: Engine,
  settings: CompileSettings,
  chain: Chain,
): Promise<TrainingProgram> {
  const { input, batchSize, inputGradient = true, frozen = [], loss, communicator = alone } = chain;
  return engine.compileTraining({
    ...settings,
    ops: opsOf(chain),
    inputShape: input,
    batchSize,
    inputGradient,
    frozen,
    loss,
    communicator,
  });
}

export async function compileInference(engine: Engine, settings: CompileSettings, chain: Chain): Promise<Program> {
  const { input, batchSize } = chain;
  return engine.compile({ ...settings, ops: opsOf(chain), inputShape: input, batchSize });
}

export function opsOf({ input, layers }: Chain) {
  return operations({ name: "chain", source: "", deviations: [], input, layers });
}

/** Uniform numbers in [low, high), one array for each purpose. */
export function uniform(purpose: string, length: number, low = -1, high = 1): Float32Array {
  const values = new Float32Array(length);
  fillUniform(randomStream(7, purpose), 0, values, low, high);
  return values;
}

/** Whole numbers from low to high, both included. */
export function integers(purpose: string, length: number, low: number, high: number): Float32Array {
  return uniform(purpose, length, low, high + 1).map(Math.floor);
}

/** The chain behind a convolution that changes nothing: in the layout that convolutions choose, which other operations then keep to. */
export function behindConvolution<C extends Pick<Chain, "input" | "layers">>(chain: C): C {
  const identity = conv2d("identity", { outChannels: chain.input[0], kernelSize: 1 });
  return { ...chain, layers: [identity, ...chain.layers] };
}

/** The values that `fillParameters` gives a parameter if nothing else is said. */
export function parameterValues(name: string, length: number): Float32Array {
  if (name === "identity.bias") return new Float32Array(length);
  if (name.endsWith(".running_var")) return uniform(name, length, 0.5, 1.5);
  if (name !== "identity.weight") return uniform(name, length, -0.5, 0.5);
  const channels = Math.sqrt(length);
  return new Float32Array(length).map((_, i) => Number(i % (channels + 1) === 0));
}

/** Gives every parameter values by its name. */
export async function fillParameters(program: Program, values = parameterValues): Promise<void> {
  const frozen = "frozen" in program ? (program as TrainingProgram).frozen : [];
  for (const { name, value } of [...program.parameters, ...frozen]) {
    await program.write(value, values(name, sizeOf(value.shape)));
  }
}

/** What one forward and backward pass gives, by name: `output`, `input` for its gradient, and each parameter's gradient. */
export type Results = ReadonlyMap<string, Float32Array>;

export const noDraws = { seed: 1, first: 0 } as const;

/** One pass through a training program for given images and gradient of the output. */
export async function passThrough(
  program: TrainingProgram,
  images: Float32Array,
  outputGradient: Float32Array,
  count = program.batchSize,
): Promise<Results> {
  const output = (await program.forwardTraining(images, count, noDraws)).slice();
  await program.backward(outputGradient);
  return new Map([["output", output], ...(await readGradients(program))]);
}

/** Each parameter's gradient by its name, and `input` if it was compiled for. */
export async function readGradients(program: TrainingProgram): Promise<Results> {
  const tensors: [string, Tensor][] = program.parameters.map(({ name, gradient }) => [name, gradient]);
  if (program.inputGradient) tensors.push(["input", program.inputGradient]);
  const gradients = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) gradients.set(name, await program.read(tensor));
  return gradients;
}

/** The entry of a map that must have it. */
export function need<V>(values: ReadonlyMap<string, V>, name: string): V {
  const value = values.get(name);
  if (value === undefined) throw new Error(`test: no ${name} among ${[...values.keys()].join(", ")}`);
  return value;
}
