/**
 * Computes with TensorFlow.js in f32. Maps are channels-last, as its kernels require. A ReLU is part of the convolution or linear layer before it.
 */
import type { OpKind, OpOptions } from "../../src/engine/engine.ts";
import { ConfigError } from "../../src/errors.ts";
import { type Shape, sizeOf } from "../../src/shape.ts";
import { type Create, type Device, requireFinite, SGD } from "./library.ts";
import { CHECKED_IMAGES, type Checked, type Computation, type ComputeRequest, gradientSample } from "./protocol.ts";
import { type Chain, readBatch, targetsOf, type Workload } from "./workload.ts";

interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Variable extends Tensor {
  assign(value: Tensor): void;
}

/** Operations after a product. */
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
export interface TensorFlow {
  readonly version_core: string;
  setBackend(name: Device): Promise<boolean>;
  tidy<T>(action: () => T): T;
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  variable(value: Tensor): Variable;
  zerosLike(x: Tensor): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  transpose(x: Tensor, order: readonly number[]): Tensor;
  add(x: Tensor, y: Tensor): Tensor;
  sub(x: Tensor, y: Tensor): Tensor;
  mul(x: Tensor, y: Tensor | number): Tensor;
  neg(x: Tensor): Tensor;
  sum(x: Tensor): Tensor;
  relu(x: Tensor): Tensor;
  logSoftmax(x: Tensor): Tensor;
  dropout(x: Tensor, probability: number): Tensor;
  maxPool(x: Tensor, size: number, stride: number, padding: number, rounding: "floor"): Tensor;
  readonly fused: {
    conv2d(convolution: Convolution): Tensor;
    matMul(product: After & { readonly a: Tensor; readonly b: Tensor }): Tensor;
  };
  valueAndGrads(
    f: (...values: Tensor[]) => Tensor,
  ): (values: readonly Tensor[]) => { readonly value: Tensor; readonly grads: readonly Tensor[] };
}

/** A function of a map or vector, and of the operation's parameters. */
type Stage = (x: Tensor, ...parameters: readonly Tensor[]) => Tensor;

/** An operation in its chain. */
interface Place<K extends OpKind> {
  readonly options: OpOptions[K];
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly activation: After["activation"];
  /** The operation before it has computed it. */
  readonly isDone: boolean;
}

const same: Stage = (x) => x;

/** Stages by kind; other kinds are refused. */
function stagesOf(tf: TensorFlow, batchSize: number): { readonly [K in OpKind]?: (place: Place<K>) => Stage } {
  return {
    conv2d({ options: { stride, padding, groups }, activation }) {
      if (groups > 1) throw new ConfigError("it has no convolution in groups");
      const constants = { activation, strides: stride, pad: padding, dimRoundingMode: "floor" } as const;
      return (x, filter, bias) => tf.fused.conv2d({ x, filter: filter as Tensor, bias: bias as Tensor, ...constants });
    },
    linear({ activation }) {
      return (a, b, bias) => tf.fused.matMul({ a, b: b as Tensor, bias: bias as Tensor, activation });
    },
    relu: ({ isDone }) => (isDone ? same : (x) => tf.relu(x)),
    maxPool2d: ({ options: { kernelSize, stride, padding } }) => {
      return (x) => tf.maxPool(x, kernelSize, stride, padding, "floor");
    },
    adaptiveAveragePool2d({ inputShape, outputShape }) {
      if (`${inputShape}` !== `${outputShape}`) throw new ConfigError("this worker averages no maps");
      return same;
    },
    flatten: ({ inputShape }) => {
      return (x) => tf.reshape(x, [batchSize, sizeOf(inputShape)]);
    },
    dropout({ options: { probability } }) {
      return (x) => tf.dropout(x, probability);
    },
  };
}

/** The order of a parameter, and of its gradient, as TensorFlow.js multiplies it. */
interface Layout {
  load(values: Float32Array): Tensor;
  /** A gradient in the order of this project. */
  store(gradient: Tensor): Tensor;
}

