/**
 * On whole numbers whose sums stay below 2^24 f32 is exact in any order of summation, so every engine must give exactly what
 * plain oracles give, forward and backward, in all elements, on the layer shapes of AlexNet and its relatives. bf16 has all whole numbers
 * up to 256 and its sums are f32, so it is exact too, but for one rounding of the input's gradient. The constants of other algorithms than
 * direct convolution are no whole numbers: there the nearest whole number of every element must be right.
 */
import { before, describe, it } from "node:test";
import type { Op } from "../src/engine/engine.ts";
import { conv2d, flatten, linear, maxPool2d } from "../src/layers/kinds.ts";
import type { AnyLayer, Layer } from "../src/layers/layer.ts";
import type { Network } from "../src/network/network.ts";
import { sizeOf } from "../src/shape.ts";
import { assertClose, assertCloseNorm } from "./assertClose.ts";
import {
  behindConvolution,
  compileTraining,
  fillParameters,
  integers,
  need,
  opsOf,
  parameterValues,
  passThrough,
  type Results,
} from "./chains.ts";
import { type Arithmetic, type EngineUnderTest, engines } from "./engines.ts";
import { conv2dOracle, type Given, linearOracle, maxPool2dOracle } from "./integerOracles.ts";

const batchSize = 2;

interface Case {
  readonly input: Network["input"];
  readonly layers: readonly AnyLayer[];
  /** Smallest and largest input. */
  readonly range: readonly [low: number, high: number];
  oracle(given: Given): Results;
  /** An engine that may take other algorithms has none for this: it would compute what its exact twin does. */
  readonly isAlwaysDirect: boolean;
  /** The library has only plain loops of many seconds for the gradient of its images, for which training never asks. */
  readonly hasSlowInputGradient: boolean;
}

function convolution(input: Network["input"], options: Omit<Layer<"conv2d">, "name" | "kind">): Case {
  const layers = [conv2d("layer", options)];
  const [op] = opsOf({ input, layers, batchSize });
  const isFirst = input[0] < 16;
  return {
    input,
    layers,
    range: [-8, 8],
    oracle: (given) => conv2dOracle(op as Op<"conv2d">, given),
    isAlwaysDirect: options.stride > 1,
    hasSlowInputGradient: isFirst && input[1] > 100,
  };
}

function fullyConnected(input: Network["input"], outFeatures: number): Case {
  const layers = [flatten("flatten"), linear("layer", { outFeatures })];
  const [, op] = opsOf({ input, layers, batchSize });
  const oracle = (given: Given) => linearOracle(op as Op<"linear">, given);
  return { input, layers, range: [-8, 8], oracle, isAlwaysDirect: true, hasSlowInputGradient: false };
}

/** Few different values, so that most windows have ties. */
function pooling(input: Network["input"], padding: number, range: Case["range"]): Case {
  const layers = [maxPool2d("layer", { kernelSize: 3, stride: 2, padding })];
  const [op] = opsOf({ input, layers, batchSize });
  const oracle = (given: Given) => maxPool2dOracle(op as Op<"maxPool2d">, given);
  return { input, layers, range, oracle, isAlwaysDirect: true, hasSlowInputGradient: false };
}

const one = { stride: 1, padding: 1, groups: 1 };
const eleven = { kernelSize: 11, stride: 4, padding: 0, groups: 1 };
const cases: Readonly<Record<string, Case>> = {
  "conv1, 3 channels": convolution([3, 227, 227], { ...eleven, outChannels: 96 }),
  "conv1, 1 channel": convolution([1, 227, 227], { ...eleven, outChannels: 96 }),
  "conv1, alexnet-owt": convolution([3, 224, 224], { ...eleven, outChannels: 64, padding: 2 }),
  "conv1, alexnet-owt, small images": convolution([3, 63, 59], { ...eleven, outChannels: 64, padding: 2 }),
  "conv2, 2 groups": convolution([96, 27, 27], { outChannels: 256, kernelSize: 5, stride: 1, padding: 2, groups: 2 }),
  "conv2, 2 groups, small": convolution([6, 9, 8], { outChannels: 8, kernelSize: 5, stride: 1, padding: 2, groups: 2 }),
  conv2: convolution([96, 27, 27], { outChannels: 256, kernelSize: 5, stride: 1, padding: 2, groups: 1 }),
  conv3: convolution([256, 13, 13], { outChannels: 384, kernelSize: 3, ...one }),
  "conv4, 2 groups": convolution([384, 13, 13], { outChannels: 384, kernelSize: 3, ...one, groups: 2 }),
  "conv5, 2 groups": convolution([384, 13, 13], { outChannels: 256, kernelSize: 3, ...one, groups: 2 }),
  conv5: convolution([384, 13, 13], { outChannels: 256, kernelSize: 3, ...one }),
  "pool1, ties": pooling([96, 55, 55], 0, [0, 3]),
  "pool2, ties": pooling([256, 27, 27], 0, [0, 3]),
  "pool5, ties": pooling([256, 13, 13], 0, [0, 3]),
  "pool behind a convolution, ties": behindConvolution(pooling([64, 27, 27], 0, [0, 3])),
  "pool with padding, all values negative, ties": pooling([20, 14, 11], 1, [-3, -1]),
  "pool of all equal values": pooling([32, 13, 13], 0, [1, 1]),
  fc6: fullyConnected([256, 6, 6], 4096),
  fc7: fullyConnected([4096, 1, 1], 4096),
  fc8: fullyConnected([4096, 1, 1], 1000),
  fc9: fullyConnected([1000, 1, 1], 10),
};

