/**
 * Worker that computes with TensorFlow.js in WebAssembly, for inference in f32. The last argument but one is the location of its package.
 *
 * Maps are channels-last, as its kernels require. A ReLU is part of the convolution or linear layer before it.
 */
import { createRequire } from "node:module";
import type { AnyOp, OpKind, OpOptions } from "../../src/engine/engine.ts";
import { ConfigError } from "../../src/errors.ts";
import { type Shape, sizeOf } from "../../src/shape.ts";
import { CHECKED_IMAGES, type Computation, serve, type WorkerRequest, workerSetting } from "./protocol.ts";
import { type Chain, readChain, readFreshImages, readImages, readParameters } from "./workload.ts";

interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** What is computed after a product. */
interface After {
  readonly bias: Tensor;
  readonly activation: "linear" | "relu";
}

interface Convolution extends After {
  readonly x: Tensor;
  readonly filter: Tensor;
  readonly strides: number;
  readonly pad: number;
  readonly dimRoundingMode: "floor";
}

/** Types of the used part of tfjs-core, which is not a dependency of this project. */
interface TensorFlow {
  readonly version_core: string;
  setBackend(name: string): Promise<boolean>;
  tidy<T>(action: () => T): T;
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  transpose(x: Tensor, order: readonly number[]): Tensor;
  relu(x: Tensor): Tensor;
  maxPool(x: Tensor, size: number, stride: number, padding: number, rounding: "floor"): Tensor;
  readonly fused: {
    conv2d(convolution: Convolution): Tensor;
    matMul(product: After & { readonly a: Tensor; readonly b: Tensor }): Tensor;
  };
}

type Stage = (x: Tensor) => Tensor;

/** An operation with what its stage is made from. */
interface Place<K extends OpKind> {
  readonly options: OpOptions[K];
  readonly inputShape: Shape;
  /** The input as a map [C, H, W], also after it was flattened. */
  readonly map: Shape;
  /** The next parameter of the file. */
  readonly next: (shape: Shape) => Tensor;
  readonly activation: After["activation"];
  /** The operation before it has computed it. */
  readonly isDone: boolean;
}

const same: Stage = (x) => x;

/** Stages by kind; other kinds are refused. */
function stagesOf(tf: TensorFlow, batchSize: number): { readonly [K in OpKind]?: (place: Place<K>) => Stage } {
  return {
    conv2d({ options, inputShape: [channels = 0], next, activation }) {
      const { outChannels, kernelSize, stride, padding, groups } = options;
      if (groups > 1) throw new ConfigError("it has no convolution in groups");
      const filter = tf.transpose(next([outChannels, channels, kernelSize, kernelSize]), [2, 3, 1, 0]);
      const constants = { filter, bias: next([outChannels]), activation };
      return (x) => tf.fused.conv2d({ x, ...constants, strides: stride, pad: padding, dimRoundingMode: "floor" });
    },
    linear({ options: { outFeatures }, next, activation, map }) {
      const b = tf.reshape(tf.transpose(next([outFeatures, ...map]), [2, 3, 1, 0]), [sizeOf(map), outFeatures]);
      const constants = { b, bias: next([outFeatures]), activation };
      return (a) => tf.fused.matMul({ a, ...constants });
    },
    relu: ({ isDone }) => (isDone ? same : (x) => tf.relu(x)),
    maxPool2d: ({ options: { kernelSize, stride, padding } }) => {
      return (x) => tf.maxPool(x, kernelSize, stride, padding, "floor");
    },
    flatten: ({ inputShape }) => {
      return (x) => tf.reshape(x, [batchSize, sizeOf(inputShape)]);
    },
    dropout: () => same,
  };
}

/** The chain as stages, and its output as a map. */
function build(tf: TensorFlow, { ops, inputShape }: Chain, batchSize: number, next: Place<OpKind>["next"]) {
  const known = stagesOf(tf, batchSize);
  let map = inputShape;
  const stages = ops.map((op: AnyOp, i) => {
    const create = known[op.kind] as ((place: Place<OpKind>) => Stage) | undefined;
    if (!create) throw new ConfigError(`${op.name}: this worker builds no ${op.kind}`);
    const activation = ops[i + 1]?.kind === "relu" ? "relu" : "linear";
    const isDone = (ops[i - 1]?.parameters.length ?? 0) > 0;
    const stage = create({ options: op.options, inputShape: op.inputShape, map, next, activation, isDone });
    if (op.outputShape.length === 3) map = op.outputShape;
    else if (op.parameters.length > 0) map = [...op.outputShape, 1, 1];
    return stage;
  });
  return { stages, map };
}

/** Channels last to channels first, as this project's vectors are. */
function channelsFirst(values: Float32Array, [channels = 1, ...pixels]: Shape): number[] {
  const size = sizeOf(pixels);
  const image = channels * size;
  return Array.from(values, (_, i) => {
    const [start, channel, pixel] = [i - (i % image), Math.floor((i % image) / size), i % size];
    return values[start + pixel * channels + channel] as number;
  });
}

async function compute({ folder, mode, threads, batchSize }: WorkerRequest): Promise<Computation> {
  if (mode === "train") throw new ConfigError("it has no gradient of a convolution's weights (Conv2DBackpropFilter)");
  if (threads > 1) throw new ConfigError("it has one thread in Node.js; add --threads 1");
  const require = createRequire(`${workerSetting()}/package.json`);
  const tf = require("@tensorflow/tfjs-core") as TensorFlow;
  require(workerSetting());
  if (!(await tf.setBackend("wasm"))) throw new Error("the WebAssembly backend cannot be initialized");
  const chain = readChain(folder);
  const [channels = 0, height = 0, width = 0] = chain.inputShape;
  const parameters = readParameters(folder, chain, (length) => new Float32Array(length));
  const next = (shape: Shape) => tf.tensor(parameters.next().value?.values ?? new Float32Array(), shape);
  const { stages, map } = build(tf, chain, batchSize, next);
  const pixels = new Float32Array(batchSize * sizeOf(chain.inputShape));
  const loaded = () => tf.transpose(tf.tensor(pixels, [batchSize, channels, height, width]), [0, 2, 3, 1]);
  readImages(folder, pixels);
  const images = loaded();
  const run = async (x: Tensor) => {
    const output = tf.tidy(() => stages.reduce((values, stage) => stage(values), x));
    const values = await output.data();
    output.dispose();
    return values;
  };
  return {
    description: `TensorFlow.js ${tf.version_core}`,
    async step() {
      await run(images);
    },
    async check() {
      readFreshImages(folder, pixels);
      const values = await run(loaded());
      const count = Math.min(CHECKED_IMAGES, batchSize) * chain.classes;
      return { logits: channelsFirst(values.subarray(0, count), map) };
    },
  };
}

await serve(compute);
