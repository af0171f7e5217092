/** Worker that computes with jax-js in WebAssembly, in f32. The last argument but one is the location of its package. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { OpKind, OpOptions } from "../../src/engine/engine.ts";
import { ConfigError } from "../../src/errors.ts";
import { type Shape, sizeOf } from "../../src/shape.ts";
import {
  CHECKED_IMAGES,
  type Checked,
  type Computation,
  gradientSample,
  serve,
  type WorkerRequest,
  workerSetting,
} from "./protocol.ts";
import { type Chain, readChain, readFreshImages, readImages, readParameters } from "./workload.ts";

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

/** Types of the used part of jax-js, which is not a dependency of this project. */
interface Jax {
  init(device: "wasm"): Promise<unknown>;
  defaultDevice(device: "wasm"): unknown;
  jit<A extends readonly unknown[], R>(f: (...args: A) => R): (...args: A) => R;
  valueAndGrad<R>(
    f: (weights: Values[], images: Values, targets: Values) => R,
    options: { readonly argnums: readonly [0, 1] },
  ): (weights: Values[], images: Values, targets: Values) => [loss: Values, gradients: [Values[], Values]];
  readonly numpy: { array(values: Float32Array): Values; matmul(x: Values, y: Values): Values };
  readonly nn: { relu(x: Values): Values; logSoftmax(x: Values): Values };
  readonly lax: {
    convGeneralDilated(
      images: Values,
      kernels: Values,
      strides: readonly number[],
      padding: readonly (readonly number[])[],
    ): Values;
  };
}

type Stage = (x: Values, weight: Values, bias: Values) => Values;

/** Stages by kind; other kinds are refused. */
function stagesOf({ numpy, nn, lax }: Jax): {
  readonly [K in OpKind]?: (options: OpOptions[K], output: Shape) => Stage;
} {
  return {
    conv2d({ outChannels, stride, padding, groups }) {
      if (groups > 1) throw new ConfigError("this worker builds no convolution in groups");
      const ends = [padding, padding];
      return (x, weight, bias) =>
        lax.convGeneralDilated(x, weight, [stride, stride], [ends, ends]).add(bias.reshape([1, outChannels, 1, 1]));
    },
    linear: () => (x, weight, bias) => numpy.matmul(x, weight.transpose()).add(bias),
    relu: () => (x) => nn.relu(x),
    flatten: (_, output) => (x) => x.reshape([-1, sizeOf(output)]),
  };
}

const SGD = { learningRate: 1e-3, momentum: 0.9, weightDecay: 5e-4 };

/** The chain as a function of its parameters and images. */
function forwardOf(jax: Jax, { ops }: Chain): (parameters: readonly Values[], images: Values) => Values {
  const known = stagesOf(jax);
  const stages = ops.map(({ kind, name, options, outputShape, parameters }) => {
    const create = known[kind] as ((options: object, output: Shape) => Stage) | undefined;
    if (!create) throw new ConfigError(`${name}: this worker builds no ${kind}`);
    return { stage: create(options, outputShape), count: parameters.length };
  });
  return (parameters, images) => {
    let next = 0;
    return stages.reduce((x, { stage, count }) => {
      const [weight, bias] = parameters.slice(next, next + count) as [Values, Values];
      next += count;
      return stage(x, weight, bias);
    }, images);
  };
}

/** Memory of a workload: its parameters, and a batch that begins with fresh images or not. */
function loaderOf({ numpy }: Jax, { folder, batchSize }: WorkerRequest, chain: Chain) {
  const size = batchSize * sizeOf(chain.inputShape);
  return {
    parameters(): Values[] {
      const shapes = chain.ops.flatMap(({ parameters }) => parameters.map(({ shape }) => shape));
      const values = [...readParameters(folder, chain, (length) => new Float32Array(length))];
      return values.map((parameter, i) => numpy.array(parameter.values).reshape(shapes[i] ?? []));
    },
    images(read: typeof readImages): Values {
      const pixels = new Float32Array(size);
      readImages(folder, pixels);
      read(folder, pixels);
      return numpy.array(pixels).reshape([batchSize, ...chain.inputShape]);
    },
    /** Targets of the first images; others have none. The loss is the mean over these images. */
    targets(count: number): Values {
      const rows = new Float32Array(batchSize * chain.classes);
      for (let i = 0; i < count; i++) rows[i * chain.classes + (i % chain.classes)] = 1 / count;
      return numpy.array(rows).reshape([batchSize, chain.classes]);
    },
  };
}