/** Layout of a parameter of an operation whose input is `map`, also after it was flattened. */
function layoutOf(tf: TensorFlow, shape: Shape, map: Shape): Layout {
  const [outputs = 0] = shape;
  if (shape.length === 1) return { load: (values) => tf.tensor(values, shape), store: (gradient) => gradient };
  const isLinear = shape.length === 2;
  const rows = isLinear ? [outputs, ...map] : shape;
  const [, channels = 0, height = 0, width = 0] = rows;
  const moved = [height, width, channels, outputs];
  const used = isLinear ? [sizeOf(map), outputs] : moved;
  return {
    load: (values) => tf.tidy(() => tf.reshape(tf.transpose(tf.tensor(values, rows), [2, 3, 1, 0]), used)),
    store: (gradient) => tf.transpose(tf.reshape(gradient, moved), [3, 2, 0, 1]),
  };
}

/** The chain as a function, and its orders. */
interface Built {
  /** Logits; dropout is left out unless it is `active`. */
  forward(images: Tensor, parameters: readonly Tensor[], active?: boolean): Tensor;
  readonly layouts: readonly Layout[];
  /** Images or maps [N, H, W, C] of channels-first values. */
  channelsLast(values: Float32Array, map: Shape): Tensor;
  channelsFirst(x: Tensor, map: Shape): Tensor;
  /** The output as a map. */
  readonly map: Shape;
}

function build(tf: TensorFlow, { ops, inputShape }: Chain, batchSize: number): Built {
  const known = stagesOf(tf, batchSize);
  const layouts: Layout[] = [];
  let map = inputShape;
  const stages = ops.map(({ kind, name, options, inputShape, outputShape, parameters }, i) => {
    const create = known[kind] as ((place: object) => Stage) | undefined;
    if (!create) throw new ConfigError(`${name}: this worker builds no ${kind}`);
    const activation = ops[i + 1]?.kind === "relu" ? "relu" : "linear";
    const isDone = (ops[i - 1]?.parameters.length ?? 0) > 0;
    const stage = create({ options, inputShape, outputShape, activation, isDone });
    layouts.push(...parameters.map(({ shape }) => layoutOf(tf, shape, map)));
    if (outputShape.length === 3) map = outputShape;
    else if (parameters.length > 0) map = [...outputShape, 1, 1];
    return { stage, count: parameters.length, isRandom: kind === "dropout" };
  });
  return {
    forward(images, parameters, active = false) {
      const rest = [...parameters];
      return stages.reduce(
        (x, { stage, count, isRandom }) => (isRandom && !active ? x : stage(x, ...rest.splice(0, count))),
        images,
      );
    },
    layouts,
    channelsLast: (values, of) =>
      tf.tidy(() => tf.transpose(tf.tensor(values, [values.length / sizeOf(of), ...of]), [0, 2, 3, 1])),
    channelsFirst: (x, [channels = 0, ...pixels]) =>
      tf.transpose(tf.reshape(x, [batchSize, ...pixels, channels]), [0, 3, 1, 2]),
    map,
  };
}

type Steps = Omit<Computation, "description">;

/** Tensors of a workload. */
function loaderOf({ layouts, channelsLast }: Built, workload: Workload, batchSize: number) {
  return {
    async parameters(): Promise<Tensor[]> {
      const loaded: Tensor[] = [];
      for await (const { values } of workload.readParameters()) {
        loaded.push((layouts[loaded.length] as Layout).load(values));
      }
      return loaded;
    },
    async images(fresh = false): Promise<Tensor> {
      return channelsLast(await readBatch(workload, batchSize, fresh), workload.chain.inputShape);
    },
  };
}

/** Values of a tensor, which is disposed. */
async function take(x: Tensor): Promise<Float32Array> {
  const values = await x.data();
  x.dispose();
  return values;
}

/** Logits of the checked images. */
async function takeLogits(x: Tensor, classes: number): Promise<readonly number[]> {
  return Array.from((await take(x)).subarray(0, CHECKED_IMAGES * classes));
}

async function inference(tf: TensorFlow, workload: Workload, { batchSize }: ComputeRequest): Promise<Steps> {
  const { chain } = workload;
  const built = build(tf, chain, batchSize);
  const load = loaderOf(built, workload, batchSize);
  const parameters = await load.parameters();
  const images = await load.images();
  return {
    async step() {
      await take(tf.tidy(() => built.forward(images, parameters)));
    },
    async check() {
      const fresh = await load.images(true);
      const logits = tf.tidy(() => built.channelsFirst(built.forward(fresh, parameters), built.map));
      fresh.dispose();
      return { logits: await takeLogits(logits, chain.classes) };
    },
  };
}