/** Products of a layer up to which plain loops in f64, and those of a software adapter, are computed: they take seconds for larger ones, and do the same. */
const LARGEST = { plain: 30e6, emulated: 5e6 };

function productsOf(chain: Case): number {
  const op = opsOf({ ...chain, batchSize }).at(-1);
  const [, height = 1, width = 1] = op?.outputShape ?? [];
  return sizeOf(op?.parameters[0]?.shape ?? []) * height * width;
}

function given(name: string, { input, layers, range }: Case): Given {
  const op = opsOf({ input, layers, batchSize }).at(-1);
  const [weight = 0, bias = 0] = op?.parameters.map(({ shape }) => sizeOf(shape)) ?? [];
  return {
    x: integers(`${name} x`, batchSize * sizeOf(input), ...range),
    w: integers(`${name} w`, weight, -8, 8),
    b: integers(`${name} b`, bias, -100, 100),
    dy: integers(`${name} dy`, batchSize * sizeOf(op?.outputShape ?? []), -8, 8),
  };
}

async function resultsOf({ create, settings }: EngineUnderTest, chain: Case, { x, w, b, dy }: Given): Promise<Results> {
  const engine = await create();
  const inputGradient = settings.exact || !chain.hasSlowInputGradient;
  const program = await compileTraining(engine, settings, { ...chain, batchSize, inputGradient });
  const own = new Map([
    ["layer.weight", w],
    ["layer.bias", b],
  ]);
  await fillParameters(program, (name, length) => own.get(name) ?? parameterValues(name, length));
  const results = await passThrough(program, x, dy);
  program.close();
  engine.close();
  return results;
}

/**
 * Sums of whole numbers are what they should be, to the bit. Those of an algorithm that rounds more are off by a few f32 roundings of numbers as
 * large as the sums are on average, a thousandth of the half that would be needed to make another whole number of one. Where factors are rounded once
 * more, and the input's gradient to be kept, whole numbers are not even near.
 */
function assertExact(
  { convolutionError, factorError, keep }: Arithmetic,
  actual: Float32Array,
  expected: Float32Array,
  key: string,
) {
  if (convolutionError === 1) return assertClose(actual, key === "input" ? expected.map(keep) : expected, {}, key);
  if (factorError > 0) return assertCloseNorm(actual, expected, 1.5 * factorError, key);
  assertClose(actual.map(Math.round), expected, {}, `${key} to the nearest whole number`);
  assertCloseNorm(actual, expected, 3e-6, key);
}

for (const [name, chain] of Object.entries(cases)) {
  describe(`exact on whole numbers, ${name}`, () => {
    let values: Given;
    let expected: Results;

    before(() => {
      values = given(name, chain);
      expected = chain.oracle(values);
    });

    const runs = ({ arithmetic, isEmulated }: EngineUnderTest) =>
      isEmulated
        ? productsOf(chain) < LARGEST.emulated
        : arithmetic.sums === "f32" || productsOf(chain) < LARGEST.plain;
    const isDirect = ({ arithmetic }: EngineUnderTest) => arithmetic.convolutionError === 1;
    for (const engine of engines.filter(
      (candidate) => runs(candidate) && (isDirect(candidate) || !chain.isAlwaysDirect),
    )) {
      it(engine.name, async () => {
        const results = await resultsOf(engine, chain, values);
        for (const [key, value] of expected) {
          if (key === "input" && !results.has(key)) continue;
          assertExact(engine.arithmetic, need(results, key), value, key);
        }
      });
    }
  });
}
