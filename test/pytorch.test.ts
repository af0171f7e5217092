/**
 * Against PyTorch in float64, on the same weights and images (scripts/golden/pytorch.py made the goldens; seeds and bounds
 * are explained there). Longer than other files: the bounds stand beside what they bound.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Engine, TrainingProgram } from "../src/engine/engine.ts";
import {
  adaptiveAveragePool2d,
  conv2d,
  dropout,
  flatten,
  linear,
  localResponseNorm,
  maxPool2d,
  relu,
  sigmoid,
  tanh,
} from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { sizeOf } from "../src/shape.ts";
import { oneHotTargets } from "../src/training/objective/targets.ts";
import { createOptimizer } from "../src/training/optimizers/optimizer.ts";
import type { Sgd } from "../src/training/optimizers/sgd.ts";
import { assertClose, assertCloseNorm, norm } from "./assertClose.ts";
import {
  type Chain,
  type CompileSettings,
  compileTraining,
  fillParameters,
  need,
  noDraws,
  readGradients,
} from "./chains.ts";
import { engines } from "./engines.ts";
import { doubles, drawn, drawnLabels, floats, readGolden } from "./golden.ts";

interface SmallGolden {
  readonly seed: number;
  readonly batchSize: number;
  /** Counter of the first image's dropout mask. */
  readonly first: number;
  readonly loss: number;
  readonly logits: string;
  readonly gradients: Readonly<Record<string, string>>;
}

interface FullGolden {
  readonly seed: number;
  readonly batchSize: number;
  readonly sgd: { readonly lr: number; readonly momentum: number; readonly weight_decay: number };
  /** Before each of the steps of SGD. */
  readonly losses: readonly number[];
  readonly logits: string;
  readonly gradients: Readonly<Record<string, { readonly norm: number; readonly values: string }>>;
}

const everyKind: readonly AnyLayer[] = [
  conv2d("conv1", { outChannels: 6, kernelSize: 3, padding: 1, groups: 2 }),
  relu("relu1"),
  localResponseNorm("norm1", { size: 3, alpha: 0.5, beta: 0.75, k: 1 }),
  maxPool2d("pool1", { kernelSize: 3, stride: 2, padding: 1 }),
  conv2d("conv2", { outChannels: 5, kernelSize: 3, stride: 2, padding: 1 }),
  tanh("tanh2"),
  adaptiveAveragePool2d("avgpool", { outputSize: 2 }),
  flatten("flatten"),
  linear("fc3", { outFeatures: 8 }),
  sigmoid("sigmoid3"),
  dropout("drop3", { probability: 0.3 }),
  linear("fc4", { outFeatures: 5 }),
];

/**
 * f64 is compared through the f32 border, half a unit in the last place. f32 chains of a dozen operations stay within some
 * 30 roundings of 6e-8, relative to the largest value.
 */
const smallTolerance = { f64: 2 ** -24, f32: 2e-6 } as const;

/**
 * On the full networks. f32: PyTorch's own float32 differs by up to 1.6e-6 in the logits (`float32` in the golden files), gradients by 1.3e-6, and
 * 2.6e-6 with Winograd's algorithm.
 * bf16: each of eight layers multiplies two tensors that are off by 1.5e-3, independently (measured: logits off by 1.8e-3). Rounding so coarse makes
 * some ReLUs and pooling windows decide otherwise than PyTorch's, each time with the whole of a gradient: by conv1 they are off by 0.26, their
 * norms by 0.005. What comes from wrong places would be off by 1 or more. Losses are off by 3e-5; eight steps lower them by 5e-4.
 */
const fullTolerance = {
  f32: { logits: 2e-6, norms: 1e-5, gradients: 1e-5, losses: 5e-6 },
  bf16: { logits: 8e-3, norms: 0.03, gradients: 0.5, losses: 1e-4 },
} as const;

/** In plain f64 loops or on a software adapter the full networks would take minutes. */
const fastEngines = engines.filter(({ arithmetic, isEmulated }) => arithmetic.sums === "f32" && !isEmulated);

/** A program with the weights that scripts/golden/pytorch.py gives its model. */
async function compileGolden(
  engine: Engine,
  settings: CompileSettings,
  chain: Chain,
  seed: number,
): Promise<TrainingProgram> {
  const program = await compileTraining(engine, settings, chain);
  const fanIns = new Map(program.parameters.map(({ name, value }) => [name, sizeOf(value.shape.slice(1))]));
  await fillParameters(program, (name, length) => {
    const bound = name.endsWith(".weight") ? Math.sqrt(2 / need(fanIns, name)) : 0.125;
    return drawn(seed, name, length, -bound, bound);
  });
  return program;
}