async function inference(jax: Jax, request: WorkerRequest, chain: Chain): Promise<Omit<Computation, "description">> {
  const load = loaderOf(jax, request, chain);
  const forward = jax.jit(forwardOf(jax, chain));
  const parameters = load.parameters();
  const images = load.images(readImages);
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
      const logits = await run(load.images(readFreshImages));
      return { logits: Array.from(logits.subarray(0, Math.min(CHECKED_IMAGES, request.batchSize) * chain.classes)) };
    },
  };
}

async function training(jax: Jax, request: WorkerRequest, chain: Chain): Promise<Omit<Computation, "description">> {
  const load = loaderOf(jax, request, chain);
  const forward = forwardOf(jax, chain);
  const loss = (weights: readonly Values[], images: Values, targets: Values) =>
    jax.nn.logSoftmax(forward(weights, images)).mul(targets).sum().mul(-1);
  const gradients = jax.valueAndGrad(loss, { argnums: [0, 1] });
  const { learningRate, momentum, weightDecay } = SGD;
  const update = jax.jit((weights: Values[], velocities: Values[], images: Values, targets: Values) => {
    const [value, [weightGradients, imageGradient]] = gradients(
      weights.map(({ ref }) => ref),
      images,
      targets,
    );
    const next = weights.map((weight, i) => {
      const gradient = (weightGradients[i] as Values).add(weight.ref.mul(weightDecay));
      const velocity = (velocities[i] as Values).mul(momentum).add(gradient);
      return { velocity: velocity.ref, weight: weight.sub(velocity.mul(learningRate)) };
    });
    return [value, imageGradient, next.map(({ weight }) => weight), next.map(({ velocity }) => velocity)] as const;
  });
  let weights = load.parameters();
  let velocities = load.parameters().map((values) => values.mul(0));
  const images = load.images(readImages);
  const targets = load.targets(request.batchSize);
  return {
    async step() {
      const [value, imageGradient, ...next] = update(weights, velocities, images.ref, targets.ref);
      [weights, velocities] = next;
      await imageGradient.data();
      for (const weight of weights) await weight.ref.data();
      const [computed = Number.NaN] = await value.data();
      if (!Number.isFinite(computed)) throw new Error(`training: the loss is ${computed}`);
    },
    check: () => checkTraining(),
  };

  async function checkTraining(): Promise<Checked> {
    const fresh = load.images(readFreshImages);
    const count = CHECKED_IMAGES * chain.classes;
    const logits = (await forward(load.parameters(), fresh.ref).data()).subarray(0, count);
    const [value, [weightGradients, imageGradient]] = gradients(load.parameters(), fresh, load.targets(CHECKED_IMAGES));
    value.dispose();
    const names = chain.ops.flatMap(({ parameters }) => parameters.map(({ name }) => name));
    const samples: Record<string, readonly number[]> = { logits: Array.from(logits) };
    for (const [i, name] of names.entries()) {
      samples[name] = gradientSample(await (weightGradients[i] as Values).data());
    }
    const checkedPixels = CHECKED_IMAGES * sizeOf(chain.inputShape);
    const pixels = (await imageGradient.data()).slice(0, checkedPixels);
    return chain.inputGradient ? { ...samples, images: gradientSample(pixels) } : samples;
  }
}

async function compute(request: WorkerRequest): Promise<Computation> {
  const { folder, mode, threads } = request;
  if (threads > 1) throw new ConfigError("it has one thread in Node.js; add --threads 1");
  const jax: Jax = await import(pathToFileURL(join(workerSetting(), "dist/index.js")).href);
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const { version } = JSON.parse(readFileSync(join(workerSetting(), "package.json"), "utf8"));
  const chain = readChain(folder);
  const computation = await (mode === "train" ? training : inference)(jax, request, chain);
  return { description: `jax-js ${version}`, ...computation };
}

await serve(compute);