/** A step's loss, and its gradients by the parameters, and by the images if the workload has these. */
type Gradients = (
  weights: readonly Tensor[],
  images: Tensor,
  targets: Tensor,
  active: boolean,
) => { readonly value: Tensor; readonly grads: readonly Tensor[] };

function gradientsOf(tf: TensorFlow, { inputGradient }: Chain, { forward }: Built): Gradients {
  return (weights, images, targets, active) =>
    tf.valueAndGrads((...values) => {
      const logits = forward(values[weights.length] ?? images, values.slice(0, weights.length), active);
      return tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(logits))));
    })([...weights, ...(inputGradient ? [images] : [])]);
}

/** SGD of one parameter. */
function update(tf: TensorFlow, weight: Variable, velocity: Variable, gradient: Tensor): void {
  const decayed = tf.add(gradient, tf.mul(weight, SGD.weightDecay));
  velocity.assign(tf.add(tf.mul(velocity, SGD.momentum), decayed));
  weight.assign(tf.sub(weight, tf.mul(velocity, SGD.learningRate)));
}

async function training(tf: TensorFlow, workload: Workload, { batchSize }: ComputeRequest): Promise<Steps> {
  const { chain } = workload;
  const built = build(tf, chain, batchSize);
  const load = loaderOf(built, workload, batchSize);
  const gradients = gradientsOf(tf, chain, built);
  const meanTargets = (count: number) =>
    tf.tidy(() => {
      const rows = built.channelsLast(targetsOf(chain, batchSize, count, 1 / count), built.map);
      return tf.reshape(rows, [batchSize, chain.classes]);
    });
  const weights = (await load.parameters()).map((value) => tf.variable(value));
  const velocities = weights.map((weight) => tf.variable(tf.zerosLike(weight)));
  const images = await load.images();
  const targets = meanTargets(batchSize);
  return {
    async step() {
      const loss = tf.tidy(() => {
        const { value, grads } = gradients(weights, images, targets, true);
        for (const [i, weight] of weights.entries()) update(tf, weight, velocities[i] as Variable, grads[i] as Tensor);
        return value;
      });
      requireFinite((await take(loss))[0]);
    },
    async check() {
      const [fresh, few] = [await load.images(true), meanTargets(CHECKED_IMAGES)];
      const parameters = await load.parameters();
      const [logits, ...ordered] = tf.tidy(() => {
        const { grads } = gradients(parameters, fresh, few, false);
        const ofParameters = built.layouts.map(({ store }, i) => store(grads[i] as Tensor));
        const ofImages = grads.slice(parameters.length).map((one) => built.channelsFirst(one, chain.inputShape));
        return [built.channelsFirst(built.forward(fresh, parameters), built.map), ...ofParameters, ...ofImages];
      });
      for (const unused of [fresh, few, ...parameters]) unused.dispose();
      return { logits: await takeLogits(logits as Tensor, chain.classes), ...(await takeSamples(ordered, chain)) };
    },
  };
}

/** Samples of the parameters' gradients, and of that of the checked images, in the order of this project. */
async function takeSamples(gradients: readonly Tensor[], { ops, inputShape }: Chain): Promise<Checked> {
  const names = ops.flatMap(({ parameters }) => parameters.map(({ name }) => name));
  const samples: Record<string, readonly number[]> = {};
  for (const [i, gradient] of gradients.entries()) {
    const values = await take(gradient);
    const count = names[i] === undefined ? CHECKED_IMAGES * sizeOf(inputShape) : values.length;
    samples[names[i] ?? "images"] = gradientSample(values.slice(0, count));
  }
  return samples;
}

/** Creates a computation by TensorFlow.js. */
export const create: Create<TensorFlow> = async (tf, device, workload, request) => {
  if (!(await tf.setBackend(device)))
    throw new ConfigError(`TensorFlow.js: its backend ${device} cannot be initialized`);
  const steps = await (request.mode === "train" ? training : inference)(tf, workload, request);
  return { description: `TensorFlow.js ${tf.version_core}`, ...steps };
};
