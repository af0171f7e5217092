/** Computes with jax-js in f32. */
import type { OpKind, OpOptions } from "../../src/engine/engine.ts";
import { ConfigError } from "../../src/errors.ts";
import { type Shape, sizeOf } from "../../src/shape.ts";
import { type Create, type Device, requireFinite, SGD } from "./library.ts";
import { CHECKED_IMAGES, type Checked, type Computation, type ComputeRequest, gradientSample } from "./protocol.ts";
import { type Chain, readBatch, targetsOf, type Workload } from "./workload.ts";

/** An array of jax-js: a call takes its arguments, so an array that is used again is passed as `ref`. */
interface Values {
  readonly ref: Values;
  reshape(shape: readonly number[]): Values;
  transpose(): Values;
  add(other: Values): Values;
  sub(other: Values): Values;
  mul(other: Values | number): Values;
  sum(): Values;
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** Types of the used part of jax-js, which is not a dependency of this project, with the version of its package. */
export interface Jax {
  readonly version: string;
  init(device: Device): Promise<readonly string[]>;
  defaultDevice(device: Device): unknown;
  jit<A extends readonly unknown[], R>(f: (...args: A) => R): (...args: A) => R;
  valueAndGrad(
    f: (weights: Values[], images: Values, targets: Values) => Values,
    options: { readonly argnums: readonly number[] },
  ): (weights: Values[], images: Values, targets: Values) => [loss: Values, gradients: [Values[], images?: Values]];
  readonly numpy: {
    array(values: Float32Array): Values;
    matmul(x: Values, y: Values): Values;
    max(x: Values): Values;
    where(condition: Values, x: Values, y: number): Values;
  };
  readonly nn: { relu(x: Values): Values; logSoftmax(x: Values): Values };
  readonly lax: {
    convGeneralDilated(
      images: Values,
      kernels: Values,
      strides: readonly number[],
      padding: readonly (readonly number[])[],
      options: { readonly featureGroupCount: number },
    ): Values;
    reduceWindow(
      x: Values,
      reduce: (window: Values) => Values,
      window: readonly number[],
      strides: readonly number[],
    ): Values;
  };
  readonly random: { key(seed: number): Values; bernoulli(key: Values, p: number, shape: readonly number[]): Values };
}

/** A function of a map or vector, and of the operation's parameters, or of the key of its random numbers. */
type Stage = (x: Values, ...constants: readonly Values[]) => Values;

/** Options of an operation, its shapes, and the number of images. */
interface Place<K extends OpKind> {
  readonly options: OpOptions[K];
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly batchSize: number;
}

/** Stages by kind; other kinds are refused. */
function stagesOf({ numpy, nn, lax, random }: Jax): { readonly [K in OpKind]?: (place: Place<K>) => Stage } {
  return {
    conv2d({ options: { outChannels, stride, padding, groups } }) {
      const ends = [padding, padding];
      return (x, weight, bias) =>
        lax
          .convGeneralDilated(x, weight as Values, [stride, stride], [ends, ends], { featureGroupCount: groups })
          .add((bias as Values).reshape([1, outChannels, 1, 1]));
    },
    linear: () => (x, weight, bias) => numpy.matmul(x, (weight as Values).transpose()).add(bias as Values),
    relu: () => (x) => nn.relu(x),
    maxPool2d({ options: { kernelSize, stride, padding } }) {
      if (padding > 0) throw new ConfigError("this worker pads no maps for pooling");
      return (x) => lax.reduceWindow(x, numpy.max, [kernelSize, kernelSize], [stride, stride]);
    },
    adaptiveAveragePool2d({ inputShape, outputShape }) {
      if (`${inputShape}` !== `${outputShape}`) throw new ConfigError("this worker averages no maps");
      return (x) => x;
    },
    flatten: ({ outputShape }) => {
      return (x) => x.reshape([-1, sizeOf(outputShape)]);
    },
    dropout({ options: { probability }, inputShape, batchSize }) {
      const keep = 1 - probability;
      return (x, key) =>
        key ? numpy.where(random.bernoulli(key, keep, [batchSize, ...inputShape]), x.mul(1 / keep), 0) : x;
    },
  };
}

/** The chain as a function of its parameters, images, and the keys of its dropouts; without keys, without dropout. */
type Forward = (parameters: readonly Values[], images: Values, keys?: readonly Values[]) => Values;

function forwardOf(jax: Jax, { ops }: Chain, batchSize: number): Forward {
  const known = stagesOf(jax);
  const stages = ops.map(({ kind, name, options, inputShape, outputShape, parameters }) => {
    const create = known[kind] as ((place: object) => Stage) | undefined;
    if (!create) throw new ConfigError(`${name}: this worker builds no ${kind}`);
    const stage = create({ options, inputShape, outputShape, batchSize });
    return { stage, count: parameters.length, isRandom: kind === "dropout" };
  });
  return (parameters, images, keys = []) => {
    const [rest, unused] = [[...parameters], [...keys]];
    return stages.reduce(
      (x, { stage, count, isRandom }) => stage(x, ...(isRandom ? unused.splice(0, 1) : rest.splice(0, count))),
      images,
    );
  };
}

/** Arrays of a workload: its parameters, and a batch. */
function loaderOf({ numpy }: Jax, workload: Workload, batchSize: number) {
  const { chain } = workload;
  return {
    async parameters(): Promise<Values[]> {
      const shapes = chain.ops.flatMap(({ parameters }) => parameters.map(({ shape }) => shape));
      const loaded: Values[] = [];
      for await (const { values } of workload.readParameters()) {
        loaded.push(numpy.array(values).reshape(shapes[loaded.length] ?? []));
      }
      return loaded;
    },
    async images(fresh = false): Promise<Values> {
      return numpy.array(await readBatch(workload, batchSize, fresh)).reshape([batchSize, ...chain.inputShape]);
    },
    /** Targets of the mean loss over the first images. */
    targets: (count: number): Values =>
      numpy.array(targetsOf(chain, batchSize, count, 1 / count)).reshape([batchSize, chain.classes]),
  };
}

type Steps = Omit<Computation, "description">;

async function inference(jax: Jax, workload: Workload, { batchSize }: ComputeRequest): Promise<Steps> {
  const load = loaderOf(jax, workload, batchSize);
  const forward = jax.jit(forwardOf(jax, workload.chain, batchSize));
  const parameters = await load.parameters();
  const images = await load.images();
  const run = (of: Values) =>
    forward(
      parameters.map(({ ref }) => ref),
      of,
    ).data();
  return {
    async step() {
      await run(images.ref);
    },
    async check() {
      const logits = await run(await load.images(true));
      return { logits: Array.from(logits.subarray(0, Math.min(CHECKED_IMAGES, batchSize) * workload.chain.classes)) };
    },
  };
}

/** The loss and its gradients by the parameters, and by the images if the workload has these. */
function gradientsOf(jax: Jax, chain: Chain, forward: Forward, keys: readonly Values[] = []) {
  const loss = (weights: readonly Values[], images: Values, targets: Values) =>
    jax.nn
      .logSoftmax(forward(weights, images, keys))
      .mul(targets)
      .sum()
      .mul(-1);
  return jax.valueAndGrad(loss, { argnums: chain.inputGradient ? [0, 1] : [0] });
}

/** A step as one function: the loss, the gradient of the images if there is one, next weights and velocities. */
function updateOf(jax: Jax, chain: Chain, forward: Forward) {
  return jax.jit((weights: Values[], velocities: Values[], images: Values, targets: Values, keys: Values[]) => {
    const [value, [weightGradients, imageGradient]] = gradientsOf(
      jax,
      chain,
      forward,
      keys,
    )(
      weights.map(({ ref }) => ref),
      images,
      targets,
    );
    const next = weights.map((weight, i) => {
      const gradient = (weightGradients[i] as Values).add(weight.ref.mul(SGD.weightDecay));
      const velocity = (velocities[i] as Values).mul(SGD.momentum).add(gradient);
      return { velocity: velocity.ref, weight: weight.sub(velocity.mul(SGD.learningRate)) };
    });
    const kept = imageGradient ? [imageGradient] : [];
    return [value, kept, next.map(({ weight }) => weight), next.map(({ velocity }) => velocity)] as const;
  });
}

async function training(jax: Jax, workload: Workload, { batchSize }: ComputeRequest): Promise<Steps> {
  const { chain } = workload;
  const load = loaderOf(jax, workload, batchSize);
  const forward = forwardOf(jax, chain, batchSize);
  const update = updateOf(jax, chain, forward);
  let weights = await load.parameters();
  let velocities = (await load.parameters()).map((values) => values.mul(0));
  const images = await load.images();
  const targets = load.targets(batchSize);
  const dropouts = chain.ops.filter(({ kind }) => kind === "dropout").length;
  let seed = 0;
  return {
    async step() {
      const keys = Array.from({ length: dropouts }, () => jax.random.key(seed++));
      const [value, kept, ...next] = update(weights, velocities, images.ref, targets.ref, keys);
      [weights, velocities] = next;
      for (const gradient of kept) gradient.dispose();
      // All results of `update` are submitted together: once the loss is here, the weights are computed too.
      requireFinite((await value.data())[0]);
    },
    async check() {
      const fresh = await load.images(true);
      const logits = await jax
        .jit(forward)(await load.parameters(), fresh.ref)
        .data();
      const [value, gradients] = jax.jit(gradientsOf(jax, chain, forward))(
        await load.parameters(),
        fresh,
        load.targets(CHECKED_IMAGES),
      );
      value.dispose();
      const checked = logits.subarray(0, CHECKED_IMAGES * chain.classes);
      return { logits: Array.from(checked), ...(await takeSamples(gradients, chain)) };
    },
  };
}

/** Samples of the parameters' gradients, and of that of the checked images. */
async function takeSamples(
  [weightGradients, imageGradient]: readonly [readonly Values[], Values?],
  { ops, inputShape }: Chain,
): Promise<Checked> {
  const names = ops.flatMap(({ parameters }) => parameters.map(({ name }) => name));
  const samples: Record<string, readonly number[]> = {};
  for (const [i, name] of names.entries()) {
    samples[name] = gradientSample(await (weightGradients[i] as Values).data());
  }
  if (!imageGradient) return samples;
  const pixels = (await imageGradient.data()).slice(0, CHECKED_IMAGES * sizeOf(inputShape));
  return { ...samples, images: gradientSample(pixels) };
}

/** Creates a computation by jax-js. */
export const create: Create<Jax> = async (jax, device, workload, request) => {
  const devices = await jax.init(device);
  if (!devices.includes(device)) throw new ConfigError(`jax-js: the device ${device} cannot be initialized`);
  jax.defaultDevice(device);
  const steps = await (request.mode === "train" ? training : inference)(jax, workload, request);
  return { description: `jax-js ${jax.version}`, ...steps };
};