/** The network as `train` would compile it, without dropout, and normalised over all channels: PyTorch's normalisation has no groups. */
function withoutDropout(name: string, batchSize: number): Chain {
  const { input, layers } = findNetwork(name);
  return {
    input,
    layers: layers.map((layer) => {
      if (layer.kind === "dropout") return { ...layer, probability: 0 };
      return layer.kind === "localResponseNorm" ? { ...layer, groups: 1 } : layer;
    }),
    batchSize,
    inputGradient: false,
  };
}

/** The values at the positions that the golden kept. */
function sample(name: string, values: Float32Array, count: number): Float32Array {
  if (values.length === count) return values;
  const places = drawn(0, `positions:${name}`, count, 0, 1);
  return places.map((place) => values[Math.floor(place * values.length)] as number);
}

for (const { name, create, settings, arithmetic } of engines.filter(
  (engine) => engine.settings.exact && !engine.isEmulated,
)) {
  describe(`${name} = PyTorch`, () => {
    it("on a small net of every kind of layer: logits, loss, every gradient", async () => {
      const golden = await readGolden<SmallGolden>("pytorch-every-kind");
      const { seed, batchSize, first } = golden;
      const engine = await create();
      const program = await compileGolden(engine, settings, { input: [4, 11, 9], layers: everyKind, batchSize }, seed);
      const images = drawn(seed, "images", batchSize * 4 * 11 * 9, -1, 1);
      const targets = oneHotTargets(drawnLabels(seed, batchSize, 5), 5);
      const { loss, logits } = await program.forwardBackward(images, targets, batchSize, { seed, first });
      const check = (actual: ArrayLike<number>, expected: Float64Array, what: string) => {
        const rounding = smallTolerance[arithmetic.sums];
        const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        const absolute = arithmetic.sums === "f32" ? rounding * largest : 1e-14;
        assertClose(actual, expected, { relative: rounding, absolute }, what);
      };
      check([loss], Float64Array.of(golden.loss), "loss");
      check(logits, doubles(golden.logits), "logits");
      const gradients = await readGradients(program);
      assert.deepEqual([...gradients.keys()].sort(), Object.keys(golden.gradients).sort());
      for (const [key, expected] of Object.entries(golden.gradients)) {
        check(need(gradients, key), doubles(expected), `gradient of ${key}`);
      }
      program.close();
      engine.close();
    });
  });
}

for (const { name, create, settings } of fastEngines) {
  const tolerance = fullTolerance[settings.precision];
  describe(`${name} = PyTorch`, () => {
    for (const network of settings.exact ? ["alexnet", "alexnet-owt"] : ["alexnet"]) {
      it(`on ${network}: logits, every gradient, 8 steps of SGD`, async () => {
        const golden = await readGolden<FullGolden>(`pytorch-${network}`);
        const { seed, batchSize, sgd } = golden;
        const engine = await create();
        const chain = withoutDropout(network, batchSize);
        const program = await compileGolden(engine, settings, chain, seed);
        const images = drawn(seed, "images", batchSize * sizeOf(chain.input), -1, 1);
        const targets = oneHotTargets(drawnLabels(seed, batchSize, 1000), 1000);
        const { logits } = await program.forwardBackward(images, targets, batchSize, noDraws);
        const expected = doubles(golden.logits);
        const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        assertClose(logits, expected, { absolute: tolerance.logits * largest }, "logits");
        assert.deepEqual(
          program.parameters.map((parameter) => parameter.name).sort(),
          Object.keys(golden.gradients).sort(),
        );
        for (const { name: key, gradient } of program.parameters) {
          const values = await program.read(gradient);
          const kept = golden.gradients[key];
          assert.ok(kept);
          assertClose([norm(values)], [kept.norm], { relative: tolerance.norms }, `norm of the gradient of ${key}`);
          const expectedValues = floats(kept.values);
          const actualValues = sample(key, values, expectedValues.length);
          assertCloseNorm(actualValues, expectedValues, tolerance.gradients, `gradient of ${key}`);
        }
        const form: Sgd = { kind: "sgd", form: "pytorch", momentum: sgd.momentum, weightDecay: sgd.weight_decay };
        const optimizer = createOptimizer(program, { optimizer: form });
        const losses: number[] = [];
        for (let step = 0; step < golden.losses.length; step++) {
          losses.push((await program.forwardBackward(images, targets, batchSize, noDraws)).loss);
          await optimizer.step({ learningRate: sgd.lr, step: step + 1, images: batchSize });
        }
        assertClose(losses, golden.losses, { relative: tolerance.losses }, "loss before step");
        program.close();
        engine.close();
      });
    }
  });
}
